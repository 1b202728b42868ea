//! What was proved of a policy set, by which solver: the content of `proof.json`.
//!
//! A proof is made by `firedoor-prove` and stands beside the policies. It is a record, not a
//! signature: two people approve a set together with its proof, and anyone can prove the set again
//! and compare. Never read as true of another set, or for other properties than this program's.

use std::collections::BTreeMap;
use std::fmt::Write;

use cedar_policy::PolicySet;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::load::{BadPolicies, Unproved};

/// The properties, as they were built into this program (name, text). A set cannot bring its own.
const PROPERTIES: [(&str, &str); 2] = [
    (
        NEVER,
        include_str!("../../../policies/properties/never.cedar"),
    ),
    (
        POSSIBLE,
        include_str!("../../../policies/properties/possible.cedar"),
    ),
];
const NEVER: &str = "never.cedar";
const POSSIBLE: &str = "possible.cedar";

/// Longest `proof.json`, in bytes.
pub const PROOF_BYTES_MAX: usize = 64 * 1024;
/// Longest id, file name or solver version in it, in bytes.
const WORD_BYTES_MAX: usize = 120;

/// What must never be allowed, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Never {
    /// The `@id` in `never.cedar`.
    pub id: String,
    /// No request that the set allows is of this kind.
    pub shipped: bool,
    /// Nor would one be if every permit were replaced by one that permits everything.
    pub any_permits: bool,
    /// Nor if, besides, only the firewall's file were left; for the properties marked `@firewall`.
    pub firewall_alone: Option<bool>,
}

/// What must stay possible, and whether it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Possible {
    /// The `@id` in `possible.cedar`.
    pub id: String,
    pub possible: bool,
}

/// What a solver found out about one set. Plain facts: whether they are enough for a set to be
/// used is for [`Unproved::proved`] to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// `set_hash` of the set.
    pub set: [u8; 32],
    /// SHA-256 of each file of the set, its schema too.
    pub files: BTreeMap<String, [u8; 32]>,
    /// SHA-256 of each file of properties.
    pub properties: BTreeMap<String, [u8; 32]>,
    /// No policy and no property can fail on a well-formed request.
    pub never_errors: bool,
    /// Every policy matters to some request.
    pub no_dead_policy: bool,
    pub never: Vec<Never>,
    pub possible: Vec<Possible>,
    /// Name and version, for whoever proves it again.
    pub solver: String,
}

/// Why a text is no proof. For the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a proof as `firedoor policy prove --write` writes it: {0}")]
pub struct BadProof(&'static str);

impl Proof {
    /// Reads a proof. Strict: only the very bytes that [`Proof::to_text`] writes are read, so that
    /// one proof has one hash, and nothing stands in it that nobody looks at.
    ///
    /// # Errors
    /// [`BadProof`], on anything else.
    pub fn parse(text: &str) -> Result<Self, BadProof> {
        if text.len() > PROOF_BYTES_MAX {
            return Err(BadProof("longer than 64 KiB"));
        }
        let value: Value = serde_json::from_str(text).map_err(|_| BadProof("not JSON"))?;
        let proof = read(&value).ok_or(BadProof("a field is missing or is of another kind"))?;
        if proof.to_text() == text {
            Ok(proof)
        } else {
            Err(BadProof("something is added, left out or moved"))
        }
    }

    /// The text of `proof.json`, always the same for the same facts.
    pub fn to_text(&self) -> String {
        let mut text = String::from("{\n");
        let hashes = |text: &mut String, name: &str, all: &BTreeMap<String, [u8; 32]>| {
            let lines: Vec<String> = all
                .iter()
                .map(|(file, hash)| format!("    \"{file}\": \"{}\"", hex(hash)))
                .collect();
            let _ = writeln!(text, "  \"{name}\": {{\n{}\n  }},", lines.join(",\n"));
        };
        let _ = writeln!(text, "  \"set\": \"{}\",", hex(&self.set));
        hashes(&mut text, "files", &self.files);
        hashes(&mut text, "properties", &self.properties);
        let _ = writeln!(text, "  \"never_errors\": {},", self.never_errors);
        let _ = writeln!(text, "  \"no_dead_policy\": {},", self.no_dead_policy);
        let never: Vec<String> = self.never.iter().map(never_line).collect();
        let _ = writeln!(text, "  \"never\": [\n{}\n  ],", never.join(",\n"));
        let possible: Vec<String> = self
            .possible
            .iter()
            .map(|one| {
                format!(
                    "    {{\"id\": \"{}\", \"possible\": {}}}",
                    one.id, one.possible
                )
            })
            .collect();
        let _ = writeln!(text, "  \"possible\": [\n{}\n  ],", possible.join(",\n"));
        let _ = writeln!(text, "  \"solver\": \"{}\"\n}}", self.solver);
        text
    }

    /// SHA-256 of its text.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.to_text().as_bytes()).into()
    }

    /// Whether two proofs say the same, whichever solver each was made with.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let solver = String::new();
        let without = |proof: &Self| Self {
            solver: solver.clone(),
            ..proof.clone()
        };
        without(self) == without(other)
    }

    /// Everything for which this proof is not enough to use `set`, each as a sentence.
    pub(super) fn lacks(&self, set: &Unproved) -> Result<(), BadPolicies> {
        let mut problems = Vec::new();
        if self.set != set.hash() || self.files != file_hashes(set) {
            problems.push("proof.json is of other policies than these".to_owned());
        }
        if self.properties != property_hashes() {
            problems.push("proof.json is of other properties than this program's".to_owned());
        }
        let (never, possible) = property_ids()?;
        if !self.never.iter().map(|one| &one.id).eq(&never)
            || !self.possible.iter().map(|one| &one.id).eq(&possible)
        {
            problems.push("proof.json lists other properties than this program's".to_owned());
        }
        if !self.never_errors {
            problems.push("a policy may fail on a request".to_owned());
        }
        if !self.no_dead_policy {
            problems.push("a policy decides nothing".to_owned());
        }
        problems.extend(
            self.never
                .iter()
                .filter(|one| !one.holds())
                .map(|one| format!("`{}` is not proved", one.id)),
        );
        problems.extend(
            self.possible
                .iter()
                .filter(|one| !one.possible)
                .map(|one| format!("`{}` is not possible any more", one.id)),
        );
        if problems.is_empty() {
            return Ok(());
        }
        problems.push("prove them: firedoor policy prove DIR --write".to_owned());
        Err(BadPolicies { problems })
    }
}

impl Never {
    pub fn holds(&self) -> bool {
        self.shipped && self.any_permits && self.firewall_alone != Some(false)
    }
}

/// The texts of the properties, (name, text): `never.cedar`, then `possible.cedar`.
pub const fn property_files() -> [(&'static str, &'static str); 2] {
    PROPERTIES
}

/// SHA-256 of each file of properties built into this program.
pub fn property_hashes() -> BTreeMap<String, [u8; 32]> {
    PROPERTIES
        .iter()
        .map(|(name, text)| ((*name).to_owned(), Sha256::digest(text).into()))
        .collect()
}

/// SHA-256 of each file of a set.
pub fn file_hashes(set: &Unproved) -> BTreeMap<String, [u8; 32]> {
    set.files()
        .iter()
        .map(|(name, text)| (name.clone(), Sha256::digest(text).into()))
        .collect()
}

/// The `@id`s of both files, each sorted.
fn property_ids() -> Result<(Vec<String>, Vec<String>), BadPolicies> {
    let mut all = PROPERTIES.iter().map(|(name, text)| {
        let set: PolicySet = text
            .parse()
            .map_err(|error| BadPolicies::one(format!("{name}: {error}")))?;
        let mut ids: Vec<String> = set
            .policies()
            .filter_map(|policy| policy.annotation("id").map(str::to_owned))
            .collect();
        ids.sort();
        Ok(ids)
    });
    let mut next = || all.next().unwrap_or(Ok(Vec::new()));
    Ok((next()?, next()?))
}

fn never_line(one: &Never) -> String {
    let alone = one
        .firewall_alone
        .map_or(String::new(), |yes| format!(", \"firewall_alone\": {yes}"));
    format!(
        "    {{\"id\": \"{}\", \"shipped\": {}, \"any_permits\": {}{alone}}}",
        one.id, one.shipped, one.any_permits
    )
}

fn read(value: &Value) -> Option<Proof> {
    let list = |name: &str| value.get(name)?.as_array();
    let hashes = |name: &str| -> Option<BTreeMap<String, [u8; 32]>> {
        value
            .get(name)?
            .as_object()?
            .iter()
            .map(|(file, hash)| Some((word(file)?, unhex(hash.as_str()?)?)))
            .collect()
    };
    Some(Proof {
        set: unhex(value.get("set")?.as_str()?)?,
        files: hashes("files")?,
        properties: hashes("properties")?,
        never_errors: value.get("never_errors")?.as_bool()?,
        no_dead_policy: value.get("no_dead_policy")?.as_bool()?,
        never: list("never")?
            .iter()
            .map(|one| {
                Some(Never {
                    id: word(one.get("id")?.as_str()?)?,
                    shipped: one.get("shipped")?.as_bool()?,
                    any_permits: one.get("any_permits")?.as_bool()?,
                    firewall_alone: match one.get("firewall_alone") {
                        Some(alone) => Some(alone.as_bool()?),
                        None => None,
                    },
                })
            })
            .collect::<Option<_>>()?,
        possible: list("possible")?
            .iter()
            .map(|one| {
                Some(Possible {
                    id: word(one.get("id")?.as_str()?)?,
                    possible: one.get("possible")?.as_bool()?,
                })
            })
            .collect::<Option<_>>()?,
        solver: word(value.get("solver")?.as_str()?)?,
    })
}

/// A name that stands in JSON as it is.
fn word(text: &str) -> Option<String> {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b' ');
    (text.len() <= WORD_BYTES_MAX && text.bytes().all(plain)).then(|| text.to_owned())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::Policies;

    fn shipped() -> (Unproved, Proof) {
        let policies = Policies::shipped().unwrap();
        let proof = policies.proof().clone();
        let (schema, files) = Policies::shipped_files();
        (Unproved::load(schema, files).unwrap(), proof)
    }

    #[test]
    fn a_proof_is_read_as_it_was_written_and_in_no_other_form() {
        let (_, proof) = shipped();
        let text = proof.to_text();
        assert_eq!(Proof::parse(&text).unwrap(), proof);
        for changed in [
            text.replacen("{\n", "{\n  \"note\": \"\",\n", 1),
            text.replacen("\"solver\"", "\"solver\": \"z3\",\n  \"solver\"", 1),
            text.replacen("\"never_errors\": true,\n", "", 1),
            text.replacen("  \"set\"", " \"set\"", 1),
            text.replacen("\"solver\": \"", "\"solver\": \"\\n", 1),
            format!("{text} "),
            " ".repeat(PROOF_BYTES_MAX + 1),
            String::new(),
        ] {
            assert_ne!(changed, text);
            assert!(Proof::parse(&changed).is_err(), "{changed}");
        }
    }

    #[test]
    fn a_set_is_used_only_with_the_whole_proof_of_itself_and_of_these_properties() {
        type Change = fn(&mut Proof);
        let changes: &[Change] = &[
            |proof| proof.set[0] ^= 1,
            |proof| proof.files.clear(),
            |proof| proof.properties.values_mut().for_each(|hash| hash[0] ^= 1),
            |proof| proof.never_errors = false,
            |proof| proof.no_dead_policy = false,
            |proof| proof.never[0].shipped = false,
            |proof| proof.never[0].any_permits = false,
            |proof| proof.never[0].firewall_alone = Some(false),
            |proof| proof.possible[0].possible = false,
            |proof| proof.never.truncate(1),
            |proof| proof.possible.clear(),
            |proof| proof.never[0].id.push('x'),
        ];
        for change in changes {
            let (set, mut proof) = shipped();
            change(&mut proof);
            let refused = set.proved(proof).err().unwrap().to_string();
            assert!(refused.contains("policy prove"), "{refused}");
        }
        let (set, mut proof) = shipped();
        proof.solver = "cvc5 1.3.1".to_owned();
        assert!(proof.says_the_same(shipped().0.proved(shipped().1).unwrap().proof()));
        assert!(set.proved(proof).is_ok());
    }
}
