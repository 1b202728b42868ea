//! Consent recorded by itself, and taken back by whoever recorded it (4.3).

use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::codes::{ConsentDecision, Purpose};
use crate::domain::consent::Consent;
use crate::domain::counterfoil::Word;
use crate::domain::decision::{Aggregate, Decision, List, Listed};
use crate::domain::id::{AssessmentId, ConsentId, Id, PersonId};
use crate::domain::known::Known;
use crate::domain::person::FieldError;
use crate::domain::record::Record;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;
use crate::domain::time::When;

use super::{Stop, caller, permit};

/// A consent says which words were read to her, so that it can be shown later what she agreed to (GDPR
/// Article 7(1)): a version that never was would show nothing. About what the caller sent alone, so it
/// is asked before anything is looked for.
///
/// # Errors
/// Where the versions are.
pub fn names_a_notice<'c>(
    ruling: &Ruling<'_>,
    consents: impl IntoIterator<Item = &'c Consent>,
) -> Result<(), FieldError> {
    let mut named = consents
        .into_iter()
        .filter_map(|consent| consent.notice_version.as_deref());
    let notices = &ruling.rules().notices;
    if named.all(|name| notices.is_read_before(name)) {
        return Ok(());
    }
    Err(FieldError {
        field: "consent.notice_version",
        message: "no words that are read to her before she decides have this name: GET /v1/notices \
                  lists all, earlier versions too; leave it out if none were read",
    })
}

/// Records a consent or a refusal on the organisation's own record of the person, under its name for
/// her.
pub fn record(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    person: Id,
    consent: &Consent,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    let person = PersonId(ruling.aliases().inward(AliasKind::Person, person));
    match decide(&mut ruling, known, person, consent) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(
    ruling: &mut Ruling<'_>,
    known: &Known,
    person: PersonId,
    consent: &Consent,
) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    permit(ruling, &caller.ask(attempt, caller.as_recipient()), ())?;
    names_a_notice(ruling, [consent])?;
    let tokens = own_tokens(known, attempt, person)?;
    ruling.subject(&tokens);
    let id = ConsentId(attempt.entropy.id("consent"));
    let named = consent.items.iter().map(|item| {
        let inward = ruling.aliases().inward(AliasKind::Assessment, item.id());
        AssessmentId(inward)
    });
    let consent = Consent {
        id,
        recorded_by: attempt.organisation().clone(),
        items: named.collect(),
        ..consent.clone()
    };
    ruling.consent(id.id());
    if consent.decision == ConsentDecision::Deny {
        ruling.took(Word::Refused {
            person,
            consents: vec![consent.clone()],
            at: attempt.when,
        });
    }
    keep_consent(ruling, person, &consent);
    let outward = ruling.aliases().outward(AliasKind::Consent, id.id());
    ruling.made(outward);
    ruling.object(Some(outward), Some(id.id()));
    Ok(Answer::Consented {
        consent: ConsentId(outward),
    })
}

/// Keeps a consent on the record of whoever took it, wherever it was said, and brings it up when it is
/// to be gone through with her again.
pub fn keep_consent(ruling: &mut Ruling<'_>, person: PersonId, consent: &Consent) {
    if let Some(at) = consent.review_at {
        let own = List::Reviews(ruling.attempt().organisation().clone());
        ruling.list(own, at.place(), person.id());
    }
    let of = Aggregate::Person(person);
    ruling.fact(of, consent.id.id(), &Record::Consent(consent.clone()));
}

/// A consent that is to be gone through with her again, as its own organisation sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueConsent {
    /// Under the organisation's own names.
    pub consent: ConsentId,
    pub person: Id,
    pub purposes: Vec<Purpose>,
    pub review_at: When,
    pub until: When,
}

/// The caller's own consents whose review is due. It follows from what this organisation recorded and
/// nothing else: that she withdrew elsewhere does not show here.
pub fn due(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    entries: &[Listed],
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    let permitted = caller(known, attempt)
        .map_err(Stop::Refuse)
        .and_then(|caller| permit(&mut ruling, &caller.ask(attempt, caller.as_recipient()), ()));
    if let Err(stop) = permitted {
        return ruling.stop(stop);
    }
    let mut people: Vec<PersonId> = entries.iter().map(|entry| PersonId(entry.item)).collect();
    people.sort_unstable();
    people.dedup();
    let mut found = Vec::new();
    for id in people {
        if own_tokens(known, attempt, id).is_err() {
            continue;
        }
        let consents = known
            .people
            .get(&id)
            .map(|person| person.consents.as_slice());
        let consents = consents.unwrap_or_default();
        found.extend(consents.iter().filter_map(|consent| {
            let review_at = consent.review_at?;
            is_due(consent, consents, attempt.when).then(|| DueConsent {
                consent: ConsentId(
                    ruling
                        .aliases()
                        .outward(AliasKind::Consent, consent.id.id()),
                ),
                person: ruling.aliases().outward(AliasKind::Person, id.id()),
                purposes: consent.purposes.clone(),
                review_at,
                until: consent.until,
            })
        }));
    }
    found.sort_by_key(|due| (due.review_at, due.consent));
    ruling.finish(Answer::ConsentsDue(found))
}

/// A permit of this organisation's own that still runs, whose day has come, and that she has not given
/// anew or refused since: for as much, as far, to as many, and not over or taken back.
fn is_due(consent: &Consent, all: &[Consent], now: When) -> bool {
    let (purposes, classes) = (&consent.purposes, &consent.classes);
    let decided_anew = |later: &&Consent| {
        // A refusal does not end, and stops every step.
        let reaches = later.decision == ConsentDecision::Deny
            || now < later.until && later.depth >= consent.depth;
        later.given_at > consent.given_at
            && reaches
            && later.opens == consent.opens
            && !later.paused
            && later.withdrawn_at.is_none()
            && later.items == consent.items
            && later.recipients == consent.recipients
            && purposes
                .iter()
                .all(|purpose| later.purposes.contains(purpose))
            && classes.iter().all(|class| later.classes.contains(class))
    };
    consent.decision == ConsentDecision::Permit
        && !consent.paused
        && consent.withdrawn_at.is_none()
        && consent.review_at.is_some_and(|at| at <= now)
        && now < consent.until
        && !all.iter().any(|later| decided_anew(&later))
}

/// Takes back one consent. The reply is the same whether there was one.
pub fn withdraw(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    person: Id,
    alias: Id,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    let person = PersonId(ruling.aliases().inward(AliasKind::Person, person));
    let inward = ruling.aliases().inward(AliasKind::Consent, alias);
    ruling.object(Some(alias), Some(inward));
    let permitted = caller(known, attempt)
        .map_err(Stop::Refuse)
        .and_then(|caller| permit(&mut ruling, &caller.ask(attempt, caller.as_recipient()), ()));
    if let Err(stop) = permitted {
        return ruling.stop(stop);
    }
    // Whether or not there is one, so that what is kept tells nothing.
    ruling.took(Word::TookBack {
        person,
        consent: inward,
        at: attempt.when,
    });
    if let Ok(tokens) = own_tokens(known, attempt, person) {
        ruling.subject(&tokens);
        let consents = known
            .people
            .get(&person)
            .map(|person| person.consents.as_slice());
        let found = consents
            .unwrap_or_default()
            .iter()
            .find(|consent| consent.id.id() == inward && consent.withdrawn_at.is_none());
        if let Some(consent) = found {
            let consent = Consent {
                withdrawn_at: Some(attempt.when),
                ..consent.clone()
            };
            ruling.consent(inward);
            ruling.fact(Aggregate::Person(person), inward, &Record::Consent(consent));
        }
    }
    ruling.finish(Answer::Withdrawn { at: attempt.when })
}

/// The tokens of the caller's own record of a person; nothing if it has none.
pub fn own_tokens(
    known: &Known,
    attempt: &Attempt,
    person: PersonId,
) -> Result<Vec<crate::domain::person::TaggedToken>, Stop> {
    known
        .people
        .get(&person)
        .and_then(|person| person.record.as_ref())
        .filter(|record| record.organisation == *attempt.organisation())
        .map(|record| record.tokens.clone())
        .ok_or(Stop::Nothing("no own record of this person"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::codes::ConsentDepth;
    use crate::domain::consent::Opens;
    use crate::domain::id::AssessmentId;
    use crate::domain::journey::trial;

    #[test]
    fn only_a_word_that_replaces_it_takes_the_place_of_a_review() {
        let now = trial::start().plus_days(100);
        let mut consent = trial::consent(Opens::Share, &["lantern"]);
        consent.review_at = Some(now);
        consent.until = now.plus_days(100);
        consent.depth = Some(ConsentDepth::Cards);
        let due = |later: Consent| is_due(&consent, &[consent.clone(), later], now);
        let anew = Consent {
            given_at: trial::start().plus_days(50),
            ..consent.clone()
        };
        assert!(!due(anew.clone()));
        let further = Consent {
            depth: Some(ConsentDepth::Answers),
            ..anew.clone()
        };
        assert!(!due(further));
        let refused = Consent {
            decision: ConsentDecision::Deny,
            depth: None,
            until: now,
            ..anew.clone()
        };
        assert!(!due(refused));
        let over = Consent {
            until: now,
            ..anew.clone()
        };
        let less_far = Consent {
            depth: Some(ConsentDepth::Exists),
            ..anew.clone()
        };
        let of_less = Consent {
            classes: consent.classes[1..].to_vec(),
            ..anew.clone()
        };
        assert_ne!(of_less.classes.len(), consent.classes.len());
        let paused = Consent {
            paused: true,
            ..anew.clone()
        };
        let taken_back = Consent {
            withdrawn_at: Some(now),
            ..anew.clone()
        };
        let of_one_item = Consent {
            items: vec![AssessmentId(Id::ZERO)],
            ..anew.clone()
        };
        let to_others = Consent {
            recipients: trial::consent(Opens::Share, &["harbour"]).recipients,
            ..anew
        };
        for later in [
            over,
            less_far,
            of_less,
            paused,
            taken_back,
            of_one_item,
            to_others,
        ] {
            assert!(due(later));
        }
    }
}
