//! The Patient: name, date of birth, gender, NHS number, address, and how she can be reached.
//!
//! Everything else about her (ethnicity, religion, nationality, language, next of kin) is never
//! read. A way to reach her comes from a form that nobody may have checked, so it is marked so.

use crate::domain::person::identity::{ADDRESS_CHARS_MAX, EMAILS_MAX, OTHER_NAMES_MAX, PHONES_MAX};
use crate::domain::person::{
    ContactMode, Email, NhsNumber, Phone, Postcode, RawFields, RawSafeContact, Sex,
};

use super::bundle::{codes_of, same_system};
use super::problem::{Kind, Problem};
use super::shape::{
    ADDRESS, CONTACT, CONTACT_POINT, Fields, HUMAN_NAME, IDENTIFIER, LeftBehind, PATIENT, text_of,
};
use super::tree::Node;

const NHS_NUMBER: &str = "fhir.nhs.uk/id/nhs-number";

const NO_NAME: &str = "give at least a family name or a given name";
const TWO_NUMBERS: &str = "holds two different NHS numbers; give the one that is in use";
const GENDER: &str = "must be female, male, other or unknown";
const DATE: &str = "must be a date such as 1990-12-31";

pub(super) struct Patient {
    pub(super) identity: RawFields,
    pub(super) safe_contact: RawSafeContact,
}

pub(super) fn read(node: &Node, left: &mut LeftBehind) -> Result<Patient, Problem> {
    let patient = Fields::open(node, "Patient", &PATIENT, left)?;
    let mut identity = RawFields::default();
    names(&patient, &mut identity, left)?;
    nhs_number(&patient, &mut identity, left)?;
    identity.birth_date = birth_date(&patient, left)?;
    identity.sex = match patient.text("gender", left)? {
        Some(code @ ("female" | "male" | "other" | "unknown")) => {
            Sex::parse(code).ok().map(|sex| sex.code().to_owned())
        }
        Some(_) => {
            return Err(Problem::new(Kind::Value, patient.path_of("gender"), GENDER));
        }
        None => None,
    };
    address(&patient, &mut identity, left)?;
    let telecoms = telecoms(&patient, left)?;
    let safe_contact = contact(telecoms, &mut identity, left);
    Ok(Patient {
        identity,
        safe_contact,
    })
}

/// How she can be reached, and nothing else of her: `None` if that is not said.
pub(super) fn reached(
    node: &Node,
    left: &mut LeftBehind,
) -> Result<Option<RawSafeContact>, Problem> {
    // Who she is was read when the referral was made: not read again, and not named.
    let patient = Fields::open(node, "Patient", &PATIENT, &mut LeftBehind::default())?;
    let telecoms = telecoms(&patient, left)?;
    if telecoms.is_empty() {
        return Ok(None);
    }
    Ok(Some(contact(telecoms, &mut RawFields::default(), left)))
}

fn names(
    patient: &Fields<'_>,
    identity: &mut RawFields,
    left: &mut LeftBehind,
) -> Result<(), Problem> {
    struct Spelling {
        family: Option<String>,
        given: Vec<String>,
    }
    let element = patient.path_of("name");
    let mut spellings: Vec<(u8, Spelling)> = Vec::new();
    for node in patient.many("name") {
        let name = Fields::open(node, element.as_str(), &HUMAN_NAME, left)?;
        let rank = match name.text("use", left)? {
            Some("official") => 0,
            Some("usual") => 1,
            None => 2,
            Some("nickname" | "maiden" | "old" | "temp") => 3,
            // Given instead of her name; she is not to be called by it.
            Some("anonymous") => {
                left.add(&element);
                continue;
            }
            Some(_) => {
                let says = "must be a use of names in FHIR R4, such as official";
                return Err(Problem::new(Kind::Value, name.path_of("use"), says));
            }
        };
        let mut given = Vec::new();
        for node in name.many("given") {
            given.extend(text_of(node, &name.path_of("given"), left)?.map(str::to_owned));
        }
        let family = name.text("family", left)?.map(str::to_owned);
        let whole = name.text("text", left)?;
        let spelling = if family.is_some() || !given.is_empty() {
            if whole.is_some() {
                left.add(name.path_of("text"));
            }
            Spelling { family, given }
        } else if let Some(whole) = whole {
            // Which part is which is not known, so it is kept in one.
            Spelling {
                family: Some(whole.to_owned()),
                given,
            }
        } else {
            continue;
        };
        spellings.push((rank, spelling));
    }
    // Stable, so that of two official names the first counts.
    spellings.sort_by_key(|(rank, _)| *rank);
    let mut spellings = spellings.into_iter().map(|(_, spelling)| spelling);
    let Some(first) = spellings.next() else {
        return Err(Problem::new(Kind::Required, element, NO_NAME));
    };
    let mut given = first.given.into_iter();
    identity.given_name = given.next();
    identity.family_name = first.family;
    let others = given.chain(spellings.filter_map(|spelling| {
        let mut parts = spelling.given;
        parts.extend(spelling.family);
        (!parts.is_empty()).then(|| parts.join(" "))
    }));
    for other in others {
        if identity.other_names.len() == OTHER_NAMES_MAX {
            left.add(&element);
            break;
        }
        identity.other_names.push(other);
    }
    Ok(())
}

fn nhs_number(
    patient: &Fields<'_>,
    identity: &mut RawFields,
    left: &mut LeftBehind,
) -> Result<(), Problem> {
    let element = patient.path_of("identifier");
    for node in patient.many("identifier") {
        let identifier = Fields::open(node, element.as_str(), &IDENTIFIER, left)?;
        let system = identifier.text("system", left)?;
        let old = identifier.text("use", left)? == Some("old");
        let value = identifier.text("value", left)?;
        let Some(value) =
            value.filter(|_| !old && system.is_some_and(|system| same_system(system, NHS_NUMBER)))
        else {
            left.add(&element);
            continue;
        };
        // A number that fails its check is nobody's, so it cannot link her to anyone; published
        // test messages hold one. The sender is told that it went no further.
        let Ok(number) = NhsNumber::parse(value) else {
            left.add(identifier.path_of("value"));
            continue;
        };
        match &identity.nhs_number {
            Some(known) if known != number.as_str() => {
                return Err(Problem::new(Kind::Value, element, TWO_NUMBERS));
            }
            Some(_) => {}
            None => identity.nhs_number = Some(number.as_str().to_owned()),
        }
    }
    Ok(())
}

/// A whole date. FHIR allows a year or a month alone, which proves nothing and has no place here.
fn birth_date(patient: &Fields<'_>, left: &mut LeftBehind) -> Result<Option<String>, Problem> {
    let Some(text) = patient.text("birthDate", left)? else {
        return Ok(None);
    };
    let element = patient.path_of("birthDate");
    let digits = text.bytes().enumerate().all(|(place, byte)| match place {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    match text.len() {
        10 if digits => Ok(Some(text.to_owned())),
        4 | 7 if digits => {
            left.add(element);
            Ok(None)
        }
        _ => Err(Problem::new(Kind::Value, element, DATE)),
    }
}

fn address(
    patient: &Fields<'_>,
    identity: &mut RawFields,
    left: &mut LeftBehind,
) -> Result<(), Problem> {
    let element = patient.path_of("address");
    let mut best: Option<(u8, Fields<'_>)> = None;
    for node in patient.many("address") {
        let address = Fields::open(node, element.as_str(), &ADDRESS, left)?;
        let rank = match address.text("use", left)? {
            Some("home") => 0,
            None => 1,
            // Where she stays for a while, such as with a friend.
            Some("temp") => 2,
            _ => {
                left.add(&element);
                continue;
            }
        };
        if best.as_ref().is_none_or(|(least, _)| rank < *least) {
            if best.is_some() {
                left.add(&element);
            }
            best = Some((rank, address));
        } else {
            left.add(&element);
        }
    }
    let Some((_, address)) = best else {
        return Ok(());
    };
    let mut parts = Vec::new();
    for node in address.many("line") {
        parts.extend(text_of(node, &address.path_of("line"), left)?.and_then(one_line));
    }
    for name in ["city", "district"] {
        parts.extend(address.text(name, left)?.and_then(one_line));
    }
    if address.text("text", left)?.is_some() {
        left.add(address.path_of("text"));
    }
    let line = zeroize::Zeroizing::new(parts.join(", "));
    if line.chars().nth(ADDRESS_CHARS_MAX).is_some() {
        left.add(address.path_of("line"));
    } else if !line.is_empty() {
        identity.address_line = Some(line.as_str().to_owned());
    }
    if let Some(text) = address.text("postalCode", left)? {
        // Half a postcode, one of another country, and the NHS codes that stand for a country.
        match Postcode::parse(text) {
            Ok(postcode) => identity.postcode = Some(postcode.as_str().to_owned()),
            Err(_) => left.add(address.path_of("postalCode")),
        }
    }
    Ok(())
}

fn one_line(text: &str) -> Option<String> {
    let words: Vec<&str> = text
        .split(|letter: char| letter.is_whitespace() || letter.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Channel {
    Phone,
    Text,
    Email,
}

struct Telecom<'a> {
    channel: Channel,
    value: &'a str,
    element: String,
    /// Lower is better: the sender's rank, then her own mobile before home, work and temporary.
    order: (u32, u8),
}

/// Her own ways of being reached, best first. Those of others are left behind: a wrong one rings
/// at a stranger's, or at his.
fn telecoms<'a>(patient: &Fields<'a>, left: &mut LeftBehind) -> Result<Vec<Telecom<'a>>, Problem> {
    let mut found = Vec::new();
    for node in patient.many("telecom") {
        found.extend(telecom(node, patient.path_of("telecom"), left)?);
    }
    for node in patient.many("contact") {
        let element = patient.path_of("contact");
        // What is said of someone else is not looked at, not even to name it.
        let mut unread = LeftBehind::default();
        let contact = Fields::open(node, element.as_str(), &CONTACT, &mut unread)?;
        let mut herself = false;
        for node in contact.many("relationship") {
            let codes = codes_of(node, &contact.path_of("relationship"), &mut unread)?;
            herself |= codes.iter().any(|(_, code)| *code == "ONESELF");
        }
        if !herself {
            left.add(element);
            continue;
        }
        for path in unread.into_paths() {
            left.add(path);
        }
        for node in contact.many("telecom") {
            found.extend(telecom(node, contact.path_of("telecom"), left)?);
        }
    }
    found.sort_by_key(|telecom| telecom.order);
    Ok(found)
}

fn telecom<'a>(
    node: &'a Node,
    element: String,
    left: &mut LeftBehind,
) -> Result<Option<Telecom<'a>>, Problem> {
    let point = Fields::open(node, element.as_str(), &CONTACT_POINT, left)?;
    let channel = match point.text("system", left)? {
        Some("phone") => Some(Channel::Phone),
        Some("sms") => Some(Channel::Text),
        Some("email") => Some(Channel::Email),
        _ => None,
    };
    let place = match point.text("use", left)? {
        Some("mobile") => Some(0),
        None => Some(1),
        Some("home") => Some(2),
        Some("work") => Some(3),
        Some("temp") => Some(4),
        // Old, or not a use of FHIR R4: not known to reach her.
        Some(_) => None,
    };
    let value = point.text("value", left)?.filter(|value| match channel {
        Some(Channel::Phone | Channel::Text) => Phone::parse(value).is_ok(),
        Some(Channel::Email) => Email::parse(value).is_ok(),
        None => false,
    });
    let rank = point.one("rank").and_then(Node::positive);
    match (channel, place, value) {
        (Some(channel), Some(place), Some(value)) => Ok(Some(Telecom {
            channel,
            value,
            element,
            order: (rank.unwrap_or(u32::MAX), place),
        })),
        _ => {
            left.add(element);
            Ok(None)
        }
    }
}

/// All her numbers go to her identity; the best becomes the safe contact, which nobody has checked.
fn contact(
    telecoms: Vec<Telecom<'_>>,
    identity: &mut RawFields,
    left: &mut LeftBehind,
) -> RawSafeContact {
    let mut safe = RawSafeContact::default();
    for telecom in telecoms {
        let (known, most) = match telecom.channel {
            Channel::Phone | Channel::Text => (&mut identity.phone, PHONES_MAX),
            Channel::Email => (&mut identity.email, EMAILS_MAX),
        };
        if known.iter().any(|value| value == telecom.value) {
            continue;
        }
        if known.len() == most {
            left.add(telecom.element);
            continue;
        }
        known.push(telecom.value.to_owned());
        let (mode, place) = match telecom.channel {
            Channel::Phone => (ContactMode::Phone, &mut safe.number),
            Channel::Text => (ContactMode::Text, &mut safe.number),
            Channel::Email => (ContactMode::Email, &mut safe.email),
        };
        if place.is_none() {
            *place = Some(telecom.value.to_owned());
            safe.modes.push(mode.code().to_owned());
            // The sender gave a number for texts only, which is the sender's word for it.
            safe.text |= telecom.channel == Channel::Text;
        }
    }
    if safe.modes.is_empty() {
        safe.modes.push(ContactMode::ViaWorker.code().to_owned());
    }
    safe
}
