//! Evidence bundles, as a regulator gets them: what they prove, what is missing, what was changed.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "fixtures: a failure here is a failed test"
)]

use std::fs;
use std::path::{Path, PathBuf};

use firedoor::domain::leaf::{Leaf, LeafClass, LeafDraft};
use firedoor::domain::opening::{Opening, Part};
use firedoor::domain::policy::{Policies, set_hash};
use firedoor::domain::receipt::{Proof, Receipt};
use firedoor::domain::time::When;
use proptest::prelude::*;

use crate::kept_log::{
    ENTRIES, Place, START, account, after, cosigned, first_line, flip, head, leaves, run, tree,
};
use crate::tier::size;

const SHOWN: [usize; 3] = [41, 42, 299];

fn policy_files() -> Vec<(&'static str, &'static str)> {
    let (schema, files) = Policies::shipped_files();
    let mut files = files.to_vec();
    files.push(("schema.cedarschema", schema));
    files
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn policy_dir() -> String {
    format!("policy/{}", hex(&set_hash(&policy_files())))
}

/// An entry whose decision names the shipped policies.
fn entry(index: usize) -> (Leaf, Opening) {
    let mut account = account();
    account.decided.policy = set_hash(&policy_files());
    let made = LeafDraft::new(
        When::from_millis(START + index as i64 * 4_000),
        LeafClass::Attempt,
        account,
        b"{}",
        |label| [label.len() as u8; 32],
    );
    let (draft, opening) = made.unwrap();
    (draft.with_sealed(&[index as u8; 32]), opening)
}

fn all() -> Vec<Leaf> {
    let mut all = leaves(ENTRIES);
    for index in SHOWN {
        all[index] = entry(index).0;
    }
    all
}

fn receipt(index: usize, all: &[Leaf], note: &str) -> Receipt {
    let (leaf, opening) = entry(index);
    let path = tree(all).inclusion(index as u64, all.len() as u64);
    Receipt {
        leaf,
        proof: Proof {
            index: index as u64,
            path: path.unwrap(),
            checkpoint: note.to_owned(),
        },
        request_salt: None,
        opened: Part::ALL.map(|part| opening.open(part)).into(),
    }
}

/// A bundle of three records, and where it lies.
struct Bundle(Place);

impl Bundle {
    fn new(note: &str) -> Self {
        let bundle = Self(Place::new(&[]));
        bundle.put("README.txt", "what to do with this");
        bundle.put("checkpoint", note);
        for index in SHOWN {
            let text = receipt(index, &all(), note).to_text();
            bundle.put(&format!("entries/{index}.receipt"), &text);
        }
        for (name, text) in policy_files() {
            bundle.put(&format!("{}/{name}", policy_dir()), text);
        }
        bundle
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path("bundle").join(name)
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn all_said(&self) -> (i32, String) {
        let args = [Path::new("bundle"), &self.path("")];
        run(&args, &self.0.path("key"))
    }

    fn verify(&self) -> (i32, String) {
        let (status, text) = self.all_said();
        (status, first_line(&text))
    }

    fn witnessed(&self) -> (i32, String) {
        let (status, text) = self.0.witnessed(&[Path::new("bundle"), &self.path("")]);
        (status, first_line(&text))
    }
}

#[test]
fn a_bundle_is_proved_and_shown() {
    let bundle = Bundle::new(&head(&all()));
    bundle.put("entries/notes.txt", "");
    bundle.put("entries/041.receipt", "");
    bundle.put("photo.jpg", "");
    let (status, text) = bundle.all_said();
    assert_eq!(status, 0, "{text}");
    // The hash changes with every policy that is shipped.
    let text = text.replace(&policy_dir(), "policy/(hash)");
    insta::assert_snapshot!(text, @"
    All 3 records of this bundle are in the log and have not changed.
    Log: firedoor.example/log, 300 entries when signed
    Policies in force: policy/(hash)/, as a decision names them
    No outsider's clock was checked: give --witnesses
    Not part of the bundle: entries/041.receipt
    Not part of the bundle: entries/notes.txt
    Not part of the bundle: photo.jpg
    Entry 41, 2026-04-02T20:12:40.000Z
      Who: 4417 of met-police, team hackney, as officer (named by its system)
      Why: support_now
      What: assessment.query on 02081040G2081040G2081040G2 [RK]
      Decided: Empty, told 'nothing-to-show', by rule F8
      Disclosed: []
    Entry 42, 2026-04-02T20:12:40.000Z
      Who: 4417 of met-police, team hackney, as officer (named by its system)
      Why: support_now
      What: assessment.query on 02081040G2081040G2081040G2 [RK]
      Decided: Empty, told 'nothing-to-show', by rule F8
      Disclosed: []
    Entry 299, 2026-04-02T20:29:50.000Z
      Who: 4417 of met-police, team hackney, as officer (named by its system)
      Why: support_now
      What: assessment.query on 02081040G2081040G2081040G2 [RK]
      Decided: Empty, told 'nothing-to-show', by rule F8
      Disclosed: []
    ");

    // With the signatures of witnesses it also says by when.
    assert_eq!(bundle.witnessed().0, 2);
    insta::assert_snapshot!(bundle.witnessed().1, @"This bundle is incomplete: too few witnesses have signed the head of entry 41. What is there has not been changed.");
    let seen = Bundle::new(&cosigned(&head(&all()), after(ENTRIES)));
    assert_eq!(seen.witnessed().0, 0);
    insta::assert_snapshot!(seen.witnessed().1, @"All 3 records of this bundle existed by 2026-04-02 20:30:01 UTC and have not changed. Seen by police, refuge and galop.");
}

#[test]
fn what_a_bundle_lacks_is_said() {
    for (path, words) in [
        ("checkpoint", "checkpoint is not there"),
        ("entries", "entries/ holds no record"),
        (policy_dir().as_str(), "and a decision names it"),
    ] {
        let bundle = Bundle::new(&head(&all()));
        let path = bundle.path(path);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
        let (status, line) = bundle.verify();
        assert_eq!((status, line.contains(words)), (2, true), "{line}");
    }
    assert_eq!(Bundle(Place::new(&[])).verify().0, 3);
    let cut = Bundle::new(&head(&all()));
    let text = fs::read_to_string(cut.path("entries/42.receipt")).unwrap();
    let (half, _) = text.split_at(text.len() / 2);
    cut.put("entries/42.receipt", half);
    assert_eq!(cut.verify().0, 2);
}

#[test]
fn changed_evidence_is_found() {
    let changed = |change: &dyn Fn(&Bundle)| {
        let bundle = Bundle::new(&head(&all()));
        change(&bundle);
        bundle.verify()
    };
    // The rules as they were not.
    let policy = format!("{}/10-referral.cedar", policy_dir());
    for change in [
        &|bundle: &Bundle| bundle.put(&policy, "permit (principal, action, resource);") as (),
        &|bundle: &Bundle| fs::remove_file(bundle.path(&policy)).unwrap(),
        &|bundle: &Bundle| bundle.put(&format!("{}/15-more.cedar", policy_dir()), ""),
    ] as [&dyn Fn(&Bundle); 3]
    {
        let (status, line) = changed(change);
        assert_eq!(
            (status, line.contains("were in force")),
            (1, true),
            "{line}"
        );
    }
    // A record under another's name, or of another log of the same size.
    let (status, line) = changed(&|bundle| {
        let text = fs::read_to_string(bundle.path("entries/42.receipt")).unwrap();
        bundle.put("entries/43.receipt", &text);
    });
    assert_eq!(
        (status, line.contains("of entry 42, not of entry 43")),
        (1, true),
        "{line}"
    );
    let (status, line) = changed(&|bundle| {
        let mut other = all();
        other[7] = entry(8).0;
        let text = receipt(42, &other, &head(&other)).to_text();
        bundle.put("entries/42.receipt", &text);
    });
    assert_eq!(
        (status, line.contains("two different histories")),
        (1, true),
        "{line}"
    );
    // Another word in what was opened.
    let (status, line) = changed(&|bundle| {
        let mut receipt = receipt(42, &all(), &head(&all()));
        flip(&mut receipt.opened[0].bytes, 9);
        bundle.put("entries/42.receipt", &receipt.to_text());
    });
    assert_eq!((status, line.contains("under 'who'")), (1, true), "{line}");
}

#[test]
fn records_under_heads_of_their_own_claim_no_one_history() {
    let bundle = Bundle::new(&head(&all()));
    let older = &all()[..100];
    let text = receipt(42, older, &head(older)).to_text();
    bundle.put("entries/42.receipt", &text);
    let (status, text) = bundle.all_said();
    assert_eq!(status, 0);
    assert!(
        text.contains("1 other heads were signed for these records"),
        "{text}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(size(64, 10_000)))]

    #[test]
    fn no_flipped_byte_of_a_bundle_goes_unnoticed(
        file: prop::sample::Index, at: prop::sample::Index, bit in 0..8_u32,
    ) {
        let bundle = Bundle::new(&head(&all()));
        let mut paths = vec!["checkpoint".to_owned(), "entries/41.receipt".to_owned()];
        paths.extend(policy_files().iter().map(|(name, _)| format!("{}/{name}", policy_dir())));
        let path = bundle.path(&paths[file.index(paths.len())]);
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        fs::write(&path, bytes).unwrap();
        let (status, line) = bundle.verify();
        prop_assert!(status == 1 || status == 2, "{}: {line}", path.display());
    }
}
