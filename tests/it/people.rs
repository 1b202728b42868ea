//! People who do not exist, and what a police system would write about them.
//!
//! Names come from many languages, NHS numbers from the range 999 that is kept for tests, telephone
//! numbers from the range that Ofcom keeps for drama. One number always gives the same person. Some
//! lines are wrong on purpose, each in one way that a real system gets wrong.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use serde_json::{Value, json};

const GIVEN_NAMES: [&str; 24] = [
    "Amina",
    "Siân",
    "Zoë",
    "Łucja",
    "Nguyễn An",
    "Ольга",
    "محمد",
    "李娜",
    "Olúwaṣeun",
    "रीता",
    "Ελένη",
    "Bjørk",
    "Mary-Ann",
    "Ana María",
    "Çiğdem",
    "Saoirse",
    "Tesfaye",
    "Parvati",
    "Håkon",
    "Françoise",
    "Wanjirũ",
    "Dilnoza",
    "Jo",
    "Željka",
];
const FAMILY_NAMES: [&str; 25] = [
    "O’Brien",
    "Okafor",
    "Müller-Lüdenscheid",
    "de la Cruz",
    "Kowalska",
    "Nguyễn",
    "Петрова",
    "حسين",
    "王",
    "Adéyẹmí",
    "शर्मा",
    "Παπαδοπούλου",
    "Þórsdóttir",
    "St John",
    "García Márquez",
    "Yılmaz",
    "Ó Súilleabháin",
    "Gebremariam",
    "Subramaniam",
    "Åkesson",
    "Lefèvre",
    "Kamau",
    "Karimova",
    "Smith",
    "Horvat",
];
/// Letters that the second half of a postcode may end on.
const INWARD: &[u8; 20] = b"ABDEFGHJLNPQRSTUWXYZ";
const OFFENCES: [&str; 6] = [
    "domestic_abuse",
    "burglary",
    "robbery",
    "sexual_offence",
    "fraud_cyber",
    "hate_crime",
];

/// Someone who does not exist.
pub struct Person {
    pub given_name: &'static str,
    pub family_name: &'static str,
    pub birth_date: String,
    pub nhs_number: String,
    pub phone: String,
    pub email: String,
    pub address_line: String,
    pub postcode: String,
}

impl Person {
    /// The `number`-th; all have different NHS numbers and addresses.
    pub fn new(number: usize) -> Self {
        let letter = |place: usize| char::from(INWARD[place % INWARD.len()]);
        Self {
            given_name: GIVEN_NAMES[number % GIVEN_NAMES.len()],
            family_name: FAMILY_NAMES[(number / 24 + number) % FAMILY_NAMES.len()],
            birth_date: format!(
                "{}-{:02}-{:02}",
                1940 + number * 7 % 65,
                1 + number * 5 % 12,
                1 + number * 11 % 28
            ),
            nhs_number: nhs_number(number),
            phone: format!("07700 900{:03}", number % 1_000),
            email: format!("invented.{number}@example.org"),
            address_line: format!("{} Invented Lane", number + 1),
            postcode: format!(
                "E{} {}{}{}",
                1 + number % 18,
                number / 18 % 10,
                letter(number / 180),
                letter(number / 3_600)
            ),
        }
    }

    pub fn identity(&self) -> Value {
        json!({
            "given_name": self.given_name,
            "family_name": self.family_name,
            "birth_date": self.birth_date,
            "nhs_number": self.nhs_number,
            "phone": [self.phone],
            "email": [self.email],
            "address_line": self.address_line,
            "postcode": self.postcode,
        })
    }

    /// Enough to find her by, and no more.
    pub fn found_by(&self) -> Value {
        json!({
            "given_name": self.given_name,
            "family_name": self.family_name,
            "birth_date": self.birth_date,
            "nhs_number": self.nhs_number,
        })
    }
}

/// The `number`-th NHS number of the range 999 that has a check digit (modulus 11).
fn nhs_number(number: usize) -> String {
    (number * 4..number * 4 + 4)
        .find_map(|place| {
            let head = format!("{}", 999_000_000 + place);
            let weighed = head.bytes().zip((2..=10).rev());
            let sum: usize = weighed
                .map(|(digit, weight)| usize::from(digit - b'0') * weight)
                .sum();
            let check = (11 - sum % 11) % 11;
            (check < 10).then(|| format!("{head}{check}"))
        })
        .expect("two of four neighbours have a check digit")
}

/// What should become of one line of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// In the inbox of the service.
    Taken,
    /// In the inbox of the service, without its note.
    NoteHeld,
    /// Refused with this title.
    Refused(&'static str),
}

/// A referral of the `number`-th person by the police, in order.
pub fn referral(number: usize, service: &str) -> Value {
    let person = Person::new(number);
    json!({
        "service": service,
        "direction": "police",
        "offence_group": OFFENCES[number % OFFENCES.len()],
        "reported_to_police": "yes",
        "urgency": (["standard", "high", "low"][number % 3]),
        "needs": ["emotional", "court_support"],
        "area": "E09000022",
        "identity": person.identity(),
        "safe_contact": {
            "modes": ["phone"], "number": person.phone, "hours": "after 10 in the morning",
            "who_may_answer": "only herself", "code_word": "library books",
        },
        "note": "She would like a woman to call.",
        "consent": {
            "decision": "permit", "how": "spoken", "other_party_present": "no",
        },
        "your_reference": format!("case-{number}"),
    })
}

/// The `number`-th line of a batch, and what should become of it: every seventh is out of order.
pub fn line(number: usize, service: &str) -> (Vec<u8>, Fate) {
    let mut referral = referral(number, service);
    let check = Fate::Refused("check-your-answers");
    let mut set = |pointer: &str, value: Value| {
        *referral
            .pointer_mut(pointer)
            .expect("a field of the referral") = value;
    };
    let fate = match (number % 7, number / 7 % 12) {
        (0, 0) => {
            set("/identity/nhs_number", json!("9990000019"));
            check
        }
        (0, 1) => {
            set("/service", json!("no-such-service"));
            check
        }
        (0, 2) => {
            set("/identity/birth_date", json!("2190-01-01"));
            check
        }
        (0, 3) => {
            set("/offence_group", json!("domestic_abuse"));
            set("/consent", Value::Null);
            Fate::Refused("consent-needed")
        }
        (0, 4) => {
            referral["nationality"] = json!("kept to herself");
            check
        }
        (0, 5) => {
            // An offender's number in a field of a victim.
            set("/identity/family_name", json!("2012/0052494Q"));
            check
        }
        (0, 6) => {
            set("/note", json!("Her visa expired last month."));
            Fate::NoteHeld
        }
        (0, 7) => return (b"{\"service\": \"advi".to_vec(), check),
        (0, 8) => return (b"\xff\xfe not text".to_vec(), check),
        (0, 9) => {
            set("/note", json!("a".repeat(20 * 1024)));
            check
        }
        (0, 10) => {
            set("/identity/postcode", json!("nowhere"));
            check
        }
        (0, _) => {
            set("/safe_contact", json!({ "modes": ["phone"] }));
            check
        }
        _ => Fate::Taken,
    };
    (referral.to_string().into_bytes(), fate)
}

#[test]
fn every_invented_person_has_another_number_with_a_right_check_digit() {
    let numbers: std::collections::BTreeSet<String> = (0..5_000).map(nhs_number).collect();
    assert_eq!(numbers.len(), 5_000);
    assert!(numbers.contains("9990000018"));
    assert!(numbers.iter().all(|number| number.starts_with("999")));
}
