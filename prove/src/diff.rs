//! What one set allows and another does not, in both directions, for each action.

use std::io::Write;

use cedar_policy::RequestEnv;
use cedar_policy_symcc::Env;
use firedoor::domain::policy::Unproved;
use serde_json::{Value, json};

use crate::Outcome;
use crate::cases::{action_of, allowed, envs};
use crate::solver::{self, Solver, Trouble};
use crate::words::Words;

struct Change {
    action: String,
    /// A request that only the new set allows.
    widened: Option<Words>,
    /// A request that only the old set allows.
    narrowed: Option<Words>,
}

/// Exit 0 if NEW allows nothing that OLD does not.
pub fn run(out: &mut impl Write, old: &Unproved, new: &Unproved, json: bool) -> Outcome<bool> {
    solver::version()?;
    let schema = |set: &Unproved| {
        set.files()
            .iter()
            .find(|(name, _)| is_schema(name))
            .cloned()
    };
    if schema(old) != schema(new) {
        return Err(
            "the two sets have different schemas; only sets over one schema can be \
                    compared by proof: compare the schemas by reading"
                .into(),
        );
    }
    let changes: Vec<Change> = solver::each(old.schema(), &envs(old.schema()), |solver, env| {
        compare(solver, old, new, env)
    })?
    .into_iter()
    .filter(|change| change.widened.is_some() || change.narrowed.is_some())
    .collect();
    let widens = changes.iter().any(|change| change.widened.is_some());
    if json {
        let all: Vec<Value> = changes
            .iter()
            .map(|change| {
                json!({
                    "action": change.action,
                    "allowed_by_new_only": change.widened.as_ref().map(Words::to_json),
                    "allowed_by_old_only": change.narrowed.as_ref().map(Words::to_json),
                })
            })
            .collect();
        serde_json::to_writer_pretty(&mut *out, &json!({"widens": widens, "changes": all}))?;
        writeln!(out)?;
        return Ok(!widens);
    }
    for change in &changes {
        let ways = [
            ("allows what it did not", &change.widened),
            ("no longer allows", &change.narrowed),
        ];
        for (how, words) in ways {
            let Some(words) = words else { continue };
            writeln!(out, "`{}` {how}, for example:", change.action)?;
            for line in words.lines() {
                writeln!(out, "    {line}")?;
            }
        }
    }
    writeln!(
        out,
        "{}",
        match (widens, changes.is_empty()) {
            (true, _) => "the new policies allow requests that the old ones do not",
            (false, false) => "the new policies allow less, and nothing more (proved)",
            (false, true) => "both allow the same requests (proved)",
        }
    )?;
    Ok(!widens)
}

fn is_schema(name: &str) -> bool {
    name.ends_with(".cedarschema")
}

fn compare(
    solver: &mut Solver<'_>,
    old: &Unproved,
    new: &Unproved,
    env: &RequestEnv,
) -> Result<Change, Trouble> {
    let (was, is) = (
        solver.compile(old.policies(), env)?,
        solver.compile(new.policies(), env)?,
    );
    let widened = solver.beyond(&is, &was)?;
    let narrowed = solver.beyond(&was, &is)?;
    Ok(Change {
        action: action_of(env).to_owned(),
        widened: shown(widened, new, old)?,
        narrowed: shown(narrowed, old, new)?,
    })
}

/// The request in words, after the real authorizer has decided it both ways.
fn shown(case: Option<Env>, by: &Unproved, not: &Unproved) -> Result<Option<Words>, Trouble> {
    let Some(case) = case else { return Ok(None) };
    if allowed(by.policies(), &case) && !allowed(not.policies(), &case) {
        Ok(Some(Words::of(&case)))
    } else {
        Err(Trouble(
            "the solver found a request that the authorizer decides otherwise: do not trust this \
             solver"
                .to_owned(),
        ))
    }
}
