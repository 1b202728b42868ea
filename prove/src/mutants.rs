//! Weakens the forbids one by one, and sees whether each weakening is noticed: by a property under
//! any permits, or by comparison with the set that was proved. A set's approval compares, so either
//! is enough; a property is better, because it also says what is wrong.

use std::io::Write;

use cedar_policy::{Effect, Policy, PolicySet, RequestEnv, Schema, ValidationMode, Validator};
use firedoor::domain::policy::Unproved;

use crate::Outcome;
use crate::cases::{Cases, id_of, of};
use crate::proving::broken;
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
    Not,
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
    let mut missed = 0_usize;
    for ((policy, mutant), noticed) in all.iter().zip(&noticed) {
        let how = match noticed {
            Noticed::Refused => "refused by the loader".to_owned(),
            Noticed::Property(id) => format!("breaks {id}"),
            Noticed::Compared => "differs from the proved set".to_owned(),
            Noticed::Not => {
                missed += 1;
                "NOT NOTICED".to_owned()
            }
        };
        writeln!(out, "{:38} {:58} {how}", id_of(policy), mutant.how)?;
    }
    writeln!(out, "{} weakenings, {missed} not noticed", all.len())?;
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
    let under_any = weakened(&cases.any_permits)?;
    let all: Vec<usize> = (0..cases.never.len()).collect();
    let mut differs = false;
    for env in &cases.envs {
        let one = solver.compile_one(original, env)?;
        if solver.never_matches(&one)? || !changes(solver, cases, &under_any, env)? {
            continue;
        }
        differs = true;
        if let Some((index, _)) = broken(solver, cases, &under_any, &all, env)?.first() {
            let id = cases.never.get(*index).map_or("", id_of);
            return Ok(Noticed::Property(id.to_owned()));
        }
    }
    Ok(if differs {
        Noticed::Compared
    } else {
        Noticed::Not
    })
}

fn validates(schema: &Schema, set: &PolicySet) -> bool {
    let outcome = Validator::new(schema.clone()).validate(set, ValidationMode::Strict);
    outcome.validation_passed() && outcome.validation_warnings().next().is_none()
}

/// Whether the weakened forbids stop less than the proved ones, for one kind of request.
fn changes(
    solver: &mut Solver<'_>,
    cases: &Cases,
    weakened: &PolicySet,
    env: &RequestEnv,
) -> Result<bool, Trouble> {
    let with = solver.compile(&cases.any_permits, env)?;
    let without = solver.compile(weakened, env)?;
    Ok(!solver.equivalent(&with, &without)?)
}
