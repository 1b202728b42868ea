//! Who a person is: identifiers, parsed and folded, and the keyed tokens made from them.
//!
//! [`resolve`] is the only way in: what a partner sent becomes a [`Person`] (keyed tokens, which
//! may be stored and compared) and an [`Identity`] (plain, to be sealed and nothing else). Nothing
//! here prints, logs, clones or serialises a plain identifier to anything but a sealed part, and no
//! error carries one.

pub mod birth;
pub mod codec;
pub mod contact;
pub mod field;
pub mod identity;
pub mod language;
pub mod line;
pub mod link;
pub mod name;
pub mod nhs;
pub mod police;
pub mod postcode;
pub mod reason;
pub mod safe_contact;
pub mod token;

use jiff::civil::Date;

pub use birth::{BirthDate, Sex};
pub use contact::{Email, Phone};
pub use field::{BadField, FieldError};
pub use identity::{Identity, RawFields, RawIdentifier, Whereabouts, Who};
pub use language::LanguageTag;
pub use link::{Evidence, Tier, tier};
pub use name::Name;
pub use nhs::NhsNumber;
pub use police::{CrimeRef, looks_like_pnc};
pub use postcode::Postcode;
pub use reason::Reason;
pub use safe_contact::{ContactMode, RawSafeContact, SafeContact};
pub use token::{NORMALISER_VERSION, Person, TaggedToken, Token, TokenKeys, TokenKind};

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
