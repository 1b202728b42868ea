//! Who a person is: identifiers, parsed and folded, and the keyed tokens made from them.
//!
//! [`resolve`] is the only way in: what a partner sent becomes a [`Person`] (keyed tokens, which
//! may be stored and compared) and an [`Identity`] (plain, to be sealed and nothing else). Nothing
//! here prints, logs, clones or serialises a plain identifier to anything but a sealed part, and no
//! error carries one.

mod address;
pub mod beside;
pub mod birth;
pub mod cluster;
pub mod codec;
pub mod contact;
pub mod field;
pub mod identity;
pub mod index;
mod keyed;
pub mod language;
pub mod line;
pub mod link;
pub mod name;
pub mod nhs;
pub mod police;
pub mod postcode;
pub mod reason;
pub mod safe_contact;
mod sound;
pub mod token;
mod variants;
#[cfg(test)]
mod vectors;

use jiff::civil::Date;

pub use beside::{Beside, FieldNames, RawBeside};
pub use birth::{BirthDate, Sex};
pub use cluster::settle;
pub use contact::{Email, Phone};
pub use field::{BadField, FieldError};
pub use identity::{Identity, RawFields, RawIdentifier, Whereabouts, Who};
pub use keyed::Person;
pub use language::LanguageTag;
pub use link::{Births, Evidence, Names, Number, Swapped, Tier, contradicts, tier};
pub use name::Name;
pub use nhs::NhsNumber;
pub use police::{CrimeRef, PncId, looks_like_pnc};
pub use postcode::Postcode;
pub use reason::Reason;
pub use safe_contact::{ContactMode, RawSafeContact, SafeContact};
pub use token::{Lane, NORMALISER_VERSION, TaggedToken, Token, TokenKeys, TokenKind, keys_of};

/// Parses what the partner sent and makes the keyed tokens of it.
///
/// `on` is today's date in London, against which a date of birth must not lie in the future.
/// At least a given or a family name is required; everything else is optional.
///
/// # Errors
/// All fields that are wrong, each with what to do. A PNC ID anywhere is refused, because it is an
/// offender's number and this is a victim's record.
pub fn resolve(
    raw: RawIdentifier,
    keys: &TokenKeys,
    on: Date,
) -> Result<(Person, Identity), Vec<FieldError>> {
    let identity = Identity::parse(raw, on)?;
    let person = Person::of(&identity, keys);
    Ok((person, identity))
}

/// The same for measuring: a field that cannot be read counts as not known and is told, and
/// nothing is required. What is made so is compared and never stored.
pub fn resolve_known(raw: RawIdentifier, keys: &TokenKeys, on: Date) -> (Person, Vec<FieldError>) {
    let mut read = field::FieldReader::default();
    let identity = Identity::read(&raw, on, &mut read);
    (Person::of(&identity, keys), read.into_errors())
}
