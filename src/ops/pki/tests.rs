//! What the authority issues is looked at with OpenSSL's own verifier, not with our reading of it.

use super::*;
use openssl::pkcs12::Pkcs12;
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{CrlStatus, X509Crl, X509StoreContext};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

const DOMAIN: &str = "firedoor.example";

fn now() -> When {
    When::parse("2026-04-02T21:10:00Z").unwrap()
}

fn system(uri: &str) -> Profile {
    Profile::System {
        name: SpiffeName::parse(uri, DOMAIN).unwrap(),
        trust_domain: DOMAIN.to_owned(),
    }
}

fn met() -> Profile {
    system("spiffe://firedoor.example/org/met/team/hackney")
}

fn authority() -> (TempDir, Ca) {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::create(&dir.path().join("ca"), "Borough clients", now(), 3_650).unwrap();
    (dir, ca)
}

fn verifies(ca: &Ca, pem: &str, at: When) -> bool {
    let mut store = X509StoreBuilder::new().unwrap();
    store.add_cert(ca.certificate.clone()).unwrap();
    let mut param = X509VerifyParam::new().unwrap();
    param.set_time(at.millis() / 1_000);
    param.set_flags(X509VerifyFlags::X509_STRICT).unwrap();
    store.set_param(&param).unwrap();
    let certificate = X509::from_pem(pem.as_bytes()).unwrap();
    X509StoreContext::new()
        .unwrap()
        .init(
            &store.build(),
            &certificate,
            &Stack::new().unwrap(),
            |context| context.verify_cert(),
        )
        .unwrap()
}

fn is_revoked(ca: &Ca, pem: &str) -> bool {
    let list = X509Crl::from_pem(&fs::read(ca.crl_path()).unwrap()).unwrap();
    assert!(list.verify(&ca.certificate.public_key().unwrap()).unwrap());
    let certificate = X509::from_pem(pem.as_bytes()).unwrap();
    matches!(list.get_by_cert(&certificate), CrlStatus::Revoked(_))
}

#[test]
fn a_certificate_verifies_in_its_time_and_carries_the_name_it_was_given() {
    let (_dir, ca) = authority();
    let (_, csr) = key_and_csr("anything at all").unwrap();
    let issued = ca.issue(csr.as_bytes(), &met(), now(), 90).unwrap();
    assert!(verifies(&ca, &issued.pem, now()));
    assert!(verifies(
        &ca,
        &issued.pem,
        now().plus_days(90).plus_millis(-1_000)
    ));
    assert!(!verifies(&ca, &issued.pem, now().plus_days(91)));
    assert_eq!(issued.not_after, now().plus_days(90));
    let certificate = X509::from_pem(issued.pem.as_bytes()).unwrap();
    let names = certificate.subject_alt_names().unwrap();
    let uris: Vec<_> = names.iter().filter_map(|name| name.uri()).collect();
    assert_eq!(uris, ["spiffe://firedoor.example/org/met/team/hackney"]);
    assert!(certificate.authority_key_id().is_some() && certificate.subject_key_id().is_some());
    assert!(!pem_text(certificate.to_text().unwrap()).contains("anything at all"));
    assert_eq!(issued.serial.to_string().len(), 32);
    assert_eq!(
        Serial::parse(&issued.serial.to_string()),
        Some(issued.serial)
    );
    let key = certificate
        .public_key()
        .unwrap()
        .public_key_to_der()
        .unwrap();
    assert_eq!(issued.spki_sha256, <[u8; 32]>::from(Sha256::digest(key)));
}

#[test]
fn a_new_authority_has_an_empty_list_and_a_key_for_its_owner_only() {
    let (_dir, ca) = authority();
    let list = X509Crl::from_pem(&fs::read(ca.crl_path()).unwrap()).unwrap();
    assert!(list.get_revoked().is_none() && list.next_update().is_some());
    let key = ca.certificate_path().with_file_name("ca.key");
    assert_eq!(
        fs::metadata(key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let again = Ca::create(ca.certificate_path().parent().unwrap(), "Other", now(), 1);
    assert!(matches!(again, Err(PkiError::Exists(_))));
}

#[test]
fn a_revoked_certificate_is_on_every_later_list() {
    let (_dir, ca) = authority();
    let (_, csr) = key_and_csr("met").unwrap();
    let issued = ca.issue(csr.as_bytes(), &met(), now(), 90).unwrap();
    assert!(!is_revoked(&ca, &issued.pem));
    ca.revoke(issued.serial, now()).unwrap();
    ca.revoke(issued.serial, now().plus_days(1)).unwrap();
    assert!(is_revoked(&ca, &issued.pem));
    let ca = Ca::open(ca.certificate_path().parent().unwrap()).unwrap();
    ca.crl(now().plus_days(2), 7).unwrap();
    assert!(is_revoked(&ca, &issued.pem));
    assert_eq!(ca.list().unwrap()[0].revoked, Some(now()));
    assert_eq!(ca.folder.ledger().unwrap().list_number, 4);
    let unknown = Serial::parse(&"4".repeat(32)).unwrap();
    assert!(matches!(
        ca.revoke(unknown, now()),
        Err(PkiError::UnknownSerial)
    ));
}

#[test]
fn a_key_stays_with_its_name_and_a_revoked_key_never_comes_back() {
    let (_dir, ca) = authority();
    let (_, csr) = key_and_csr("met").unwrap();
    let issued = ca.issue(csr.as_bytes(), &met(), now(), 90).unwrap();
    let renewed = ca
        .issue(csr.as_bytes(), &met(), now().plus_days(60), 90)
        .unwrap();
    assert_ne!(renewed.serial, issued.serial);
    let other = system("spiffe://firedoor.example/org/refuge/team/intake");
    let stolen = ca.issue(csr.as_bytes(), &other, now(), 90);
    assert!(matches!(stolen, Err(PkiError::KeyTaken)));
    ca.revoke(issued.serial, now()).unwrap();
    let again = ca.issue(csr.as_bytes(), &met(), now(), 90);
    assert!(matches!(again, Err(PkiError::KeyTaken)));
}

#[test]
fn who_enforces_immigration_law_gets_no_certificate_by_any_field() {
    let (dir, ca) = authority();
    assert!(matches!(
        key_and_csr("H0me 0ffice"),
        Err(PkiError::ImmigrationEnforcement)
    ));
    let refused = Ca::create(&dir.path().join("x"), "UKVI", now(), 1);
    assert!(matches!(refused, Err(PkiError::ImmigrationEnforcement)));
    let (_, csr) = key_and_csr("met").unwrap();
    for uri in [
        "spiffe://firedoor.example/org/home-office/team/intake",
        "spiffe://firedoor.example/org/gov/team/border-force",
        "spiffe://firedoor.example/org/gov/team/immigration-enforcement",
    ] {
        let issued = ca.issue(csr.as_bytes(), &system(uri), now(), 90);
        assert!(
            matches!(issued, Err(PkiError::ImmigrationEnforcement)),
            "{uri}"
        );
    }
    let request = |subject: &[(Nid, &str)], san: Option<SubjectAlternativeName>| {
        let key = request::new_key().unwrap();
        let mut name = X509Name::builder().unwrap();
        for (nid, text) in subject {
            name.append_entry_by_nid(*nid, text).unwrap();
        }
        let mut builder = openssl::x509::X509Req::builder().unwrap();
        builder.set_subject_name(&name.build()).unwrap();
        builder.set_pubkey(&key).unwrap();
        if let Some(san) = san {
            let extension = san.build(&builder.x509v3_context(None)).unwrap();
            let mut extensions = Stack::new().unwrap();
            extensions.push(extension).unwrap();
            builder.add_extensions(&extensions).unwrap();
        }
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        builder.build().to_pem().unwrap()
    };
    let mut mail = SubjectAlternativeName::new();
    mail.email("someone@homeoffice.gov.uk");
    let mut host = SubjectAlternativeName::new();
    host.dns("gateway.ukvi.gov.uk");
    for csr in [
        request(&[(Nid::ORGANIZATIONNAME, "UK Visas & Immigration")], None),
        request(&[(Nid::ORGANIZATIONALUNITNAME, "Bоrder Fоrce")], None),
        request(
            &[
                (Nid::ORGANIZATIONNAME, "Home"),
                (Nid::ORGANIZATIONALUNITNAME, "Office"),
            ],
            None,
        ),
        request(&[(Nid::COMMONNAME, "fine")], Some(mail)),
        request(&[(Nid::COMMONNAME, "fine")], Some(host)),
    ] {
        let issued = ca.issue(&csr, &met(), now(), 90);
        assert!(matches!(issued, Err(PkiError::ImmigrationEnforcement)));
    }
    let fine = request(
        &[(Nid::ORGANIZATIONNAME, "Homestead Office Cleaning")],
        None,
    );
    assert!(ca.issue(&fine, &met(), now(), 90).is_ok());
}

#[test]
fn a_request_that_proves_nothing_or_is_weak_is_refused() {
    let (_dir, ca) = authority();
    let issue = |pem: &[u8]| ca.issue(pem, &met(), now(), 90);
    assert!(matches!(issue(b"nonsense"), Err(PkiError::Request(_))));
    let (_, csr) = key_and_csr("met").unwrap();
    let mut der = openssl::x509::X509Req::from_pem(csr.as_bytes())
        .unwrap()
        .to_der()
        .unwrap();
    let last = der.len() - 1;
    der[last] ^= 1;
    let forged = openssl::x509::X509Req::from_der(&der)
        .unwrap()
        .to_pem()
        .unwrap();
    assert!(matches!(issue(&forged), Err(PkiError::Request(_))));
    let weak = PKey::from_rsa(openssl::rsa::Rsa::generate(1_024).unwrap()).unwrap();
    let mut builder = openssl::x509::X509Req::builder().unwrap();
    builder.set_pubkey(&weak).unwrap();
    builder.sign(&weak, MessageDigest::sha256()).unwrap();
    assert!(matches!(
        issue(&builder.build().to_pem().unwrap()),
        Err(PkiError::Request(_))
    ));
}

#[test]
fn no_certificate_outlives_its_limit_or_its_authority() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::create(&dir.path().join("ca"), "Short", now(), 10).unwrap();
    let (_, csr) = key_and_csr("met").unwrap();
    let issued = ca.issue(csr.as_bytes(), &met(), now(), 90).unwrap();
    assert_eq!(issued.not_after, now().plus_days(10));
    let late = ca.issue(csr.as_bytes(), &met(), now().plus_days(11), 90);
    assert!(matches!(late, Err(PkiError::Days(_))));
    let long = ca.issue(csr.as_bytes(), &met(), now(), CERTIFICATE_DAYS_MAX + 1);
    assert!(matches!(long, Err(PkiError::Days(_))));
}

#[test]
fn both_forms_of_bundle_open_with_their_password_only() {
    let (_dir, ca) = authority();
    let (key, csr) = key_and_csr("met").unwrap();
    let issued = ca.issue(csr.as_bytes(), &met(), now(), 90).unwrap();
    let chain = ca.certificate_pem().unwrap();
    let password = "four invented words here";
    for form in [BundleForm::Modern, BundleForm::Legacy] {
        let make = |password| {
            pkcs12(
                issued.pem.as_bytes(),
                &key,
                &chain,
                "Firedoor: Hackney",
                password,
                form,
            )
        };
        let bundle = Pkcs12::from_der(&make(password).unwrap()).unwrap();
        let parsed = bundle.parse2(password).unwrap();
        let certificate = parsed.cert.unwrap();
        assert!(
            certificate
                .public_key()
                .unwrap()
                .public_eq(&parsed.pkey.unwrap())
        );
        assert_eq!(parsed.ca.unwrap().len(), 1);
        assert!(bundle.parse2("another password").is_err());
        assert!(matches!(make("short"), Err(PkiError::Password)));
        let (other, _) = key_and_csr("met").unwrap();
        let wrong = pkcs12(issued.pem.as_bytes(), &other, &chain, "x", password, form);
        assert!(matches!(wrong, Err(PkiError::Request(_))));
    }
}

#[test]
fn a_key_under_the_data_is_refused_however_the_path_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (data, keys) = (dir.path().join("data"), dir.path().join("keys"));
    fs::create_dir_all(data.join("deep")).unwrap();
    fs::create_dir_all(&keys).unwrap();
    std::os::unix::fs::symlink(&data, keys.join("link")).unwrap();
    for bad in [
        data.clone(),
        data.join("root.key"),
        data.join("deep/not-there-yet/root.key"),
        keys.join("../data/root.key"),
        keys.join("link/root.key"),
    ] {
        assert!(
            matches!(refuse_under(&data, &bad), Err(PkiError::KeyUnderData)),
            "{bad:?}"
        );
    }
    for good in [
        keys.join("root.key"),
        data.join("../keys/root.key"),
        dir.path().join("database"),
    ] {
        assert!(refuse_under(&data, &good).is_ok(), "{good:?}");
    }
    let absent = dir.path().join("later");
    let refused = refuse_under(&absent, &absent.join("root.key"));
    assert!(matches!(refused, Err(PkiError::KeyUnderData)));
}

#[test]
fn a_damaged_index_stops_everything_instead_of_forgetting_revocations() {
    let (_dir, ca) = authority();
    let index = ca.certificate_path().with_file_name("index.json");
    fs::write(&index, b"{\"list_number\": 9").unwrap();
    assert!(matches!(ca.crl(now(), 7), Err(PkiError::Damaged(_))));
    let dir = ca.certificate_path().parent().unwrap().to_owned();
    assert!(matches!(Ca::open(&dir), Err(PkiError::Damaged(_))));
}
