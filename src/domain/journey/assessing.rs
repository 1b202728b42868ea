//! An assessment is recorded once, so that she need not tell it again (3.2, 4.4).
//!
//! It lies under the recording organisation's own record of her, and nobody else is told that it
//! is there until two organisations have recorded that she wants it.

use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::assessment::{
    Answers, Assessment, EmergencyCard, NEEDS_DAYS_VALID, RISK_DAYS_VALID, SafetyCard,
};
use crate::domain::attempt::Attempt;
use crate::domain::codes::{ConsentDecision, DataClass};
use crate::domain::consent::{Consent, Opens};
use crate::domain::counterfoil::Word;
use crate::domain::decision::{Aggregate, Decision};
use crate::domain::firewall::hold::{ScreenedText, read};
use crate::domain::firewall::{Screening, Stage, Supplied, Text, screen};
use crate::domain::id::{AssessmentId, ConsentId, Id, PersonId};
use crate::domain::known::Known;
use crate::domain::person::{FieldError, keys_of};
use crate::domain::record::Record;
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::{Keys, Payload};
use crate::domain::time::When;

use super::linking::{self, Meeting};
use super::offering::write_person;
use super::subject::{Found, Subject};
use super::{Stop, caller, mark, permit};

/// What an organisation writes to itself: its own words about her, already read by the screen.
const OWN: Screening = Screening {
    stage: Stage::Accept,
    supplied: Supplied::ByRecipient,
    text: Text::Clear,
};

const CLASSES: [DataClass; 3] = [DataClass::Op, DataClass::Sp, DataClass::Loc];

/// An assessment as sent, parsed. Role and kind of the assessor are the caller's own, not said.
pub struct Draft {
    pub answers: Answers,
    pub safety: SafetyCard,
    /// Shown no longer than the tool allows, whatever this says.
    pub valid_until: Option<When>,
    /// With whom she allows it to be shared, or refuses to.
    pub consents: Vec<Consent>,
}

/// Records one assessment on the organisation's own record of her, which is made if need be.
pub fn record(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    subject: &Subject,
    draft: &Draft,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    ruling.asked(&CLASSES);
    match decide(&mut ruling, known, subject, draft) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(
    ruling: &mut Ruling<'_>,
    known: &Known,
    subject: &Subject,
    draft: &Draft,
) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    let mut ask = caller.ask(attempt, caller.as_recipient());
    ask.classes = CLASSES.to_vec();
    ask.own = true;
    // Before anything about the input is said.
    permit(ruling, &ask, ())?;
    check_fields(draft, attempt.when)?;
    let mut answers = draft.answers.clone();
    answers.assessor_role = attempt.role;
    answers.assessor_kind = caller.kind();
    let texts = Texts::read(ruling.rules(), attempt, &answers, &draft.safety)?;
    let found = subject.find(ruling.rules(), attempt, known);
    let found = found.ok_or(Stop::Nothing("no-own-record"))?;
    if keys_of(&found.tokens).next().is_none() && found.person.is_none() {
        return Err(Stop::Refuse(Refusal::CheckYourAnswers(vec![FieldError {
            field: "identity",
            message: "give her NHS number, or her names and full date of birth",
        }])));
    }
    ruling.subject(&found.tokens);

    let made = Made::new(attempt);
    let permitted = permit(ruling, &ask, payload(&texts, &made))?;
    let screened = screen(permitted, OWN);
    mark(ruling, &screened);

    let person = own_record(ruling, known, &found);
    let of = Aggregate::Person(person);
    ruling.payload(&of, &screened);
    let consents = share_consents(ruling, person, &draft.consents);
    let assessment = Assessment {
        id: AssessmentId(made.assessment),
        person,
        source: attempt.organisation().clone(),
        source_kind: caller.kind(),
        recorded_by: attempt.user.as_str().to_owned(),
        recorded_at: attempt.when,
        valid_until: valid_until(draft),
        consents,
        answers_item: made.answers,
        emergency_item: made.emergency,
        safety_item: (!draft.safety.is_empty()).then_some(made.safety),
        relied_on: Vec::new(),
    };
    ruling.fact(of, made.assessment, &Record::Assessment(assessment));
    let outward = ruling
        .aliases()
        .outward(AliasKind::Assessment, made.assessment);
    ruling.made(outward);
    ruling.object(Some(outward), Some(made.assessment));
    Ok(Answer::Assessed {
        assessment: AssessmentId(outward),
        ticks: answers.ticks(),
    })
}

/// Ids that this attempt makes.
struct Made {
    assessment: Id,
    answers: Id,
    emergency: Id,
    safety: Id,
}

impl Made {
    fn new(attempt: &Attempt) -> Self {
        let entropy = &attempt.entropy;
        Self {
            assessment: entropy.id("assessment"),
            answers: entropy.id("answers item"),
            emergency: entropy.id("emergency item"),
            safety: entropy.id("safety item"),
        }
    }
}

fn check_fields(draft: &Draft, now: When) -> Result<(), Refusal> {
    let answers = &draft.answers;
    let mut wrong = Vec::new();
    if answers.assessed_at > now {
        wrong.push(FieldError {
            field: "assessed_at",
            message: "this is in the future",
        });
    }
    if answers.items.len() > answers.instrument.items_max() {
        wrong.push(FieldError {
            field: "items",
            message: "this tool has fewer questions",
        });
    }
    let mut codes: Vec<&str> = answers.items.iter().map(|item| &*item.code).collect();
    codes.sort_unstable();
    if codes.windows(2).any(|pair| pair.first() == pair.last()) {
        wrong.push(FieldError {
            field: "items",
            message: "each question has one answer",
        });
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Refusal::CheckYourAnswers(wrong))
    }
}

/// What a person wrote, read by the screen. Words about immigration go back to the author, and
/// nothing of them is kept (F5).
struct Texts<'d> {
    answers: ScreenedText<&'d Answers>,
    safety: ScreenedText<&'d SafetyCard>,
}

impl<'d> Texts<'d> {
    fn read(
        rules: &Rules,
        attempt: &Attempt,
        answers: &'d Answers,
        safety: &'d SafetyCard,
    ) -> Result<Self, Refusal> {
        match (read(rules, attempt, answers), read(rules, attempt, safety)) {
            (Ok(answers), Ok(safety)) => Ok(Self { answers, safety }),
            (answers, safety) => {
                let holds = [answers.err(), safety.err()];
                let holds = holds.into_iter().flatten().flatten().collect();
                Err(Refusal::ImmigrationContentFound(holds))
            }
        }
    }
}

/// The risk and the names around it are sealed apart: a query opens the first, only an emergency
/// opens the last.
fn payload(texts: &Texts<'_>, made: &Made) -> Payload {
    let Texts { answers, safety } = texts;
    let mut payload = Payload::default();
    if let Ok(plain) = answers.encode() {
        payload.add(DataClass::Sp, made.answers, plain);
    }
    let card = EmergencyCard {
        grade: answers.get().grade,
        basis: answers.get().basis,
        assessed_at: answers.get().assessed_at,
    };
    if let Ok(plain) = card.encode() {
        payload.add(DataClass::Sp, made.emergency, plain);
    }
    if let Some(Ok(plain)) = (!safety.get().is_empty()).then(|| safety.encode()) {
        payload.add(DataClass::Loc, made.safety, plain);
    }
    payload
}

fn own_record(ruling: &mut Ruling<'_>, known: &Known, found: &Found) -> PersonId {
    let attempt = ruling.attempt();
    let new = PersonId(attempt.entropy.id("person"));
    let own = attempt.organisation();
    write_person(ruling, known, own, &found.tokens, found.person, new);
    let person = found.person.unwrap_or(new);
    let meeting = Meeting {
        person,
        organisation: own,
        tokens: &found.tokens,
        asks: false,
        holds: true,
    };
    linking::meet(ruling, known, &meeting);
    person
}

/// Her word on sharing, as recorded with the assessment: a refusal is a record too.
fn share_consents(ruling: &mut Ruling<'_>, person: PersonId, stated: &[Consent]) -> Vec<ConsentId> {
    let attempt = ruling.attempt();
    let mut recorded = Vec::new();
    for (number, stated) in stated.iter().enumerate() {
        let id = ConsentId(attempt.entropy.id(&format!("share consent {number}")));
        let consent = Consent {
            id,
            recorded_by: attempt.organisation().clone(),
            opens: Opens::Share,
            ..stated.clone()
        };
        ruling.consent(id.id());
        ruling.fact(
            Aggregate::Person(person),
            id.id(),
            &Record::Consent(consent.clone()),
        );
        recorded.push(consent);
    }
    let ids = recorded.iter().map(|consent| consent.id).collect();
    recorded.retain(|consent| consent.decision == ConsentDecision::Deny);
    if !recorded.is_empty() {
        ruling.took(Word::Refused {
            person,
            consents: recorded,
            at: attempt.when,
        });
    }
    ids
}

fn valid_until(draft: &Draft) -> When {
    let days = if draft.answers.instrument.is_risk() {
        RISK_DAYS_VALID
    } else {
        NEEDS_DAYS_VALID
    };
    let longest = draft.answers.assessed_at.plus_days(days);
    draft
        .valid_until
        .map_or(longest, |until| until.min(longest))
}

#[cfg(test)]
mod tests;
