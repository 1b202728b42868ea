//! From what was found to what is held: weights added up, hits widened to whole sentences.
//!
//! The decision is by sentence. What one reading found no other takes away; only a reviewed general
//! sentence passes as a whole.

use std::collections::{BTreeMap, BTreeSet};

use super::classifier::Score;
use super::lexicon::Tier;
use super::matching::Hit;
use super::sentences;
use super::{Finding, Found, Held, Label, Span, TextScreen};

/// Weight of proxies at which one sentence, or a whole note, is held.
pub(super) const SENTENCE_WEIGHT_MIN: u32 = 3;
const NOTE_WEIGHT_MIN: u32 = 4;

const UNREADABLE_RULE: &str = "unreadable";
const LANGUAGE_RULE: &str = "language";
const CLASSIFIER_RULE: &str = "classifier";

/// Families of advice for what no rule of the list found.
pub(super) const UNREADABLE_FAMILY: &str = "unreadable";
const LANGUAGE_FAMILY: &str = "language";
const IDENTIFIER_FAMILY: &str = "identifier";
const STATED_FAMILY: &str = "status";
const HINTED_FAMILY: &str = "hint";

/// What holds, after weighing.
struct Verdict {
    hits: Vec<Hit>,
    /// Sentences that the classifier holds, and whether they state or suggest.
    sentences: BTreeMap<usize, Label>,
}

impl TextScreen {
    /// Adds weights up, widens to sentences, and says what to hold.
    pub(super) fn judge(&self, mut found: Found, sentences: &[Span]) -> Finding {
        forget_general(&mut found, sentences);
        let verdict = self.weigh(&found, sentences);
        let readable = found.unreadable.is_empty() && found.foreign.is_empty();
        if verdict.hits.is_empty()
            && verdict.sentences.is_empty()
            && found.numbers.is_empty()
            && readable
        {
            return Finding::Clean;
        }
        let sentence = |at: &usize| sentences.get(*at).copied();
        let words: Vec<Span> = verdict
            .hits
            .iter()
            .map(|hit| span(hit.start, hit.end))
            .chain(
                found
                    .numbers
                    .iter()
                    .map(|number| span(number.start, number.end)),
            )
            .chain(found.unreadable.iter().copied())
            .chain(
                verdict
                    .sentences
                    .keys()
                    .chain(&found.foreign)
                    .filter_map(sentence),
            )
            .collect();
        let spans = words
            .iter()
            .map(|span| sentences::widen(*span, sentences).1)
            .collect();
        Finding::Held(Held {
            label: self.label(&verdict, &found),
            spans: merged(spans),
            words: merged(words),
            rules: self.rules(&verdict, &found),
            suggestion: self.suggestion(&verdict, &found).to_owned(),
        })
    }

    /// The hits that hold: each that holds alone, and proxies whose weights reach the mark, by
    /// themselves or with what the classifier says of their sentence.
    fn weigh(&self, found: &Found, sentences: &[Span]) -> Verdict {
        let place = |hit: &Hit| sentences::widen(span(hit.start, hit.end), sentences).0;
        let all = self.with_context(found, &place);
        // Each rule counts once a sentence, and once a note.
        let mut by_sentence: BTreeMap<usize, BTreeMap<usize, u32>> = BTreeMap::new();
        for hit in &all {
            if let Some(weight) = hit.weight {
                by_sentence
                    .entry(place(hit))
                    .or_default()
                    .insert(hit.rule, u32::from(weight));
            }
        }
        let sum = |weights: &BTreeMap<usize, u32>| weights.values().sum::<u32>();
        let settings = self.classifier.settings();
        let mut learned = BTreeMap::new();
        for (at, score) in &found.scores {
            let hints = i32::try_from(by_sentence.get(at).map_or(0, sum)).unwrap_or(i32::MAX);
            let held = score
                .held()
                .saturating_add(hints.saturating_mul(settings.hint));
            if held >= settings.hold_from && settings.hold_from < i32::MAX {
                learned.insert(*at, stated(*score));
            }
        }
        let holds = |at: usize| {
            learned.contains_key(&at)
                || by_sentence
                    .get(&at)
                    .is_some_and(|weights| sum(weights) >= SENTENCE_WEIGHT_MIN)
        };
        // Sentences that are held anyway must not drag weak hints elsewhere with them.
        let weak: BTreeMap<usize, u32> = by_sentence
            .iter()
            .filter(|(at, _)| !holds(**at))
            .flat_map(|(_, weights)| weights)
            .map(|(rule, weight)| (*rule, *weight))
            .collect();
        let whole_note = sum(&weak) >= NOTE_WEIGHT_MIN;
        let mut hits: Vec<Hit> = all
            .into_iter()
            .filter(|hit| hit.weight.is_none() || whole_note || holds(place(hit)))
            .collect();
        hits.sort_unstable();
        hits.dedup();
        // Two sentences that tell together; where one is held alone, it is the one that tells.
        let mut held: BTreeSet<usize> = learned.keys().copied().collect();
        held.extend(hits.iter().map(place));
        held.extend(&found.foreign);
        let numbers = found.numbers.iter();
        held.extend(
            numbers.map(|found| sentences::widen(span(found.start, found.end), sentences).0),
        );
        let own = |at: usize| found.scores.get(&at).map(|score| score.held());
        for (at, next, score) in &found.pairs {
            let telling = if own(*next) > own(*at) { next } else { at };
            let is_new = !held.contains(at) && !held.contains(next);
            if is_new && score.held() >= settings.hold_from && settings.hold_from < i32::MAX {
                learned.insert(*telling, stated(*score));
            }
        }
        // Where the list names the words, the author is shown those and not the whole sentence.
        for hit in &hits {
            learned.remove(&place(hit));
        }
        Verdict {
            hits,
            sentences: learned,
        }
    }

    /// Drops weak hits of sentences that read as harmless. Only where the words stand as they are
    /// written: the score knows nothing of words that another reading made.
    fn with_context(&self, found: &Found, place: &impl Fn(&Hit) -> usize) -> Vec<Hit> {
        let settings = self.classifier.settings();
        let is_weak = |hit: &Hit| {
            self.lexicon
                .rules
                .get(hit.rule)
                .is_some_and(|rule| rule.tier != Tier::Alone)
        };
        let harmless: BTreeSet<(usize, usize)> = found
            .hits
            .iter()
            .filter(|hit| hit.plain && is_weak(hit))
            .map(|hit| (place(hit), hit.rule))
            .filter(|(at, _)| {
                found
                    .scores
                    .get(at)
                    .is_some_and(|score| score.held() < settings.weak_from)
            })
            .collect();
        let kept = |hit: &&Hit| !harmless.contains(&(place(hit), hit.rule));
        found.hits.iter().filter(kept).copied().collect()
    }

    fn label(&self, verdict: &Verdict, found: &Found) -> Label {
        let explicit = self
            .fired(verdict)
            .any(|rule| rule.label == Label::Explicit)
            || verdict
                .sentences
                .values()
                .any(|label| *label == Label::Explicit)
            || !found.numbers.is_empty();
        if !found.unreadable.is_empty() || !found.foreign.is_empty() {
            Label::Unreadable
        } else if explicit {
            Label::Explicit
        } else {
            Label::Proxy
        }
    }

    fn rules(&self, verdict: &Verdict, found: &Found) -> Vec<String> {
        let mut names: BTreeSet<&str> = self.fired(verdict).map(|rule| rule.id.as_str()).collect();
        names.extend(found.numbers.iter().map(|number| number.rule));
        names.extend((!found.unreadable.is_empty()).then_some(UNREADABLE_RULE));
        names.extend((!found.foreign.is_empty()).then_some(LANGUAGE_RULE));
        names.extend((!verdict.sentences.is_empty()).then_some(CLASSIFIER_RULE));
        names.into_iter().map(str::to_owned).collect()
    }

    /// One neutral wording, for what tells most.
    fn suggestion(&self, verdict: &Verdict, found: &Found) -> &str {
        let rule = self
            .fired(verdict)
            .find(|rule| rule.label == Label::Explicit)
            .or_else(|| self.fired(verdict).next());
        let learned = |label| verdict.sentences.values().any(|of| *of == label);
        let family = match rule {
            Some(rule) => return &rule.suggestion,
            None if !found.numbers.is_empty() => IDENTIFIER_FAMILY,
            None if learned(Label::Explicit) => STATED_FAMILY,
            None if learned(Label::Proxy) => HINTED_FAMILY,
            None if !found.foreign.is_empty() => LANGUAGE_FAMILY,
            None => UNREADABLE_FAMILY,
        };
        self.lexicon.suggestion(family)
    }

    fn fired(&self, verdict: &Verdict) -> impl Iterator<Item = &super::lexicon::Rule> {
        verdict
            .hits
            .iter()
            .filter_map(|hit| self.lexicon.rules.get(hit.rule))
    }
}

/// What lies wholly within a reviewed sentence is of nobody.
fn forget_general(found: &mut Found, sentences: &[Span]) {
    let general = std::mem::take(&mut found.general);
    if general.is_empty() {
        return;
    }
    let within = |start: u32, end: u32| {
        let (at, wide) = sentences::widen(span(start, end), sentences);
        general.contains(&at) && sentences.get(at) == Some(&wide)
    };
    found.hits.retain(|hit| !within(hit.start, hit.end));
    found
        .numbers
        .retain(|number| !within(number.start, number.end));
    found.scores.retain(|at, _| !general.contains(at));
    found
        .pairs
        .retain(|(at, next, _)| !general.contains(at) && !general.contains(next));
    found.foreign.retain(|at| !general.contains(at));
}

fn stated(score: Score) -> Label {
    if score.explicit >= score.proxy {
        Label::Explicit
    } else {
        Label::Proxy
    }
}

fn span(start: u32, end: u32) -> Span {
    Span { start, end }
}

/// Spans in order, those that touch made one.
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut merged: Vec<Span> = Vec::new();
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => merged.push(span),
        }
    }
    merged
}
