//! The sets that questions are about: as shipped, under any permits, the firewall's file alone;
//! and a request that the solver found, asked again of the real authorizer.

use cedar_policy::{Authorizer, Decision, Effect, Policy, PolicyId, PolicySet, RequestEnv, Schema};
use cedar_policy_symcc::Env;
use firedoor::domain::policy::Unproved;
use firedoor::domain::policy::proof::property_files;

use crate::solver::Trouble;

/// The `@id` of the permit that stands for any permits there could be.
const ANYTHING: &str = "permits-everything";

/// Policies in three settings, and the properties.
pub struct Cases {
    /// Every policy, by `@id`.
    pub policies: Vec<Policy>,
    pub never: Vec<Policy>,
    pub possible: Vec<Policy>,
    pub shipped: PolicySet,
    /// All forbids, and a permit of everything.
    pub any_permits: PolicySet,
    /// The forbids of the firewall's file, and a permit of everything.
    pub firewall_alone: PolicySet,
    pub envs: Vec<RequestEnv>,
}

impl Cases {
    pub fn new(set: &Unproved) -> Result<Self, Trouble> {
        let policies = sorted(set.policies());
        let [never, possible] = property_files().map(|(name, text)| properties(name, text));
        let firewall = firewall_ids(set);
        let forbids = |policy: &&Policy| policy.effect() == Effect::Forbid;
        let in_firewall =
            |policy: &&Policy| firewall.contains(&AsRef::<str>::as_ref(policy.id()).to_owned());
        Ok(Self {
            any_permits: of(policies
                .iter()
                .filter(forbids)
                .cloned()
                .chain([anything()?]))?,
            firewall_alone: of(policies
                .iter()
                .filter(forbids)
                .filter(in_firewall)
                .cloned()
                .chain([anything()?]))?,
            shipped: set.policies().clone(),
            never: never?,
            possible: possible?,
            envs: envs(set.schema()),
            policies,
        })
    }
}

impl Cases {
    /// Whether a forbid stands in the firewall's file.
    pub fn in_firewall(&self, policy: &Policy) -> bool {
        self.firewall_alone.policy(policy.id()).is_some()
    }
}

/// The kinds of request there are: one for each action.
pub fn envs(schema: &Schema) -> Vec<RequestEnv> {
    let mut all: Vec<RequestEnv> = schema.request_envs().collect();
    all.sort();
    all.dedup();
    all
}

pub fn action_of(env: &RequestEnv) -> &str {
    env.action().id().unescaped()
}

pub fn id_of(policy: &Policy) -> &str {
    policy.id().as_ref()
}

pub fn says(policy: &Policy) -> &str {
    policy.annotation("says").unwrap_or_default()
}

/// A set of policies that have ids of their own.
pub fn of(policies: impl IntoIterator<Item = Policy>) -> Result<PolicySet, Trouble> {
    PolicySet::from_policies(policies).map_err(|error| Trouble(error.to_string()))
}

/// A permit of everything, the worst that any author of permits could write.
pub fn anything() -> Result<Policy, Trouble> {
    let id = Some(PolicyId::new(ANYTHING));
    Policy::parse(id, "permit (principal, action, resource);")
        .map_err(|error| Trouble(error.to_string()))
}

/// Asks the authorizer that the gateway uses.
pub fn allowed(set: &PolicySet, case: &Env) -> bool {
    let response = Authorizer::new().is_authorized(&case.request, set, &case.entities);
    response.diagnostics().errors().next().is_none()
        && matches!(response.decision(), Decision::Allow)
}

/// Whether a property describes the request.
pub fn describes(property: &Policy, case: &Env) -> Result<bool, Trouble> {
    Ok(allowed(&of([property.clone()])?, case))
}

fn sorted(set: &PolicySet) -> Vec<Policy> {
    let mut all: Vec<Policy> = set.policies().cloned().collect();
    all.sort_by(|one, other| id_of(one).cmp(id_of(other)));
    all
}

fn properties(name: &str, text: &str) -> Result<Vec<Policy>, Trouble> {
    let bad = |what: &str| Trouble(format!("{name}: {what}"));
    let set: PolicySet = text.parse().map_err(|error| bad(&format!("{error}")))?;
    let named: Vec<Policy> = set
        .policies()
        .map(|policy| {
            let id = policy.annotation("id").map(PolicyId::new);
            id.map(|id| policy.new_id(id))
                .ok_or_else(|| bad("a property has no @id"))
        })
        .collect::<Result<_, _>>()?;
    Ok(sorted(&of(named)?))
}

/// The `@id`s of the policies in files with `firewall` in their name.
fn firewall_ids(set: &Unproved) -> Vec<String> {
    set.files()
        .iter()
        .filter(|(name, _)| name.contains("firewall"))
        .filter_map(|(_, text)| text.parse::<PolicySet>().ok())
        .flat_map(|parsed| {
            parsed
                .policies()
                .filter_map(|policy| policy.annotation("id").map(str::to_owned))
                .collect::<Vec<String>>()
        })
        .collect()
}
