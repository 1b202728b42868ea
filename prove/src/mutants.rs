//! Weakens the forbids one by one, and sees whether each weakening is noticed: by a property under
//! any permits or of the firewall alone, or by comparison with the set that was proved.
//!
//! A slip in one part of a forbid may change nothing, because another forbid stops the same: that is
//! proved and counted. But no forbid may be left out or excused unnoticed, and in the firewall's
//! file a property must notice it.

use std::io::Write;

use cedar_policy::{Effect, Policy, PolicySet, RequestEnv, Schema, ValidationMode, Validator};
use firedoor::domain::policy::Unproved;

use crate::Outcome;
use crate::cases::{Cases, id_of, of};
use crate::proving::{alone, broken};
use crate::solver::{self, Solver, Trouble};
use crate::weaken::{self, Mutant};

/// How a weakening is noticed.
enum Noticed {
    /// It is no policy of this schema.
    Refused,
    /// The property that it breaks.
    Property(String),
    /// The set allows something that the proved one does not.
    Compared,
    /// Proved: whatever the permits, the other forbids stop the same requests.
    Overlapped,
}

pub fn run(out: &mut impl Write, set: &Unproved, only: &[String]) -> Outcome<bool> {
    solver::version()?;
    let cases = Cases::new(set)?;
    let mut all: Vec<(&Policy, Mutant)> = Vec::new();
    let forbids = cases
        .policies
        .iter()
        .filter(|policy| policy.effect() == Effect::Forbid)
        .filter(|policy| only.is_empty() || only.iter().any(|id| id == id_of(policy)));
    for policy in forbids {
        all.extend(
            weaken::mutants(policy)?
                .into_iter()
                .map(|mutant| (policy, mutant)),
        );
    }
    if all.is_empty() {
        return Err("no forbid has that @id".into());
    }
    let noticed = solver::each(set.schema(), &all, |solver, (policy, mutant)| {
        notice(solver, set.schema(), &cases, policy, mutant)
    })?;
    let (mut missed, mut overlapped) = (0_usize, 0_usize);
    for ((policy, mutant), noticed) in all.iter().zip(&noticed) {
        let (how, enough) = match noticed {
            Noticed::Refused => ("refused by the loader".to_owned(), true),
            Noticed::Property(id) => (format!("breaks {id}"), true),
            Noticed::Compared => (
                "differs from the proved set".to_owned(),
                !(mutant.whole && cases.in_firewall(policy)),
            ),
            Noticed::Overlapped => {
                overlapped += 1;
                // An exception of which it is proved that nothing comes through it weakens nothing;
                // a forbid that nobody would miss is one too many.
                (
                    "changes nothing: other forbids stop the same".to_owned(),
                    mutant.policy.is_some(),
                )
            }
        };
        missed += usize::from(!enough);
        let mark = if enough { "" } else { "NOT NOTICED: " };
        writeln!(out, "{:38} {:58} {mark}{how}", id_of(policy), mutant.how)?;
    }
    writeln!(
        out,
        "{} weakenings, {overlapped} that change nothing, {missed} not noticed",
        all.len()
    )?;
    Ok(missed == 0)
}

fn notice(
    solver: &mut Solver<'_>,
    schema: &Schema,
    cases: &Cases,
    original: &Policy,
    mutant: &Mutant,
) -> Result<Noticed, Trouble> {
    let weakened = |set: &PolicySet| {
        let others = set.policies().filter(|one| one.id() != original.id());
        of(others.cloned().chain(mutant.policy.clone()))
    };
    if mutant.policy.is_some() && !validates(schema, &weakened(&cases.shipped)?) {
        return Ok(Noticed::Refused);
    }
    let all: Vec<usize> = (0..cases.never.len()).collect();
    let alone_only = |index: &usize| cases.never.get(*index).is_some_and(alone);
    let alone: Vec<usize> = all.iter().copied().filter(alone_only).collect();
    let mut settings = vec![(&cases.any_permits, all)];
    if cases.in_firewall(original) {
        settings.push((&cases.firewall_alone, alone));
    }
    let mut differs = false;
    for (set, properties) in settings {
        let less = weakened(set)?;
        for env in &cases.envs {
            let one = solver.compile_one(original, env)?;
            if solver.never_matches(&one)? || !changes(solver, set, &less, env)? {
                continue;
            }
            differs = true;
            if let Some((index, _)) = broken(solver, cases, &less, &properties, env)?.first() {
                let id = cases.never.get(*index).map_or("", id_of);
                return Ok(Noticed::Property(id.to_owned()));
            }
        }
    }
    Ok(if differs {
        Noticed::Compared
    } else {
        Noticed::Overlapped
    })
}

fn validates(schema: &Schema, set: &PolicySet) -> bool {
    let outcome = Validator::new(schema.clone()).validate(set, ValidationMode::Strict);
    outcome.validation_passed() && outcome.validation_warnings().next().is_none()
}

/// Whether the weakened forbids stop less than the proved ones, for one kind of request.
fn changes(
    solver: &mut Solver<'_>,
    proved: &PolicySet,
    weakened: &PolicySet,
    env: &RequestEnv,
) -> Result<bool, Trouble> {
    let with = solver.compile(proved, env)?;
    let without = solver.compile(weakened, env)?;
    Ok(!solver.equivalent(&with, &without)?)
}
