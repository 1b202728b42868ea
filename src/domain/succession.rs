//! A log goes on under a new name after a loss: a statement that two people of two organisations sign.
//!
//! Whoever runs the gateway could otherwise lose what is inconvenient, call the log by another name
//! and go on. So the statement names the old head, which proves itself, and nobody may sign it but
//! people who are enrolled, of different organisations. The first entry under the new name tells of
//! it. Whether a signature is right is checked where certificates are known (`ops/pki`).

use super::checkpoint::{Checkpoint, LogVerifier};
use super::codes::Role;
use super::id::OrgId;
use super::known::Known;
use super::time::When;

/// The largest statement that is read, in bytes.
pub const STATEMENT_BYTES_MAX: usize = 64 * 1024;
const SIGNERS_MAX: usize = 16;

const TITLE: &str = "Firedoor: a log goes on under a new name\n\n\
    The log below has lost entries that it acknowledged, or was put back to an older copy. Two people\n\
    of two organisations agree that it goes on under the new name, from what is left of it.\n\n";
const NEW: &str = "new name: ";
const OLD: &str = "newest head under the old name:\n\n";
/// Begins each line of a signer: her public key and her signature over everything above the first.
pub const SIGNED: &str = "signed: ";

/// Why the log may not go on under a new name; for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSuccession {
    #[error(
        "the log was called {old} and is now to be called {new}: that takes a statement of two \
         people of two organisations. Make one with `firedoor log succeed`, have it signed by both, \
         and name it as log.succession; or put log.origin back"
    )]
    Missing { old: String, new: String },
    #[error("log.succession is not a statement that `firedoor log succeed` made: make it anew")]
    Form,
    #[error("signature {0} in log.succession is wrong: the text was changed, or the line damaged")]
    Signature(usize),
    #[error("log.succession names the new log {stated}, and log.origin is {own}: they must agree")]
    OtherName { stated: String, own: String },
    #[error(
        "the old head in log.succession is not signed by this gateway under the old name {0}: use \
         the newest checkpoint or receipt that anyone holds"
    )]
    OtherHead(String),
    #[error(
        "the old head in log.succession has {stated} entries, and one of {known} is known: make the \
         statement with that one (data_dir/evidence, or the table firedoor.evidence)"
    )]
    SmallerHead { stated: u64, known: u64 },
    #[error(
        "signature {0} in log.succession is of nobody who may sign: a person whose certificate is \
         enrolled and in force, as org_admin, ig_officer or operator_admin of an organisation that \
         is not suspended"
    )]
    Signer(usize),
    #[error(
        "log.succession is signed by people of {0} organisation(s): it takes two, so have a person \
         of another one sign it too (`firedoor log succeed` with her bundle)"
    )]
    TwoNeeded(usize),
}

/// A statement as it stands in its file; not yet worth anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What is signed.
    pub text: String,
    pub new: String,
    /// The note of the old head.
    pub old: String,
    /// Of each signer what follows [`SIGNED`].
    pub signed: Vec<String>,
}

impl Statement {
    /// A new one that nobody has signed.
    pub fn new(old: &str, new: &str) -> Self {
        Self {
            text: format!("{TITLE}{NEW}{new}\n{OLD}{old}"),
            new: new.to_owned(),
            old: old.to_owned(),
            signed: Vec::new(),
        }
    }

    /// # Errors
    /// [`NoSuccession::Form`].
    pub fn parse(file: &str) -> Result<Self, NoSuccession> {
        let parts = || {
            let end = file
                .find(&format!("\n{SIGNED}"))
                .map_or(file.len(), |at| at + 1);
            let (text, below) = file.split_at_checked(end)?;
            let rest = text.strip_prefix(TITLE)?.strip_prefix(NEW)?;
            let (new, rest) = rest.split_once('\n')?;
            let old = rest.strip_prefix(OLD)?;
            let lines = below.lines().map(|line| line.strip_prefix(SIGNED));
            let signed: Option<Vec<String>> = lines.map(|line| line.map(str::to_owned)).collect();
            Some(Self {
                text: text.to_owned(),
                new: new.to_owned(),
                old: old.to_owned(),
                signed: signed.filter(|lines| lines.len() <= SIGNERS_MAX)?,
            })
        };
        match file.len() <= STATEMENT_BYTES_MAX {
            true => parts().ok_or(NoSuccession::Form),
            false => Err(NoSuccession::Form),
        }
    }

    pub fn to_file(&self) -> String {
        let lines = self.signed.iter().map(|line| format!("{SIGNED}{line}\n"));
        format!("{}{}", self.text, lines.collect::<String>())
    }
}

/// A statement whose signatures are right, by the keys that made them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub statement: Statement,
    /// SHA-256 of each signer's public key (SubjectPublicKeyInfo).
    pub keys: Vec<[u8; 32]>,
}

/// What two people agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Succession {
    pub old: Checkpoint,
    pub signers: Vec<(OrgId, String)>,
}

/// What the gateway knows of its loss.
pub struct Lost<'a> {
    /// The log's key under its old name.
    pub old: &'a LogVerifier,
    /// Its name from now on.
    pub new: &'a str,
    /// The old log had at least so many entries, as somebody has shown.
    pub least: u64,
}

/// The person with this key, if she may sign.
pub fn signer(known: &Known, key: &[u8; 32], now: When) -> Option<(OrgId, String)> {
    let active = known.organisations.values().filter(|one| one.active(now));
    let mut found = active.filter_map(|organisation| {
        let certificate = organisation.certificate(key, now)?;
        let may = certificate
            .roles
            .iter()
            .any(|role| matches!(role, Role::OrgAdmin | Role::IgOfficer | Role::OperatorAdmin));
        let user = certificate.user.clone().filter(|_| may)?;
        Some((organisation.id.clone(), user))
    });
    let (organisation, name) = found.next()?;
    let user = known.users.get(&(organisation.clone(), name.clone()));
    let removed = user.is_some_and(|user| user.removed_at.is_some_and(|at| at <= now));
    (!removed).then_some((organisation, name))
}

/// Judges a statement whose signatures are right. `known` holds every organisation that is enrolled,
/// and the users who signed.
///
/// # Errors
/// [`NoSuccession`]: what is missing, and what to do.
pub fn judge(
    signed: &Signed,
    lost: &Lost<'_>,
    known: &Known,
    now: When,
) -> Result<Succession, NoSuccession> {
    let statement = &signed.statement;
    if statement.new != lost.new {
        let (stated, own) = (statement.new.clone(), lost.new.to_owned());
        return Err(NoSuccession::OtherName { stated, own });
    }
    let old = lost.old.verify(&statement.old);
    let old = old.map_err(|_| NoSuccession::OtherHead(lost.old.origin().to_owned()))?;
    if old.size < lost.least {
        let (stated, known) = (old.size, lost.least);
        return Err(NoSuccession::SmallerHead { stated, known });
    }
    let mut signers = Vec::new();
    for (place, key) in (1..).zip(&signed.keys) {
        let person = signer(known, key, now).ok_or(NoSuccession::Signer(place))?;
        if !signers.contains(&person) {
            signers.push(person);
        }
    }
    let mut organisations: Vec<&OrgId> = signers.iter().map(|(id, _)| id).collect();
    organisations.sort();
    organisations.dedup();
    match organisations.len() {
        found @ (0 | 1) => Err(NoSuccession::TwoNeeded(found)),
        _ => Ok(Succession { old, signers }),
    }
}

impl Succession {
    /// What the first entry under the new name says.
    pub fn notes(&self) -> Vec<String> {
        let root: String = self
            .old
            .root
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let mut notes = vec![
            format!("continues-log-{}", self.old.origin),
            format!("old-size-{}", self.old.size),
            format!("old-root-{root}"),
        ];
        let people = self.signers.iter().take(4);
        notes.extend(
            people
                .map(|(organisation, user)| format!("agreed-by-{}/{user}", organisation.as_str())),
        );
        notes
            .iter()
            .map(|note| note.chars().take(90).collect())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::checkpoint::LogKey;
    use crate::domain::journey::scene::{Scene, start};

    fn log() -> LogKey {
        LogKey::from_seed("gw.example/log", &[1; 32]).unwrap()
    }

    fn signed(keys: &[[u8; 32]]) -> Signed {
        Signed {
            statement: Statement::new(&log().sign(9, &[7; 32]), "gw.example/log-2"),
            keys: keys.to_vec(),
        }
    }

    fn judged(known: &Known, signed: &Signed, least: u64) -> Result<Succession, NoSuccession> {
        let log = log();
        let lost = Lost {
            old: log.verifier(),
            new: "gw.example/log-2",
            least,
        };
        judge(signed, &lost, known, start())
    }

    /// Key of a certificate of a person who holds a role.
    fn key(known: &Known, organisation: &str, role: Role) -> [u8; 32] {
        let id = OrgId::parse(organisation).unwrap();
        let mut certificates = known.organisations[&id].certificates.iter();
        let found = certificates.find(|one| one.user.is_some() && one.roles.contains(&role));
        found.unwrap().spki_sha256
    }

    #[test]
    fn a_statement_is_read_as_it_was_written_and_a_changed_one_is_none() {
        let mut statement = Statement::new(&log().sign(9, &[7; 32]), "gw.example/log-2");
        assert_eq!(Statement::parse(&statement.to_file()).unwrap(), statement);
        statement.signed = vec!["a b".to_owned(), "c d".to_owned()];
        let file = statement.to_file();
        assert_eq!(Statement::parse(&file).unwrap(), statement);
        for bad in [
            String::new(),
            file.replace("new name", "name"),
            file.replace("signed: c d", "c d"),
            file.clone() + "more\n",
            file.clone() + &"signed: a b\n".repeat(16),
        ] {
            assert_eq!(Statement::parse(&bad), Err(NoSuccession::Form), "{bad}");
        }
        insta::assert_snapshot!(file, @"
        Firedoor: a log goes on under a new name

        The log below has lost entries that it acknowledged, or was put back to an older copy. Two people
        of two organisations agree that it goes on under the new name, from what is left of it.

        new name: gw.example/log-2
        newest head under the old name:

        gw.example/log
        9
        BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=

        — gw.example/log 3BP1TB0Rpve8s1jDqspbfDMvseX+xubcNxxZkFozlKuWgKmnRRw1Uqd+EFbieRqWfMtwGV7rJK6RBsHldoz1Tx4/Bww=
        signed: a b
        signed: c d
        ");
    }

    #[test]
    fn it_takes_two_people_of_two_organisations_who_are_enrolled() {
        let mut scene = Scene::borough();
        let operator = key(&scene.known, "operator", Role::OperatorAdmin);
        let hospital = key(&scene.known, "hospital", Role::IgOfficer);
        let agreed = judged(&scene.known, &signed(&[operator, hospital]), 9).unwrap();
        insta::assert_snapshot!(agreed.notes().join("\n"), @"
        continues-log-gw.example/log
        old-size-9
        old-root-0707070707070707070707070707070707070707070707070707070707070707
        agreed-by-operator/op1
        agreed-by-hospital/ni1
        ");
        let refused =
            |known: &Known, keys: &[[u8; 32]]| judged(known, &signed(keys), 9).unwrap_err();
        for (keys, expected) in [
            (vec![], NoSuccession::TwoNeeded(0)),
            (vec![operator], NoSuccession::TwoNeeded(1)),
            (vec![operator, operator], NoSuccession::TwoNeeded(1)),
            (vec![operator, [9; 32]], NoSuccession::Signer(2)),
        ] {
            assert_eq!(refused(&scene.known, &keys), expected);
        }
        let id = OrgId::parse("hospital").unwrap();
        let suspended = scene.known.organisations.get_mut(&id).unwrap();
        suspended.suspended_at = Some(start());
        let found = refused(&scene.known, &[operator, hospital]);
        assert_eq!(found, NoSuccession::Signer(2));
    }

    #[test]
    fn it_names_the_newest_head_that_is_known_and_the_name_that_is_configured() {
        let scene = Scene::borough();
        let operator = key(&scene.known, "operator", Role::OperatorAdmin);
        let hospital = key(&scene.known, "hospital", Role::IgOfficer);
        let good = signed(&[operator, hospital]);
        let smaller = judged(&scene.known, &good, 10).unwrap_err();
        assert_eq!(
            smaller,
            NoSuccession::SmallerHead {
                stated: 9,
                known: 10
            }
        );
        let mut other = good.clone();
        other.statement.new = "gw.example/log-3".to_owned();
        let found = judged(&scene.known, &other, 9);
        assert!(matches!(found, Err(NoSuccession::OtherName { .. })));
        let strange = LogKey::from_seed("gw.example/log", &[2; 32]).unwrap();
        let mut other = good;
        other.statement.old = strange.sign(9, &[7; 32]);
        let found = judged(&scene.known, &other, 9);
        assert!(matches!(found, Err(NoSuccession::OtherHead(_))));
    }
}
