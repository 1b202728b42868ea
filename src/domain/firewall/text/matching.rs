//! Applies the word list to one view of a text.
//!
//! Masks are laid first and blank only their own words; a cue counts only within its sentence.

use super::fuel::{Fuel, OutOfFuel};
use super::lexicon::{Lexicon, Role, Tier};
use super::words::Token;

/// A rule that matched, and the code points of the first to the last matched word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hit {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) rule: usize,
    /// What it adds as a proxy; `None` when it holds the text alone.
    pub(super) weight: Option<u8>,
    /// Letters of whole known words, not of mere beginnings: an odd reading needs several.
    pub(super) letters: usize,
}

struct Found {
    rule: usize,
    places: Vec<usize>,
}

pub(super) fn hits(
    lexicon: &Lexicon,
    tokens: &[Token],
    fuel: &mut Fuel,
) -> Result<Vec<Hit>, OutOfFuel> {
    let (mut triggers, mut cues, mut masks) = (Vec::new(), Vec::new(), Vec::new());
    for (from, token) in tokens.iter().enumerate() {
        fuel.spend(1)?;
        if token.is_stop() {
            continue;
        }
        for (role, pattern) in lexicon.beginning_with(&token.text) {
            if let Some(places) = pattern.at(tokens, from, fuel)? {
                match role {
                    Role::Trigger(rule) => triggers.push(Found { rule, places }),
                    Role::Cue(rule) => cues.push(Found { rule, places }),
                    Role::Mask(rule) => masks.push((rule, places)),
                }
            }
        }
    }
    let mut hits = Vec::new();
    for trigger in &triggers {
        fuel.spend(1 + masks.len())?;
        let masked = masks.iter().any(|(rule, places)| {
            rule.is_none_or(|rule| rule == trigger.rule)
                && trigger.places.iter().any(|at| places.contains(at))
        });
        let Some(rule) = lexicon.rules.get(trigger.rule).filter(|_| !masked) else {
            continue;
        };
        let weight = match rule.tier {
            Tier::Alone => None,
            Tier::Weighed(weight) => Some(weight),
            Tier::Cued { near, bare } => {
                fuel.spend(cues.len())?;
                let cued = cues
                    .iter()
                    .any(|cue| cue.rule == trigger.rule && is_near(trigger, cue, near, tokens));
                if cued { None } else { Some(bare) }
            }
        };
        if weight != Some(0) {
            hits.extend(hit(lexicon, trigger, weight, tokens));
        }
    }
    Ok(hits)
}

fn hit(lexicon: &Lexicon, trigger: &Found, weight: Option<u8>, tokens: &[Token]) -> Option<Hit> {
    let matched = || trigger.places.iter().filter_map(|at| tokens.get(*at));
    Some(Hit {
        start: matched().map(|token| token.start).min()?,
        end: matched().map(|token| token.end).max()?,
        rule: trigger.rule,
        weight,
        letters: matched()
            .filter(|token| lexicon.vocabulary.has_whole(&token.text))
            .map(|token| token.text.chars().count())
            .sum(),
    })
}

/// The cue stands outside the trigger, at most `near` words away and in the same sentence.
fn is_near(trigger: &Found, cue: &Found, near: usize, tokens: &[Token]) -> bool {
    if cue.places.iter().any(|at| trigger.places.contains(at)) {
        return false;
    }
    let range = |places: &[usize]| Some((*places.first()?, *places.last()?));
    let (Some((first, last)), Some((from, to))) = (range(&trigger.places), range(&cue.places))
    else {
        return false;
    };
    let between = if to < first {
        to + 1..first
    } else {
        last + 1..from.max(last + 1)
    };
    between.len() < near
        && !tokens
            .iter()
            .take(between.end)
            .skip(between.start)
            .any(Token::is_stop)
}
