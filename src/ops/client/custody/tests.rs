//! What an organisation's own client opens, and what it never shows: a way to reach her that must not
//! be used any more.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::domain::attempt::Entropy;

const OLD: &str = "+447700900123";
const NEW: &str = "+447700900456";

/// A bundle with a key, and that key's public half.
fn bundle() -> (tempfile::TempDir, [u8; 32]) {
    let dir = tempfile::tempdir().unwrap();
    let public = keygen(dir.path()).unwrap();
    let public = unhex(&public).unwrap();
    (dir, *public)
}

fn said(body: Value) -> Said {
    Said {
        status: 200,
        bytes: body.to_string().into(),
        body,
        took: Duration::ZERO,
        date: None,
    }
}

/// As the gateway seals it to the organisation, under a name that it has for the referral.
fn sealed(public: &[u8; 32], name: u8, plain: &Value) -> Value {
    let referral = Id::from_bytes([name; 16]);
    let entropy = Entropy::new([name; 32]);
    let boxed = custody::reseal(public, referral, plain.to_string().as_bytes(), &entropy);
    json!({
        "sealed_as": referral.to_string(),
        "sealed_to_you": BASE64_STANDARD.encode(boxed.unwrap()),
    })
}

fn first(public: &[u8; 32]) -> Value {
    let plain = json!({ "given_name": "Amina", "safe_contact": { "number": OLD } });
    sealed(public, 1, &plain)
}

fn opened(dir: &tempfile::TempDir, released: Value) -> Said {
    let mut said = said(json!({ "result": "released", "released": released }));
    open(Some(&dir.path().to_owned()), &mut said).unwrap();
    said
}

#[test]
fn what_was_released_opens_in_its_place_and_in_the_bytes() {
    let (dir, public) = bundle();
    let said = opened(&dir, first(&public));
    assert_eq!(said.body["released"]["given_name"], "Amina");
    assert_eq!(said.body["released"]["safe_contact"]["number"], OLD);
    assert_eq!(said.body["result"], "released");
    let bytes: Value = serde_json::from_slice(&said.bytes).unwrap();
    assert_eq!(bytes, said.body);
}

#[test]
fn a_new_box_takes_the_place_of_the_old_contact_and_leaves_the_rest() {
    let (dir, public) = bundle();
    let mut released = first(&public);
    // Bound to another name: the referral has one in each epoch.
    released["safe_contact"] = sealed(&public, 2, &json!({ "number": NEW }));
    let said = opened(&dir, released);
    assert_eq!(said.body["released"]["given_name"], "Amina");
    assert_eq!(said.body["released"]["safe_contact"]["number"], NEW);
    assert!(!String::from_utf8_lossy(&said.bytes).contains(OLD));
}

#[test]
fn a_contact_that_was_stopped_is_not_shown_although_the_first_box_holds_it() {
    let (dir, public) = bundle();
    let mut released = first(&public);
    released["safe_contact_stopped"] = json!("Do not use the number that you have.");
    let said = opened(&dir, released);
    assert!(said.body["released"].get("safe_contact").is_none());
    assert!(said.body["released"]["safe_contact_stopped"].is_string());
    assert!(!String::from_utf8_lossy(&said.bytes).contains(OLD));
}

#[test]
fn a_new_box_that_does_not_open_shows_nothing_rather_than_the_old_contact() {
    let (dir, public) = bundle();
    let (other, others) = bundle();
    let new = json!({ "number": NEW });
    let mut moved = sealed(&public, 2, &new);
    moved["sealed_as"] = json!(Id::from_bytes([3; 16]).to_string());
    let mut short = sealed(&public, 2, &new);
    short["sealed_to_you"] = json!("AAAA");
    let mut odd = sealed(&public, 2, &new);
    odd["sealed_to_you"] = json!("not base64");
    for contact in [sealed(&others, 2, &new), moved, short, odd] {
        let mut released = first(&public);
        released["safe_contact"] = contact;
        let mut said = said(json!({ "released": released }));
        let fault = open(Some(&dir.path().to_owned()), &mut said).unwrap_err();
        assert!(matches!(fault, ClientFault::BoxClosed), "{fault}");
        assert!(!said.body.to_string().contains(OLD));
    }
    // Nor does another organisation's key open the first one.
    let mut said = said(json!({ "released": first(&public) }));
    let fault = open(Some(&other.path().to_owned()), &mut said).unwrap_err();
    assert!(matches!(fault, ClientFault::BoxClosed), "{fault}");
}

#[test]
fn without_a_key_it_says_so_and_what_is_not_sealed_needs_none() {
    let (_, public) = bundle();
    let empty = tempfile::tempdir().unwrap();
    let mut boxed = said(json!({ "released": first(&public) }));
    let fault = open(None, &mut boxed).unwrap_err();
    assert!(matches!(fault, ClientFault::NoCustodyKey), "{fault}");
    assert!(open(Some(&empty.path().to_owned()), &mut boxed).is_err());
    std::fs::write(empty.path().join(CUSTODY_KEY), "abcd").unwrap();
    let fault = open(Some(&empty.path().to_owned()), &mut boxed).unwrap_err();
    assert!(matches!(fault, ClientFault::NoCustodyKey), "{fault}");
    for plain in [
        json!({ "released": { "given_name": "Amina" } }),
        json!({ "result": "nothing-to-show" }),
    ] {
        let mut as_it_was = said(plain.clone());
        open(None, &mut as_it_was).unwrap();
        assert_eq!(as_it_was.body, plain);
    }
}

#[test]
fn a_key_is_made_once_and_is_read_by_nobody_else() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, public) = bundle();
    let again = keygen(dir.path()).unwrap_err();
    assert!(matches!(again, ClientFault::CustodyKeyExists(_)), "{again}");
    let path = dir.path().join(CUSTODY_KEY);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let kept = std::fs::read_to_string(path).unwrap();
    let private = unhex(kept.trim()).unwrap();
    assert_eq!(custody::public_key(&private), Ok(public));
    for bad in ["", "00", &"zz".repeat(32), &"é".repeat(32)] {
        assert!(unhex(bad).is_none(), "{bad}");
    }
}
