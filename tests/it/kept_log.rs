//! Small logs as agencies keep copies of them, with their keys: what the verifiers are tried on.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "fixtures: a failure here is a failed test"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::prelude::{BASE64_STANDARD, Engine};
use ed25519_dalek::{Signer, SigningKey};
use firedoor::domain::checkpoint::LogKey;
use firedoor::domain::id::{Id, OrgId, TeamId};
use firedoor::domain::leaf::{Leaf, LeafClass, LeafDraft};
use firedoor::domain::merkle::Tree;
use firedoor::domain::opening::{Account, Decided, Opening, Outcome, Part, What, Who, Why};
use firedoor::domain::receipt::{Proof, Receipt};
use firedoor::domain::tiles::export;
use firedoor::domain::time::When;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub const ENTRIES: usize = 300;
pub const RECORD: usize = 258;
pub const START: i64 = 1_775_160_600_000;

pub fn account() -> Account {
    Account {
        who: Who {
            organisation: OrgId::parse("met-police").unwrap(),
            team: TeamId::parse("hackney").unwrap(),
            user: "4417".to_owned(),
            role: "officer".to_owned(),
            certificate: [1; 32],
            asserted: true,
        },
        why: Why {
            purpose: "support_now".to_owned(),
            reason: None,
            case: None,
        },
        what: What {
            action: "assessment.query".to_owned(),
            object: Some(Id::from_bytes([2; 16])),
            asked: vec!["RK".to_owned()],
        },
        decided: Decided {
            outcome: Outcome::Empty,
            told: "nothing-to-show".to_owned(),
            rule: "F8".to_owned(),
            policy: [3; 32],
            subject: Some([4; 16]),
            object: None,
            consents: vec![],
            basis: None,
            relationship: None,
            firewall: None,
            disclosed: vec![],
            concerned: vec![],
            sources: 0,
            notes: vec![],
        },
    }
}

pub fn request(index: usize) -> String {
    format!("{{\"n\":{index}}}")
}

pub fn entry_at(index: usize, millis: i64) -> (Leaf, Opening) {
    let random = |label: &'static str| Sha256::digest(format!("{label} {index}")).into();
    let (draft, opening) = LeafDraft::new(
        When::from_millis(millis),
        LeafClass::Attempt,
        account(),
        request(index).as_bytes(),
        random,
    )
    .unwrap();
    let draft = if index % 100 == 50 {
        draft.linked(index as u64 - 1).unwrap()
    } else {
        draft
    };
    (
        draft.with_sealed(&Sha256::digest(opening.to_bytes()).into()),
        opening,
    )
}

pub fn entry(index: usize) -> (Leaf, Opening) {
    entry_at(index, START + index as i64 * 4_000)
}

pub fn leaves(count: usize) -> Vec<Leaf> {
    (0..count).map(|index| entry(index).0).collect()
}

pub fn tree(leaves: &[Leaf]) -> Tree {
    let mut tree = Tree::new();
    for leaf in leaves {
        tree.append(leaf);
    }
    tree
}

pub fn key() -> LogKey {
    LogKey::from_seed("firedoor.example/log", &[7; 32]).unwrap()
}

pub fn head(leaves: &[Leaf]) -> String {
    key().sign(leaves.len() as u64, &tree(leaves).root())
}

/// A folder with a key file and a copy of a log.
pub struct Place(TempDir);

impl Place {
    pub fn new(leaves: &[Leaf]) -> Self {
        let place = Self(TempDir::new().unwrap());
        let vkey = key().verifier().vkey();
        fs::write(
            place.path("key"),
            format!("# the borough's gateway\n{vkey}\n"),
        )
        .unwrap();
        for (path, bytes) in export(leaves, &head(leaves)) {
            let path = place.log().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn log(&self) -> PathBuf {
        self.path("log")
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    pub fn change(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let path = self.log().join(path);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(path, bytes).unwrap();
    }

    /// Keeps a cosigned head in the copy, as the gateway does.
    pub fn keep(&self, size: usize, note: impl AsRef<[u8]>) {
        fs::create_dir_all(self.log().join("witnessed")).unwrap();
        fs::write(self.log().join(format!("witnessed/{size}")), note).unwrap();
    }

    /// Runs the program with the witnesses' keys; all that it says.
    pub fn witnessed(&self, args: &[&Path]) -> (i32, String) {
        let policy = self.write("policy", policy());
        program(&[args, &[Path::new("--witnesses"), &policy]].concat())
    }

    pub fn verify(&self) -> (i32, String) {
        let (status, text) = run(&[Path::new("log"), &self.log()], &self.path("key"));
        (status, first_line(&text))
    }

    pub fn verify_receipt(&self, text: &str) -> (i32, String) {
        let file = self.write("receipt", text);
        let (status, text) = run(&[Path::new("receipt"), &file], &self.path("key"));
        (status, first_line(&text))
    }

    pub fn consistency(&self, old: &str, new: &str) -> (i32, String) {
        let (old, new) = (self.write("old", old), self.write("new", new));
        let args = [
            Path::new("consistency"),
            &old,
            &new,
            Path::new("--log"),
            &self.log(),
        ];
        let (status, text) = run(&args, &self.path("key"));
        (status, first_line(&text))
    }
}

pub fn run(args: &[&Path], key: &Path) -> (i32, String) {
    program(&[args, &[Path::new("--key"), key]].concat())
}

pub fn program(args: &[&Path]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedoor-verify"));
    let out = command.args(args).output().unwrap();
    (
        out.status.code().unwrap(),
        String::from_utf8(out.stdout).unwrap(),
    )
}

pub fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

pub fn flip(bytes: &mut [u8], at: usize) {
    bytes[at] ^= 1;
}

pub fn receipt(index: usize) -> Receipt {
    let leaves = leaves(ENTRIES);
    let (leaf, opening) = entry(index);
    Receipt {
        leaf,
        proof: Proof {
            index: index as u64,
            path: tree(&leaves)
                .inclusion(index as u64, ENTRIES as u64)
                .unwrap(),
            checkpoint: head(&leaves),
        },
        request_salt: Some(opening.request_salt),
        opened: [Part::Who, Part::Why, Part::What]
            .map(|part| opening.open(part))
            .into(),
    }
}

/// A witness as C2SP tlog-cosignature says, made without the gateway's code.
pub struct Witness {
    pub name: &'static str,
    key: SigningKey,
}

impl Witness {
    pub fn new(name: &'static str) -> Self {
        let seed: [u8; 32] = Sha256::digest(name).into();
        let key = SigningKey::from_bytes(&seed);
        Self { name, key }
    }

    fn public(&self) -> Vec<u8> {
        [&[4], &self.key.verifying_key().to_bytes()[..]].concat()
    }

    fn id(&self) -> [u8; 4] {
        let text = [self.name.as_bytes(), b"\n", &self.public()].concat();
        let hash: [u8; 32] = Sha256::digest(text).into();
        hash[..4].try_into().unwrap()
    }

    pub fn vkey(&self) -> String {
        let id = u32::from_be_bytes(self.id());
        let key = BASE64_STANDARD.encode(self.public());
        format!("{}+{id:08x}+{key}", self.name)
    }

    /// One signature line under the text of a signed note.
    pub fn cosign(&self, note: &str, at: When) -> String {
        let (text, _) = note.split_once("\n\n").unwrap();
        let seconds = at.millis() as u64 / 1000;
        let signed = format!("cosignature/v1\ntime {seconds}\n{text}\n");
        let signature = self.key.sign(signed.as_bytes()).to_bytes();
        let value = [&self.id()[..], &seconds.to_be_bytes(), &signature].concat();
        let value = BASE64_STANDARD.encode(value);
        format!("\u{2014} {} {value}\n", self.name)
    }
}

/// Three witnesses, of which the police's and any one charity's must have seen a head.
pub fn witnesses() -> [Witness; 3] {
    ["police.example/w", "refuge.example/w", "galop.example/w"].map(Witness::new)
}

pub fn policy() -> String {
    let [police, refuge, galop] = witnesses().map(|witness| witness.vkey());
    let log = key().verifier().vkey();
    format!(
        "# who watches the log\nlog {log}\nwitness police {police}\nwitness refuge {refuge}\n\
         witness galop {galop} https://galop.example\ngroup voluntary any refuge galop\n\
         group both all police voluntary\nquorum both\n"
    )
}

/// A head that all three saw at the same moment.
pub fn cosigned(note: &str, at: When) -> String {
    let lines = witnesses().map(|witness| witness.cosign(note, at));
    note.to_owned() + &lines.concat()
}

/// When entry `index` of [`entry`] was made, and a bit.
pub fn after(index: usize) -> When {
    When::from_millis(START + index as i64 * 4_000 + 1_000)
}
