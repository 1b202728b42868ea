//! Who she is and where she is, parsed: to be sealed, and released to the service that accepted.
//!
//! The two are apart because they are different data classes: some recipients are told who, but
//! never where. Nothing here has `Debug`, `Clone` or serde, and all of it is wiped when dropped.

use borsh::{BorshDeserialize, BorshSerialize};
use jiff::civil::Date;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::birth::{BirthDate, Sex};
use super::codec::{self, BadEncoding, Version};
use super::contact::{Email, Phone};
use super::field::{FieldError, FieldReader};
use super::line::Line;
use super::name::Name;
use super::nhs::NhsNumber;
use super::police::CrimeRef;
use super::postcode::Postcode;

pub const OTHER_NAMES_MAX: usize = 10;
pub const PHONES_MAX: usize = 5;
pub const EMAILS_MAX: usize = 5;
pub const ADDRESS_CHARS_MAX: usize = 200;

/// What a partner sent about a person, field by field, before anything is checked. Blank is absent.
#[derive(Default, ZeroizeOnDrop)]
pub struct RawFields {
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub other_names: Vec<String>,
    pub birth_date: Option<String>,
    pub sex: Option<String>,
    pub nhs_number: Option<String>,
    pub phone: Vec<String>,
    pub email: Vec<String>,
    pub address_line: Option<String>,
    pub postcode: Option<String>,
    pub crime_ref: Option<String>,
}

/// A person as the partner sent her: it cannot be read, printed, copied or stored, only resolved.
#[derive(ZeroizeOnDrop)]
pub struct RawIdentifier(RawFields);

impl RawIdentifier {
    pub fn new(fields: RawFields) -> Self {
        Self(fields)
    }
}

/// A person, parsed. Take it apart to seal each data class on its own.
pub struct Identity {
    pub who: Who,
    pub whereabouts: Whereabouts,
}

impl Identity {
    pub(super) fn parse(raw: RawIdentifier, on: Date) -> Result<Self, Vec<FieldError>> {
        let mut read = FieldReader::default();
        let identity = Self::read(&raw, on, &mut read);
        let blank = |name: &Option<String>| name.as_ref().is_none_or(|text| text.trim().is_empty());
        if blank(&raw.0.given_name) && blank(&raw.0.family_name) {
            read.refuse("family_name", "give at least a given name or a family name");
        }
        read.finish(identity)
    }

    /// All fields that can be read; the others are as if not given, and refused to `read`.
    pub(super) fn read(raw: &RawIdentifier, on: Date, read: &mut FieldReader) -> Self {
        let RawIdentifier(fields) = raw;
        let who = Who {
            version: Version,
            given_name: read.one("given_name", fields.given_name.as_ref(), Name::parse),
            family_name: read.one("family_name", fields.family_name.as_ref(), Name::parse),
            other_names: read.many(
                "other_names",
                &fields.other_names,
                OTHER_NAMES_MAX,
                Name::parse,
            ),
            birth_date: read.one("birth_date", fields.birth_date.as_ref(), |text| {
                BirthDate::parse(text, on)
            }),
            sex: read.one("sex", fields.sex.as_ref(), Sex::parse),
            nhs_number: read.one("nhs_number", fields.nhs_number.as_ref(), NhsNumber::parse),
            crime_ref: read.one("crime_ref", fields.crime_ref.as_ref(), CrimeRef::parse),
        };
        let whereabouts = Whereabouts {
            version: Version,
            phones: read.many("phone", &fields.phone, PHONES_MAX, Phone::parse),
            emails: read.many("email", &fields.email, EMAILS_MAX, Email::parse),
            address_line: read.one("address_line", fields.address_line.as_ref(), Line::parse),
            postcode: read.one("postcode", fields.postcode.as_ref(), Postcode::parse),
        };
        Self { who, whereabouts }
    }
}

/// Data class ID: names, date of birth, sex, NHS number and crime reference.
#[derive(BorshSerialize, BorshDeserialize)]
pub struct Who {
    version: Version<1>,
    given_name: Option<Name>,
    family_name: Option<Name>,
    other_names: Vec<Name>,
    birth_date: Option<BirthDate>,
    sex: Option<Sex>,
    nhs_number: Option<NhsNumber>,
    crime_ref: Option<CrimeRef>,
}

// Every field that holds anything wipes itself.
impl ZeroizeOnDrop for Who {}

impl Who {
    pub fn given_name(&self) -> Option<&Name> {
        self.given_name.as_ref()
    }

    pub fn family_name(&self) -> Option<&Name> {
        self.family_name.as_ref()
    }

    pub fn other_names(&self) -> &[Name] {
        &self.other_names
    }

    pub fn birth_date(&self) -> Option<&BirthDate> {
        self.birth_date.as_ref()
    }

    pub fn sex(&self) -> Option<Sex> {
        self.sex
    }

    pub fn nhs_number(&self) -> Option<&NhsNumber> {
        self.nhs_number.as_ref()
    }

    pub fn crime_ref(&self) -> Option<&CrimeRef> {
        self.crime_ref.as_ref()
    }

    /// Plain bytes, for the sealing call only.
    ///
    /// # Errors
    /// Never in practice: the limits of each field keep it far below what borsh can count.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, BadEncoding> {
        codec::encode(self)
    }

    /// # Errors
    /// Bytes that [`Who::encode`] of this or an earlier version did not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadEncoding> {
        codec::decode(bytes)
    }
}

/// Data class LOC: how and where she can be reached. The most dangerous of all to give away.
#[derive(BorshSerialize, BorshDeserialize)]
pub struct Whereabouts {
    version: Version<1>,
    phones: Vec<Phone>,
    emails: Vec<Email>,
    address_line: Option<Line<ADDRESS_CHARS_MAX>>,
    postcode: Option<Postcode>,
}

impl ZeroizeOnDrop for Whereabouts {}

impl Whereabouts {
    pub fn phones(&self) -> &[Phone] {
        &self.phones
    }

    pub fn emails(&self) -> &[Email] {
        &self.emails
    }

    /// Free text: the text screen must see it before anyone does.
    pub fn address_line(&self) -> Option<&str> {
        self.address_line.as_ref().map(Line::as_str)
    }

    pub fn postcode(&self) -> Option<&Postcode> {
        self.postcode.as_ref()
    }

    /// Nothing was given, so there is nothing to seal.
    pub fn is_empty(&self) -> bool {
        self.phones.is_empty()
            && self.emails.is_empty()
            && self.address_line.is_none()
            && self.postcode.is_none()
    }

    /// Plain bytes, for the sealing call only.
    ///
    /// # Errors
    /// Never in practice: the limits of each field keep it far below what borsh can count.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, BadEncoding> {
        codec::encode(self)
    }

    /// # Errors
    /// Bytes that [`Whereabouts::encode`] of this or an earlier version did not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadEncoding> {
        codec::decode(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    fn whole() -> RawFields {
        let mut fields = RawFields::default();
        fields.given_name = Some("Siân".to_owned());
        fields.family_name = Some("O’Brien".to_owned());
        fields.other_names = vec!["Jones".to_owned(), " ".to_owned()];
        fields.birth_date = Some("1990-05-02".to_owned());
        fields.sex = Some("female".to_owned());
        fields.nhs_number = Some("999 000 0018".to_owned());
        fields.phone = vec!["07700 900123".to_owned()];
        fields.email = vec!["Sian@Example.org".to_owned()];
        fields.address_line = Some("Flat 12/34B, 1 High Street".to_owned());
        fields.postcode = Some("e81dy".to_owned());
        fields.crime_ref = Some("1234567/26".to_owned());
        fields
    }

    fn parse(fields: RawFields) -> Result<Identity, Vec<FieldError>> {
        Identity::parse(RawIdentifier::new(fields), date(2026, 11, 20))
    }

    #[test]
    fn everything_is_parsed_and_survives_its_encoding() {
        let identity = parse(whole()).ok().unwrap();
        let who = Who::decode(&identity.who.encode().unwrap()).ok().unwrap();
        assert_eq!(who.given_name().unwrap().as_str(), "Siân");
        assert_eq!(who.family_name().unwrap().as_str(), "O’Brien");
        assert_eq!(who.other_names().len(), 1);
        assert_eq!(who.birth_date().unwrap().iso().as_str(), "1990-05-02");
        assert_eq!(who.sex(), Some(Sex::Female));
        assert_eq!(who.nhs_number().unwrap().as_str(), "9990000018");
        assert_eq!(who.crime_ref().unwrap().as_str(), "1234567/26");
        let found = Whereabouts::decode(&identity.whereabouts.encode().unwrap());
        let found = found.ok().unwrap();
        assert_eq!(found.phones()[0].as_str(), "+447700900123");
        assert_eq!(found.emails()[0].as_str(), "sian@example.org");
        assert_eq!(found.address_line(), Some("Flat 12/34B, 1 High Street"));
        assert_eq!(found.postcode().unwrap().as_str(), "E8 1DY");
        assert!(!found.is_empty());
    }

    #[test]
    fn the_layout_of_a_sealed_part_is_fixed() {
        let mut fields = RawFields::default();
        fields.given_name = Some("Al".to_owned());
        fields.birth_date = Some("1990-05-02".to_owned());
        fields.sex = Some("female".to_owned());
        let identity = parse(fields).ok().unwrap();
        assert_eq!(
            identity.who.encode().unwrap().as_slice(),
            b"\x01\x01\x02\0\0\0Al\0\0\0\0\0\x01\xc6\x07\x05\x02\x01\x01\0\0"
        );
        assert_eq!(
            identity.whereabouts.encode().unwrap().as_slice(),
            b"\x01\0\0\0\0\0\0\0\0\0\0"
        );
        assert!(identity.whereabouts.is_empty());
    }

    #[test]
    fn another_layout_is_refused() {
        let identity = parse(whole()).ok().unwrap();
        let mut bytes = identity.who.encode().unwrap();
        bytes[0] = 2;
        assert!(Who::decode(&bytes).is_err());
        bytes[0] = 1;
        bytes.push(0);
        assert!(Who::decode(&bytes).is_err());
        assert!(Who::decode(&[]).is_err());
    }

    #[test]
    fn a_name_is_needed_and_one_is_enough() {
        let mut fields = whole();
        fields.given_name = Some("  ".to_owned());
        assert!(parse(fields).is_ok());
        let mut fields = whole();
        fields.given_name = None;
        fields.family_name = Some(String::new());
        let errors = parse(fields).err().unwrap();
        assert_eq!(errors[0].field, "family_name");
        assert_eq!(errors.len(), 1);
    }

    #[test]
    fn a_pnc_id_is_refused_in_every_field() {
        let pnc = || "2012/0052494Q".to_owned();
        let mut fields = RawFields::default();
        fields.given_name = Some(pnc());
        fields.family_name = Some(pnc());
        fields.other_names = vec![pnc()];
        fields.birth_date = Some(pnc());
        fields.sex = Some(pnc());
        fields.nhs_number = Some(pnc());
        fields.phone = vec![pnc()];
        fields.email = vec![pnc()];
        fields.address_line = Some(format!("see {}", pnc()));
        fields.postcode = Some(pnc());
        fields.crime_ref = Some(pnc());
        let errors = parse(fields).err().unwrap();
        assert_eq!(errors.len(), 11);
        for error in errors {
            assert_eq!(
                error.message, "PNC ID is an offender number; do not put one here",
                "{}",
                error.field
            );
        }
    }

    #[test]
    fn all_errors_are_told_at_once_and_hold_no_value() {
        let mut fields = whole();
        fields.nhs_number = Some("9990000019".to_owned());
        fields.postcode = Some("nowhere".to_owned());
        fields.phone = vec!["12".to_owned(); PHONES_MAX + 1];
        fields.given_name = Some("x".repeat(5_000));
        let errors = parse(fields).err().unwrap();
        let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(told.join("\n"), @"
        given_name: is too long; shorten it
        nhs_number: is not a valid NHS number; check the digits
        phone: has too many entries; give the ones in use
        postcode: must be a full UK postcode, such as SW1A 1AA; or leave it out
        ");
    }

    #[test]
    fn what_is_personal_is_wiped_when_dropped() {
        fn wiped<T: ZeroizeOnDrop>() {}
        wiped::<RawFields>();
        wiped::<RawIdentifier>();
        wiped::<Who>();
        wiped::<Whereabouts>();
        wiped::<Name>();
        wiped::<NhsNumber>();
        wiped::<BirthDate>();
        wiped::<CrimeRef>();
        wiped::<Phone>();
        wiped::<Email>();
        wiped::<Postcode>();
        wiped::<Line<ADDRESS_CHARS_MAX>>();
    }

    proptest! {
        #[test]
        fn decoding_never_panics(bytes: Vec<u8>) {
            let _ = Who::decode(&bytes);
            let _ = Whereabouts::decode(&bytes);
        }
    }
}
