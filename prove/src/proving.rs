//! Proves every property of a set, and says in words what is not so.

use std::io::{self, Write};

use cedar_policy::{Effect, Policy, PolicySet, RequestEnv, Schema};
use cedar_policy_symcc::Env;
use firedoor::domain::policy::proof::{Never, Possible, Proof, file_hashes, property_hashes};
use firedoor::domain::policy::{Unproved, beyond_the_firewall};
use serde_json::{Value, json};

use crate::cases::{Cases, allowed, describes, id_of, of, says};
use crate::solver::{self, Solver, Trouble};
use crate::words::Words;

/// What was found out about one set.
pub struct Report {
    pub proof: Proof,
    pub failures: Vec<Failure>,
    never: Vec<(String, String)>,
    actions: usize,
}

/// Something that is not as it must be, with a request that shows it, if there is one.
pub struct Failure {
    id: String,
    what: String,
    case: Option<Words>,
}

/// In which setting a property was broken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Setting {
    Shipped,
    AnyPermits,
    FirewallAlone,
}

struct Broken {
    property: usize,
    setting: Setting,
    case: Env,
}

/// What one solver found out for one kind of request.
struct Found {
    broken: Vec<Broken>,
    possible: Vec<usize>,
    fails: Vec<String>,
}

pub fn prove(set: &Unproved) -> Result<Report, Trouble> {
    let version = solver::version()?;
    let schema = set.schema();
    let cases = Cases::new(set)?;
    check_properties(schema, &cases)?;
    let found = solver::each(schema, &cases.envs, |solver, env| look(solver, &cases, env))?;
    let alive = solver::each(schema, &cases.policies, |solver, policy| {
        decides(solver, &cases, policy)
    })?;

    let mut failures: Vec<Failure> = Vec::new();
    let mut never: Vec<Never> = cases
        .never
        .iter()
        .map(|property| Never {
            id: id_of(property).to_owned(),
            shipped: true,
            any_permits: true,
            firewall_alone: alone(property).then_some(true),
        })
        .collect();
    for broken in found.iter().flat_map(|found| &found.broken) {
        let (Some(property), Some(entry)) = (
            cases.never.get(broken.property),
            never.get_mut(broken.property),
        ) else {
            continue;
        };
        let (known, under) = match broken.setting {
            Setting::Shipped => (&mut entry.shipped, "allowed by these policies"),
            Setting::AnyPermits => (
                &mut entry.any_permits,
                "stopped by no forbid, whatever these permits say",
            ),
            Setting::FirewallAlone => (
                entry.firewall_alone.get_or_insert(true),
                "not stopped by the firewall file alone",
            ),
        };
        // One example of each is enough.
        if std::mem::replace(known, false) {
            failures.push(Failure {
                id: id_of(property).to_owned(),
                what: format!("{} It is {under}:", says(property)),
                case: Some(Words::of(&broken.case)),
            });
        }
    }
    let possible: Vec<Possible> = cases
        .possible
        .iter()
        .enumerate()
        .map(|(index, property)| Possible {
            id: id_of(property).to_owned(),
            possible: found.iter().any(|found| found.possible.contains(&index)),
        })
        .collect();
    for (property, entry) in cases.possible.iter().zip(&possible) {
        if !entry.possible {
            failures.push(Failure {
                id: entry.id.clone(),
                what: format!("Not possible any more: {}", says(property)),
                case: None,
            });
        }
    }
    let mut fails: Vec<&String> = found.iter().flat_map(|found| &found.fails).collect();
    fails.sort();
    fails.dedup();
    for id in &fails {
        failures.push(Failure {
            id: (*id).clone(),
            what: "It may fail on a request; Cedar skips a policy that fails.".to_owned(),
            case: None,
        });
    }
    let dead: Vec<&Policy> = cases
        .policies
        .iter()
        .zip(&alive)
        .filter_map(|(policy, alive)| (!alive).then_some(policy))
        .collect();
    for policy in &dead {
        failures.push(Failure {
            id: id_of(policy).to_owned(),
            what: "It decides nothing: without it the same requests are allowed.".to_owned(),
            case: None,
        });
    }
    Ok(Report {
        proof: Proof {
            set: set.hash(),
            files: file_hashes(set),
            properties: property_hashes(),
            never_errors: fails.is_empty(),
            no_dead_policy: dead.is_empty(),
            never,
            possible,
            solver: version,
        },
        failures,
        never: cases
            .never
            .iter()
            .map(|property| (id_of(property).to_owned(), says(property).to_owned()))
            .collect(),
        actions: cases.envs.len(),
    })
}

/// Whether the firewall's file must keep the property by itself.
pub fn alone(property: &Policy) -> bool {
    property.annotation("firewall") == Some("alone")
}

/// A property that does not fit the schema would describe nothing, and so be proved of anything.
fn check_properties(schema: &Schema, cases: &Cases) -> Result<(), Trouble> {
    let all = of(cases.never.iter().chain(&cases.possible).cloned())?;
    let outcome = cedar_policy::Validator::new(schema.clone())
        .validate(&all, cedar_policy::ValidationMode::Strict);
    let wrong = outcome
        .validation_errors()
        .map(ToString::to_string)
        .chain(outcome.validation_warnings().map(ToString::to_string))
        .next();
    match wrong {
        Some(wrong) => Err(Trouble(format!(
            "the properties do not fit the schema: {wrong}"
        ))),
        None => Ok(()),
    }
}

fn look(solver: &mut Solver<'_>, cases: &Cases, env: &RequestEnv) -> Result<Found, Trouble> {
    let mut found = Found {
        broken: Vec::new(),
        possible: Vec::new(),
        fails: Vec::new(),
    };
    let all: Vec<usize> = (0..cases.never.len()).collect();
    let alone_only = |index: &usize| cases.never.get(*index).is_some_and(alone);
    let only: Vec<usize> = all.iter().copied().filter(alone_only).collect();
    for (setting, set, which) in [
        (Setting::Shipped, &cases.shipped, &all),
        (Setting::AnyPermits, &cases.any_permits, &all),
        (Setting::FirewallAlone, &cases.firewall_alone, &only),
    ] {
        for (property, case) in broken(solver, cases, set, which, env)? {
            found.broken.push(Broken {
                property,
                setting,
                case,
            });
        }
    }
    let shipped = solver.compile(&cases.shipped, env)?;
    for (index, property) in cases.possible.iter().enumerate() {
        let wanted = solver.compile(&of([property.clone()])?, env)?;
        if let Some(case) = solver.overlap(&shipped, &wanted)? {
            replayed(allowed(&cases.shipped, &case), property)?;
            found.possible.push(index);
        }
    }
    for policy in cases
        .policies
        .iter()
        .chain(&cases.never)
        .chain(&cases.possible)
    {
        let compiled = solver.compile_one(policy, env)?;
        if !solver.never_errors(&compiled)? {
            found.fails.push(id_of(policy).to_owned());
        }
    }
    Ok(found)
}

/// Which of the properties a set breaks, each with a request. All are asked about at once; one by
/// one only if that finds anything.
pub fn broken(
    solver: &mut Solver<'_>,
    cases: &Cases,
    set: &PolicySet,
    which: &[usize],
    env: &RequestEnv,
) -> Result<Vec<(usize, Env)>, Trouble> {
    let wanted = || which.iter().filter_map(|index| cases.never.get(*index));
    let judged = solver.compile(set, env)?;
    let any = solver.compile(&of(wanted().cloned())?, env)?;
    if solver.overlap(&judged, &any)?.is_none() {
        return Ok(Vec::new());
    }
    let mut all = Vec::new();
    for (index, property) in which.iter().zip(wanted()) {
        let one = solver.compile(&of([property.clone()])?, env)?;
        if let Some(case) = solver.overlap(&judged, &one)? {
            replayed(allowed(set, &case) && describes(property, &case)?, property)?;
            all.push((*index, case));
        }
    }
    Ok(all)
}

/// Whether leaving a policy out changes anything for some kind of request: a forbid under any
/// permits, a permit beside no other.
fn decides(solver: &mut Solver<'_>, cases: &Cases, policy: &Policy) -> Result<bool, Trouble> {
    let permits = policy.effect() == Effect::Permit;
    let set = if permits {
        let forbids = cases
            .policies
            .iter()
            .filter(|one| one.effect() == Effect::Forbid);
        of(forbids.chain([policy]).cloned())?
    } else {
        let others = cases
            .any_permits
            .policies()
            .filter(|one| one.id() != policy.id());
        of(others.cloned())?
    };
    for env in &cases.envs {
        let one = solver.compile_one(policy, env)?;
        if solver.never_matches(&one)? {
            continue;
        }
        let compiled = solver.compile(&set, env)?;
        let decides = if permits {
            !solver.denies_all(&compiled)?
        } else {
            let with = solver.compile(&cases.any_permits, env)?;
            !solver.equivalent(&with, &compiled)?
        };
        if decides {
            return Ok(true);
        }
    }
    Ok(false)
}

fn replayed(so: bool, property: &Policy) -> Result<(), Trouble> {
    if so {
        Ok(())
    } else {
        Err(Trouble(format!(
            "the solver found a request for `{}` that the authorizer decides otherwise: \
             do not trust this solver",
            id_of(property)
        )))
    }
}

impl Report {
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "never, on each of {} actions:", self.actions)?;
        for (entry, (_, says)) in self.proof.never.iter().zip(&self.never) {
            let mark = if entry.holds() { "proved " } else { "BROKEN " };
            writeln!(out, "  {mark} {}: {says}", entry.id)?;
        }
        writeln!(out, "still possible:")?;
        for entry in &self.proof.possible {
            let mark = if entry.possible { "yes" } else { "NO " };
            writeln!(out, "  {mark} {}", entry.id)?;
        }
        let so = |yes: bool| if yes { "proved" } else { "BROKEN" };
        writeln!(out, "no policy can fail: {}", so(self.proof.never_errors))?;
        writeln!(
            out,
            "every policy decides something: {}",
            so(self.proof.no_dead_policy)
        )?;
        writeln!(
            out,
            "beyond the groups that the firewall judges, but for immigration data: {}",
            beyond_the_firewall().join(", ")
        )?;
        for failure in &self.failures {
            writeln!(out, "\n{}: {}", failure.id, failure.what)?;
            for line in failure.case.iter().flat_map(Words::lines) {
                writeln!(out, "    {line}")?;
            }
        }
        if self.failures.is_empty() {
            writeln!(out, "all proved with {}", self.proof.solver)?;
        } else {
            writeln!(out, "\nNOT PROVED")?;
        }
        Ok(())
    }

    pub fn to_json(&self, same: bool) -> Value {
        let failures: Vec<Value> = self
            .failures
            .iter()
            .map(|failure| {
                json!({
                    "id": failure.id,
                    "what": failure.what,
                    "request": failure.case.as_ref().map(Words::to_json),
                })
            })
            .collect();
        let proof: Value = serde_json::from_str(&self.proof.to_text()).unwrap_or_default();
        json!({
            "proved": self.failures.is_empty(),
            "proof_beside_is_the_same": same,
            "beyond_the_firewall": beyond_the_firewall(),
            "failures": failures,
            "proof": proof,
        })
    }
}
