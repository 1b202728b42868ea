//! Applies the word list to one view of a text.
//!
//! Masks are laid first and blank only their own words; a cue counts only within its sentence.

use std::collections::{BTreeMap, HashSet};

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
    /// Of the words as they stand, not of another reading.
    pub(super) plain: bool,
}

struct Found {
    rule: usize,
    places: Vec<usize>,
}

/// The first and the last place of a cue, in order of the first.
type Cues = BTreeMap<usize, Vec<(usize, usize)>>;

pub(super) fn hits(
    lexicon: &Lexicon,
    tokens: &[Token],
    fuel: &mut Fuel,
) -> Result<Vec<Hit>, OutOfFuel> {
    let mut triggers = Vec::new();
    let mut cues = Cues::new();
    // Of one rule, or of all, at a place.
    let mut masks: HashSet<(usize, Option<usize>)> = HashSet::new();
    for (from, token) in tokens.iter().enumerate() {
        fuel.spend(1)?;
        if token.is_stop() {
            continue;
        }
        for (role, pattern) in lexicon.beginning_with(&token.text) {
            if let Some(places) = pattern.at(tokens, from, fuel)? {
                fuel.spend(4 * places.len())?;
                match role {
                    Role::Trigger(rule) => triggers.push(Found { rule, places }),
                    Role::Cue(rule) => {
                        let (Some(first), Some(last)) = (places.first(), places.last()) else {
                            continue;
                        };
                        cues.entry(rule).or_default().push((*first, *last));
                    }
                    Role::Mask(rule) => masks.extend(places.into_iter().map(|at| (at, rule))),
                }
            }
        }
    }
    let mut hits = Vec::new();
    for trigger in &triggers {
        fuel.spend(2 + 2 * trigger.places.len())?;
        let masked = trigger
            .places
            .iter()
            .any(|at| masks.contains(&(*at, None)) || masks.contains(&(*at, Some(trigger.rule))));
        let Some(rule) = lexicon.rules.get(trigger.rule).filter(|_| !masked) else {
            continue;
        };
        let weight = match rule.tier {
            Tier::Alone => None,
            Tier::Weighed(weight) => Some(weight),
            Tier::Cued { near, bare } => {
                if is_cued(trigger, &cues, near, tokens, fuel)? {
                    None
                } else {
                    Some(bare)
                }
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
        plain: false,
    })
}

/// Words that the longest cue spans.
const CUE_WORDS_MAX: usize = 64;

/// A cue of the rule stands outside the trigger, at most `near` words away, in the same sentence.
fn is_cued(
    trigger: &Found,
    cues: &Cues,
    near: usize,
    tokens: &[Token],
    fuel: &mut Fuel,
) -> Result<bool, OutOfFuel> {
    let (Some(first), Some(last)) = (trigger.places.first(), trigger.places.last()) else {
        return Ok(false);
    };
    let all = cues.get(&trigger.rule).map_or(&[][..], Vec::as_slice);
    let from = all.partition_point(|(begin, _)| begin + CUE_WORDS_MAX + near < *first);
    for (begin, end) in all.iter().skip(from) {
        fuel.spend(1)?;
        if *begin > last + near + 1 {
            break;
        }
        if trigger.places.iter().any(|at| (begin..=end).contains(&at)) {
            continue;
        }
        let between = if end < first {
            end + 1..*first
        } else {
            last + 1..(*begin).max(last + 1)
        };
        let apart = || tokens.iter().take(between.end).skip(between.start);
        fuel.spend(near)?;
        if between.len() < near && !apart().any(Token::is_stop) {
            return Ok(true);
        }
    }
    Ok(false)
}
