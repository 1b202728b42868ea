//! P6: what a woman and a worker said is in no file, no line of output and no metric, neither plain
//! nor as a hash or an encoding by which a dictionary could find it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::fs;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use axum::http::Method;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, Engine};
use firedoor::domain::codes::Role;
use openssl::pkcs12::Pkcs12;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::district::{CHARITIES, Caller, District, Served, new_key};
use super::people::Person;

const PEOPLE: usize = 100;
/// Shorter texts would be found by chance.
const BYTES_MIN: usize = 6;

/// What is said of one woman, no two values alike.
struct Said {
    place: usize,
    texts: Vec<String>,
}

impl Said {
    /// A word of letters that is nowhere else; the same for the same person and field.
    fn word(&mut self, field: &str) -> String {
        let seed = Sha256::digest(format!("{field} {}", self.place));
        let letter = |byte: &u8| char::from(b'a' + byte % 26);
        let word: String = "q"
            .chars()
            .chain(seed.iter().take(11).map(letter))
            .collect();
        self.texts.push(word.clone());
        word
    }

    /// The same in the form of a language with its script.
    fn tag(&mut self, field: &str) -> String {
        let word = self.word(field);
        self.keep(&format!(
            "{}-{}",
            word.get(..3).unwrap(),
            word.get(4..8).unwrap()
        ))
    }

    fn keep(&mut self, text: &str) -> String {
        self.texts.push(text.to_owned());
        text.to_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_said_is_in_any_file_output_or_metric() {
    let district = District::new(None).await;
    let served = district.serve();
    let mut all: Vec<Said> = (0..PEOPLE).map(said_of).collect();
    play(&district, &served, &mut all).await;
    let handed_over = renew(&district, &served).await;

    let metrics = served.admin_page("/metrics");
    assert!(metrics.contains("200 OK"));
    let output = served.stop();
    assert!(output.contains("stopped in order"));
    let texts: Vec<&str> = all
        .iter()
        .flat_map(|said| said.texts.iter().map(String::as_str))
        .collect();
    assert!(texts.len() > PEOPLE * 25);
    let mut forms: Vec<Vec<u8>> = texts.iter().flat_map(|text| forms(text)).collect();
    forms.extend(handed_over);
    forms.sort();
    forms.dedup();
    let searched = AhoCorasick::new(&forms).unwrap();
    let look = |place: &str, bytes: &[u8]| {
        let found = searched.find(bytes).map(|found| {
            let form = &forms[found.pattern().as_usize()];
            (found.start(), String::from_utf8_lossy(form).into_owned())
        });
        assert_eq!(found, None, "in {place}");
    };
    look("the metrics", metrics.as_bytes());
    look("the output", output.as_bytes());
    let mut bytes_seen = 0;
    for file in files(&district.path("data"))
        .into_iter()
        .chain(files(&district.path("keys")))
    {
        let bytes = fs::read(&file).unwrap();
        bytes_seen += bytes.len();
        look(&file.display().to_string(), &bytes);
    }
    assert!(bytes_seen > 1024 * 1024, "the journal was read");
}

/// Offers, acceptance, assessment, question, withdrawal, and what the gateway refuses.
async fn play(district: &District, served: &Served, all: &mut [Said]) {
    let police = district
        .caller(served, "police", "pc-ward", Role::Officer)
        .await;
    let mut body = String::new();
    for said in all.iter_mut() {
        body.push_str(&referral(said).to_string());
        body.push('\n');
        // The same, refused: what is wrong must not be kept either.
        let mut wrong = referral(said);
        wrong["identity"]["sex"] = json!(said.word("sex"));
        wrong["your_reference"] = json!(said.word("wrong reference").repeat(9));
        body.push_str(&wrong.to_string());
        body.push('\n');
    }
    let offered = police.batch(&new_key(), body).await.unwrap().lines();
    for pair in offered.chunks_exact(2) {
        assert_eq!(pair[0]["status_code"], 201, "{}", pair[0]);
        assert_eq!(pair[1]["status_code"], 422, "{}", pair[1]);
    }
    let hospital = district
        .caller(served, "hospital", "dr-ade", Role::Clinician)
        .await;
    let assessments = all
        .iter_mut()
        .map(|said| ("/v1/assessments".to_owned(), assessment(said)));
    for recorded in hospital.post_all(assessments.collect()).await {
        assert_eq!(recorded.status, 201, "{}", recorded.whole());
    }
    for (place, (charity, _)) in CHARITIES.iter().enumerate() {
        let adviser = district
            .caller(served, charity, "a-worker", Role::Adviser)
            .await;
        let hers = all.iter_mut().skip(place).step_by(CHARITIES.len());
        work(&adviser, &mut hers.collect::<Vec<_>>()).await;
    }
}

/// A certificate that the gateway makes, and one that it refuses: what of it nobody else may have.
async fn renew(district: &District, served: &Served) -> Vec<Vec<u8>> {
    let admin = district.person(served, "operator").await;
    let hers = json!({ "user": "o-bright", "team": "desk", "form": "modern" });
    let said = admin.post("/v1/renewals", &hers).await;
    let password = said.text("/password").unwrap().to_owned();
    let file = BASE64_STANDARD.decode(said.text("/p12").unwrap()).unwrap();
    let key = Pkcs12::from_der(&file).unwrap().parse2(&password).unwrap();
    let key = key.pkey.unwrap();
    let mut nobody = hers;
    nobody["user"] = json!("nobody");
    assert_eq!(admin.post("/v1/renewals", &nobody).await.status, 422);
    let scalar = key.ec_key().unwrap().private_key().to_vec();
    let hex: String = scalar.iter().map(|byte| format!("{byte:02x}")).collect();
    let pem = String::from_utf8(key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    let line = pem.lines().nth(1).unwrap().as_bytes().to_vec();
    let part = file[file.len() / 2..][..32].to_vec();
    let told = said.text("/p12").unwrap().as_bytes()[400..464].to_vec();
    let mut all = forms(&password);
    all.extend([scalar, hex.into_bytes(), line, part, told]);
    all
}

/// What a charity does with those who were referred to it.
async fn work(adviser: &Caller, all: &mut [&mut Said]) {
    let (accepted, _) = adviser.accept_all().await;
    assert_eq!(accepted.len(), all.len());
    for released in accepted {
        let released = &released["released"];
        assert!(released["safe_contact"]["code_word"].is_string());
        assert!(released["note"].is_string());
    }
    let questions = all.iter_mut().map(|said| {
        let question = json!({
            "identity": identity(said), "step": "cards",
            "consent": {
                "decision": "permit", "how": "spoken", "other_party_present": "no",
                "opens": "query", "depth": "answers", "language": said.tag("language of consent"),
            },
            "onward_rule_accepted": true,
        });
        ("/v1/assessments/query".to_owned(), question)
    });
    let shown = adviser.post_all(questions.collect()).await;
    for (said, shown) in all.iter_mut().zip(&shown) {
        let reasons = &shown.json()["assessments"][0]["judgement_reasons"];
        assert_eq!(reasons[0], said.word("reason"), "{}", shown.whole());
    }
    let wishes = all.iter_mut().filter(|said| said.place % 2 == 0);
    let wishes = wishes.map(|said| {
        let wish = json!({
            "identity": identity(said), "scope": "everything", "channel": "telephone",
        });
        ("/v1/withdrawals".to_owned(), wish)
    });
    for withdrawn in adviser.post_all(wishes.collect()).await {
        assert_eq!(withdrawn.status, 200, "{}", withdrawn.whole());
    }
    // Where a careless program would log it: a path, a header, a broken body.
    for said in all.iter_mut().take(3) {
        let word = said.word("path");
        let path = format!("/v1/referrals/{word}?{word}={word}");
        assert_eq!(adviser.get(&path).await.status, 422);
        let absent = adviser.get(&format!("/{word}")).await;
        assert_eq!(absent.status, 404);
        let header = said.word("header");
        let broken = format!(
            "{{\"identity\": {{\"given_name\": \"{}\"",
            said.word("broken")
        );
        let headers = [
            ("content-type", "application/json"),
            ("idempotency-key", header.as_str()),
            ("firedoor-purpose", header.as_str()),
        ];
        let broken = adviser.ask(Method::POST, "/v1/referrals", &headers, broken);
        assert_eq!(broken.await.unwrap().status, 422);
    }
}

fn identity(said: &mut Said) -> Value {
    let person = Person::new(said.place);
    json!({
        "given_name": said.word("given"),
        "family_name": said.word("family"),
        "birth_date": person.birth_date,
        "nhs_number": person.nhs_number,
    })
}

fn said_of(place: usize) -> Said {
    let mut said = Said {
        place,
        texts: Vec::new(),
    };
    let person = Person::new(place);
    for text in [
        &person.birth_date,
        &person.nhs_number,
        &person.postcode,
        &person.phone,
    ] {
        said.keep(text);
    }
    // As the national form has it.
    said.keep(person.phone.trim_start_matches('0'));
    said
}

fn referral(said: &mut Said) -> Value {
    let person = Person::new(said.place);
    let email = format!("{}@example.org", said.word("email"));
    let safe_email = format!("{}@example.org", said.word("safe email"));
    let safe_phone = said.keep(&format!("07700 900{:03}", 500 + said.place));
    json!({
        "service": CHARITIES[said.place % CHARITIES.len()].1,
        "direction": "police",
        "offence_group": "domestic_abuse",
        "identity": {
            "given_name": said.word("given"),
            "family_name": said.word("family"),
            "other_names": [said.word("other name")],
            "birth_date": person.birth_date,
            "nhs_number": person.nhs_number,
            "phone": [person.phone],
            "email": [email],
            "address_line": format!("1 {} Lane", said.word("address")),
            "postcode": person.postcode,
        },
        "safe_contact": {
            "modes": ["phone", "email"],
            "number": safe_phone,
            "email": safe_email,
            "hours": format!("after {}", said.word("hours")),
            "who_may_answer": format!("only {}", said.word("who")),
            "code_word": said.word("code word"),
        },
        "note": format!("Ask for {}.", said.word("note")),
        "other_party": {
            "given_name": said.word("his given"), "family_name": said.word("his family"),
            "relation": "partner", "risks": ["strangled"],
        },
        "consent": {
            "decision": "permit", "how": "spoken", "other_party_present": "no",
            "language": said.tag("language"),
        },
        "your_reference": said.word("reference"),
    })
}

fn assessment(said: &mut Said) -> Value {
    let charity = CHARITIES[said.place % CHARITIES.len()].0;
    let safe_phone = said.keep(&format!("07700 900{:03}", 700 + said.place));
    json!({
        "identity": identity(said),
        "instrument": "safelives_dash_24",
        "instrument_version": "2015",
        "items": [{ "code": "q1", "answer": "yes" }],
        "grade": "high",
        "basis": "professional_judgement",
        "judgement_reasons": [said.word("reason")],
        "assessed_at": "2026-11-20T09:00:00Z",
        "adjustments": [said.word("adjustment")],
        "do_not_tell": [said.word("do not tell")],
        "safe_person": said.word("safe person"),
        "safe_person_phone": safe_phone,
        "consents": [{
            "decision": "permit", "how": "spoken", "other_party_present": "no",
            "opens": "share", "depth": "answers", "recipients": { "organisations": [charity] },
        }],
    })
}

/// All the ways in which a text might lie about.
pub fn forms(text: &str) -> Vec<Vec<u8>> {
    let mut spellings = vec![
        text.to_owned(),
        text.to_lowercase(),
        text.to_uppercase(),
        text.replace(' ', ""),
        text.replace([' ', '-'], ""),
    ];
    spellings.sort();
    spellings.dedup();
    spellings.retain(|spelling| spelling.len() >= BYTES_MIN);
    let mut forms = Vec::new();
    for spelling in spellings {
        let bytes = spelling.as_bytes();
        let utf16: Vec<u16> = spelling.encode_utf16().collect();
        forms.push(bytes.to_vec());
        forms.push(utf16.iter().flat_map(|unit| unit.to_le_bytes()).collect());
        forms.push(utf16.iter().flat_map(|unit| unit.to_be_bytes()).collect());
        encodings(bytes, &mut forms);
        let digest = Sha256::digest(bytes);
        forms.push(digest.to_vec());
        encodings(&digest, &mut forms);
    }
    forms
}

/// Hex, and base64 wherever in a longer text the bytes may begin.
fn encodings(bytes: &[u8], forms: &mut Vec<Vec<u8>>) {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    forms.push(hex.to_uppercase().into_bytes());
    forms.push(hex.into_bytes());
    for before in 0..3 {
        let mut padded = vec![0; before];
        padded.extend(bytes);
        // A letter that shares bits with a neighbour is not ours to know.
        let from = (before * 8).div_ceil(6);
        let to = padded.len() * 8 / 6;
        for text in [
            BASE64_STANDARD.encode(&padded),
            BASE64_URL_SAFE.encode(&padded),
        ] {
            forms.push(text.as_bytes()[from..to].to_vec());
        }
    }
}

pub fn files(at: &Path) -> Vec<PathBuf> {
    if at.is_file() {
        return vec![at.to_owned()];
    }
    let entries = fs::read_dir(at).unwrap();
    entries
        .flat_map(|entry| files(&entry.unwrap().path()))
        .collect()
}

#[test]
fn the_search_finds_every_form() {
    let text = "qabcdefgh ijk";
    let forms = forms(text);
    let searched = AhoCorasick::new(&forms).unwrap();
    let hash = Sha256::digest(text);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let wide: Vec<u8> = text.bytes().flat_map(|byte| [byte, 0]).collect();
    for hay in [
        b"xx qabcdefgh ijk xx".to_vec(),
        b"xx QABCDEFGH IJK xx".to_vec(),
        [b"x".to_vec(), hash.to_vec()].concat(),
        hex.into_bytes(),
        wide,
        BASE64_STANDARD.encode(format!("a{text}b")).into_bytes(),
        BASE64_STANDARD.encode(format!("ab{text}bc")).into_bytes(),
        BASE64_URL_SAFE.encode(hash).into_bytes(),
    ] {
        assert!(searched.is_match(&hay), "{}", String::from_utf8_lossy(&hay));
    }
    assert!(!searched.is_match(b"something else"));
}
