//! Loads and checks the policy files. A set that is not right in every point does not load; there
//! is no way to load part of one. Reads no file: names and texts come in.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{
    Authorizer, Effect, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator,
};
use sha2::{Digest, Sha256};

use super::Ask;
use super::cedar::{self, CannotAsk, Names, Verdict};
use super::denial::plain;
use super::proof::Proof;
use super::vocabulary::{check_lists, full_ask};
use crate::domain::codes::{Action, Purpose};

/// The name under which the schema is told of, and hashed.
pub const SCHEMA_NAME: &str = "schema.cedarschema";
/// Most policy files in one set.
pub const FILES_MAX: usize = 64;
/// Most validation problems told of one policy.
const PROBLEMS_A_POLICY_MAX: usize = 3;
/// Longest policy file or schema, in bytes.
pub const FILE_BYTES_MAX: usize = 256 * 1024;

/// The name of a set's proof, beside its policies.
pub const PROOF_NAME: &str = "proof.json";

const SHIPPED_PROOF: &str = include_str!("../../../policies/proof.json");
const SHIPPED_SCHEMA: &str = include_str!("../../../policies/schema.cedarschema");
const SHIPPED: &[(&str, &str)] = &[
    (
        "10-referral.cedar",
        include_str!("../../../policies/10-referral.cedar"),
    ),
    (
        "20-consent.cedar",
        include_str!("../../../policies/20-consent.cedar"),
    ),
    (
        "30-assessment.cedar",
        include_str!("../../../policies/30-assessment.cedar"),
    ),
    (
        "35-sealed.cedar",
        include_str!("../../../policies/35-sealed.cedar"),
    ),
    (
        "40-emergency.cedar",
        include_str!("../../../policies/40-emergency.cedar"),
    ),
    (
        "50-audit.cedar",
        include_str!("../../../policies/50-audit.cedar"),
    ),
    (
        "55-subject-access.cedar",
        include_str!("../../../policies/55-subject-access.cedar"),
    ),
    (
        "60-governance.cedar",
        include_str!("../../../policies/60-governance.cedar"),
    ),
    (
        "70-guards.cedar",
        include_str!("../../../policies/70-guards.cedar"),
    ),
    (
        "90-firewall.cedar",
        include_str!("../../../policies/90-firewall.cedar"),
    ),
];

/// Why a policy set does not load: every problem found, one a line, naming file and policy. For
/// the operator, who must fix the files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the policies do not load:\n{}", problems.join("\n"))]
pub struct BadPolicies {
    pub problems: Vec<String>,
}

impl BadPolicies {
    pub(super) fn one(problem: impl Into<String>) -> Self {
        Self {
            problems: vec![problem.into()],
        }
    }
}

/// A validated policy set of which nothing was proved: enough for the prover, never for a gateway,
/// which takes [`Policies`] alone.
pub struct Unproved {
    schema: Schema,
    set: PolicySet,
    /// Permits, and the forbids that say `@about("caller")`: asked to word a refusal, never to
    /// decide.
    caller_set: PolicySet,
    names: Names,
    authorizer: Authorizer,
    hash: [u8; 32],
    /// Names and texts, the schema too, in order of name.
    files: Vec<(String, String)>,
}

/// A validated policy set with its proof. Immutable; to change it, load another and swap.
pub struct Policies {
    set: Unproved,
    proof: Proof,
}

impl Unproved {
    /// Loads a set from its schema and its files (name, text), in any order.
    ///
    /// # Errors
    /// [`BadPolicies`] if anything does not parse or validate strictly, warns, repeats an `@id`,
    /// lacks `@id` or `@says`, is a template, permits in the firewall file, fails on a plain
    /// request, or if the schema's closed lists are not exactly those of the program.
    pub fn load(schema: &str, files: &[(&str, &str)]) -> Result<Self, BadPolicies> {
        check_sizes(schema, files)?;
        let (parsed, warnings) = Schema::from_cedarschema_str(schema)
            .map_err(|error| BadPolicies::one(format!("{SCHEMA_NAME}: {error}")))?;
        let mut problems: Vec<String> = warnings
            .map(|warning| format!("{SCHEMA_NAME}: {warning}"))
            .collect();
        problems.extend(check_lists(schema, &parsed));

        let mut gathered: BTreeMap<String, (&str, Policy)> = BTreeMap::new();
        for (name, text) in files {
            gather(name, text, &mut gathered, &mut problems);
        }
        if !files.iter().any(|(name, _)| is_firewall(name)) {
            problems.push("no file has `firewall` in its name".to_owned());
        }
        let set = PolicySet::from_policies(gathered.values().map(|(_, policy)| policy.clone()))
            .map_err(|error| BadPolicies::one(error.to_string()))?;
        problems.extend(validate(&parsed, &set, &gathered));
        if !problems.is_empty() {
            return Err(BadPolicies { problems });
        }

        let caller_set =
            PolicySet::from_policies(gathered.into_values().map(|(_, p)| p).filter(|policy| {
                policy.effect() == Effect::Permit || policy.annotation("about") == Some("caller")
            }))
            .map_err(|error| BadPolicies::one(error.to_string()))?;
        let mut all = [&[(SCHEMA_NAME, schema)], files].concat();
        all.sort_unstable();
        let owned = all
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let owned = owned.collect();
        let policies = Self {
            schema: parsed,
            set,
            caller_set,
            names: Names::parse()
                .map_err(|CannotAsk| BadPolicies::one("a type name of ours does not parse"))?,
            authorizer: Authorizer::new(),
            hash: set_hash(&all),
            files: owned,
        };
        policies.try_plain_asks()?;
        Ok(policies)
    }

    /// SHA-256 over names and contents, each prefixed with its length, in order of name.
    pub const fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The names and texts of the set, with its schema, in order of name: what
    /// [`Unproved::hash`] is the hash of.
    pub fn files(&self) -> &[(String, String)] {
        &self.files
    }

    /// The sentence that a policy enforces (`@says`).
    pub fn says(&self, id: &str) -> Option<&str> {
        self.set.annotation(&PolicyId::new(id), "says")
    }

    /// Every `@id`, sorted.
    pub fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self
            .set
            .policies()
            .map(|policy| AsRef::<str>::as_ref(policy.id()).to_owned())
            .collect();
        ids.sort();
        ids
    }

    /// The schema, as the gateway uses it.
    pub const fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The policies, as the gateway uses them, under their `@id`s.
    pub const fn policies(&self) -> &PolicySet {
        &self.set
    }

    /// The set, fit for use, if the proof is of this set, for this program's properties, and
    /// leaves none open (P3).
    ///
    /// # Errors
    /// [`BadPolicies`], with everything that the proof lacks.
    pub fn proved(self, proof: Proof) -> Result<Policies, BadPolicies> {
        proof.lacks(&self)?;
        Ok(Policies { set: self, proof })
    }

    /// As if it were proved, to see what the program does with a set that no prover lets through.
    #[cfg(test)]
    pub(in crate::domain) fn assume_proved(self) -> Policies {
        let proof = Policies::shipped().unwrap().proof;
        Policies { set: self, proof }
    }

    pub(super) fn ask(&self, ask: &Ask) -> Result<Verdict, CannotAsk> {
        cedar::decide(&self.authorizer, &self.names, &self.schema, &self.set, ask)
    }

    /// One plain and one full ask for each action: the schema takes what this program sends, and
    /// no policy fails on it.
    fn try_plain_asks(&self) -> Result<(), BadPolicies> {
        let cannot = |action: Action| {
            BadPolicies::one(format!(
                "a plain `{}` cannot be asked: the schema does not take what the gateway sends, \
                 or a policy fails on it",
                action.code()
            ))
        };
        for action in Action::ALL.iter().copied() {
            let full = full_ask(action).ok_or_else(|| cannot(action))?;
            let plain = plain(&full, Purpose::Support);
            if self.ask(&full).is_err() || self.ask(&plain).is_err() {
                return Err(cannot(action));
            }
        }
        Ok(())
    }
}

impl Policies {
    /// The set that was built into this program, the one to fall back on and to compare with.
    ///
    /// # Errors
    /// Never in a released build: a test loads it.
    pub fn shipped() -> Result<Self, BadPolicies> {
        let proof = Proof::parse(SHIPPED_PROOF)
            .map_err(|error| BadPolicies::one(format!("{PROOF_NAME}: {error}")))?;
        Unproved::load(SHIPPED_SCHEMA, SHIPPED)?.proved(proof)
    }

    /// The schema and files of [`Policies::shipped`], for `init` and `policy diff`.
    pub const fn shipped_files() -> (&'static str, &'static [(&'static str, &'static str)]) {
        (SHIPPED_SCHEMA, SHIPPED)
    }

    /// The proof that was built in beside them.
    pub const fn shipped_proof() -> &'static str {
        SHIPPED_PROOF
    }

    /// A policy's own text, without its place in a file.
    pub fn text(&self, id: &str) -> Option<String> {
        let found = self.set.set.policy(&PolicyId::new(id));
        found.map(ToString::to_string)
    }

    /// What was proved of this set.
    pub const fn proof(&self) -> &Proof {
        &self.proof
    }

    /// As [`Unproved::hash`].
    pub const fn hash(&self) -> [u8; 32] {
        self.set.hash()
    }

    /// As [`Unproved::files`].
    pub fn files(&self) -> &[(String, String)] {
        self.set.files()
    }

    /// As [`Unproved::says`].
    pub fn says(&self, id: &str) -> Option<&str> {
        self.set.says(id)
    }

    /// As [`Unproved::ids`].
    pub fn ids(&self) -> Vec<String> {
        self.set.ids()
    }

    pub(super) fn ask(&self, ask: &Ask) -> Result<Verdict, CannotAsk> {
        self.set.ask(ask)
    }

    /// Every policy that matches, by its `@id` and whether it permits; `None` if one fails. Each is
    /// asked alone, because a forbid hides the permits beside it.
    pub fn matching(&self, ask: &Ask) -> Option<Vec<(String, bool)>> {
        let set = &self.set;
        let mut found = Vec::new();
        for id in set.ids() {
            let policy = set.set.policy(&PolicyId::new(&id))?.clone();
            let permits = policy.effect() == Effect::Permit;
            let alone = PolicySet::from_policies([policy]).ok()?;
            let verdict =
                cedar::decide(&set.authorizer, &set.names, &set.schema, &alone, ask).ok()?;
            if verdict.rules.contains(&id) {
                found.push((id, permits));
            }
        }
        Some(found)
    }

    /// Whether the whole set permits; a failure counts as no.
    pub(super) fn permits(&self, ask: &Ask) -> bool {
        self.ask(ask).is_ok_and(|verdict| verdict.allowed)
    }

    /// Whether role and purpose alone would do, for a blanked ask (`denial::plain`).
    pub(super) fn caller_may(&self, ask: &Ask) -> bool {
        let set = &self.set;
        cedar::decide(
            &set.authorizer,
            &set.names,
            &set.schema,
            &set.caller_set,
            ask,
        )
        .is_ok_and(|verdict| verdict.allowed)
    }
}

fn is_firewall(name: &str) -> bool {
    name.contains("firewall")
}

fn check_sizes(schema: &str, files: &[(&str, &str)]) -> Result<(), BadPolicies> {
    if files.len() > FILES_MAX {
        return Err(BadPolicies::one(format!("more than {FILES_MAX} files")));
    }
    let all = || files.iter().copied().chain([(SCHEMA_NAME, schema)]);
    let mut problems: Vec<String> = all()
        .filter(|(_, text)| text.len() > FILE_BYTES_MAX)
        .map(|(name, _)| format!("{name}: longer than {FILE_BYTES_MAX} bytes"))
        .collect();
    let mut seen = BTreeSet::new();
    problems.extend(
        all()
            .filter(|(name, _)| !seen.insert(*name))
            .map(|(name, _)| format!("{name}: two files have this name")),
    );
    if problems.is_empty() {
        Ok(())
    } else {
        Err(BadPolicies { problems })
    }
}

/// Parses one file into `gathered`, under the policies' own `@id`s.
fn gather<'a>(
    name: &'a str,
    text: &str,
    gathered: &mut BTreeMap<String, (&'a str, Policy)>,
    problems: &mut Vec<String>,
) {
    let set: PolicySet = match text.parse() {
        Ok(set) => set,
        Err(error) => {
            problems.push(format!("{name}: {error}"));
            return;
        }
    };
    for template in set.templates() {
        let id = template.annotation("id").unwrap_or("without @id");
        problems.push(format!(
            "{name}: policy `{id}` is a template; templates are refused"
        ));
    }
    let mut policies: Vec<&Policy> = set.policies().collect();
    policies.sort_by_key(|policy| policy.id().to_string());
    for policy in policies {
        let Some(id) = policy.annotation("id").filter(|id| is_id(id)) else {
            problems.push(format!(
                "{name}: a policy has no @id of a-z, A-Z, 0-9, '.' and '-':\n{policy}"
            ));
            continue;
        };
        if policy.annotation("says").is_none_or(str::is_empty) {
            problems.push(format!(
                "{name}: policy `{id}` has no @says, the sentence that it enforces"
            ));
        }
        let about = policy.annotation("about");
        if about.is_some_and(|about| about != "caller" || policy.effect() == Effect::Permit) {
            problems.push(format!(
                "{name}: policy `{id}`: @about is for forbids, and its only value is \"caller\""
            ));
        }
        if is_firewall(name) && policy.effect() == Effect::Permit {
            problems.push(format!(
                "{name}: policy `{id}` permits; the firewall file forbids only"
            ));
        }
        if let Some((other, _)) = gathered.get(id) {
            problems.push(format!("{name}: policy `{id}` is also in {other}"));
            continue;
        }
        gathered.insert(id.to_owned(), (name, policy.new_id(PolicyId::new(id))));
    }
}

fn is_id(id: &str) -> bool {
    !id.is_empty()
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

/// Strict validation. Every warning refuses too: each says that a policy does not mean what it
/// seems to. A mistake shows once for each action it touches; the first few are enough.
fn validate(
    schema: &Schema,
    set: &PolicySet,
    gathered: &BTreeMap<String, (&str, Policy)>,
) -> Vec<String> {
    let outcome = Validator::new(schema.clone()).validate(set, ValidationMode::Strict);
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut note = |id: &PolicyId, text: String| {
        let id: &str = id.as_ref();
        let text = text.replacen(&format!("for policy `{id}`"), "", 1);
        let text = text.trim_start_matches([',', ':', ' ']).to_owned();
        found.entry(id.to_owned()).or_default().insert(text);
    };
    for error in outcome.validation_errors() {
        note(error.policy_id(), error.to_string());
    }
    for warning in outcome.validation_warnings() {
        note(warning.policy_id(), warning.to_string());
    }
    let mut problems = Vec::new();
    for (id, texts) in &found {
        let file = gathered.get(id).map_or("a file", |(file, _)| file);
        let more = texts.len().saturating_sub(PROBLEMS_A_POLICY_MAX);
        for text in texts.iter().take(PROBLEMS_A_POLICY_MAX) {
            problems.push(format!("{file}: policy `{id}`: {text}"));
        }
        if more > 0 {
            problems.push(format!("{file}: policy `{id}`: and {more} more"));
        }
    }
    problems
}

/// What a decision in the log names its rules by: the hash of a set's files (name, text), with the
/// schema as `schema.cedarschema`, in any order.
pub fn set_hash(files: &[(&str, &str)]) -> [u8; 32] {
    let mut all: Vec<(&str, &str)> = files.to_vec();
    all.sort_unstable();
    let mut hasher = Sha256::new();
    for part in all.iter().flat_map(|(name, text)| [name, text]) {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().into()
}
