//! An assessment is recorded once, so that she need not tell it again (3.2, 4.4).
//!
//! It lies under the recording organisation's own record of her, and nobody else is told that it
//! is there until two organisations have recorded that she wants it.

use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::assessment::{
    Answers, Assessment, Card, Disagreement, EmergencyCard, SafetyCard,
};
use crate::domain::attempt::Attempt;
use crate::domain::codes::{
    ConsentDecision, DataClass, DisagreementReason, GradeBasis, ReplaceHow, ReplaceReason,
};
use crate::domain::consent::{Consent, Opens};
use crate::domain::counterfoil::Word;
use crate::domain::decision::{Aggregate, Decision};
use crate::domain::firewall::hold::{ScreenedText, read};
use crate::domain::firewall::{Screening, Stage, Supplied, Text, screen};
use crate::domain::id::{AssessmentId, ConsentId, Id, PersonId};
use crate::domain::instrument::Tool;
use crate::domain::known::Known;
use crate::domain::person::{FieldError, keys_of};
use crate::domain::record::Record;
use crate::domain::refusal::Refusal;
use crate::domain::returns::Happened;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::{Keys, Payload};
use crate::domain::time::When;

use super::consenting::{keep_consent, names_a_notice};
use super::counting;
use super::linking::{self, Meeting};
use super::offering::write_person;
use super::subject::{Found, Subject};
use super::{Stop, caller, mark, permit};

pub mod history;
mod replacing;
pub mod taking_back;
mod telling;

/// What an organisation writes to itself: its own words about her, already read by the screen.
pub(super) const OWN: Screening = Screening {
    stage: Stage::Accept,
    supplied: Supplied::ByRecipient,
    text: Text::Clear,
};

const CLASSES: [DataClass; 3] = [DataClass::Op, DataClass::Sp, DataClass::Loc];

/// An assessment as sent, parsed. Role and kind of the assessor are the caller's own, not said.
pub struct Draft {
    pub card: Card,
    pub answers: Answers,
    pub safety: SafetyCard,
    /// Shown no longer than the tool allows, whatever this says.
    pub valid_until: Option<When>,
    /// With whom she allows it to be shared, or refuses to.
    pub consents: Vec<Consent>,
    pub replaces: Option<Replaces>,
    /// Other assessments from which this one differs on purpose.
    pub disagreements: Vec<Differs>,
}

/// One of the organisation's own assessments of her, whose place this one takes.
pub struct Replaces {
    /// As the organisation knows it.
    pub assessment: Id,
    pub how: ReplaceHow,
    pub because: ReplaceReason,
}

/// An assessment that the organisation was shown, and why it grades otherwise.
pub struct Differs {
    pub assessment: Id,
    pub because: DisagreementReason,
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
    let tool = ruling.rules().instruments.tool(draft.card.instrument);
    let tool = tool.ok_or(Stop::Nothing("no-such-tool"))?;
    check_fields(tool, draft, attempt.when)?;
    names_a_notice(ruling, &draft.consents)?;
    let mut card = draft.card.clone();
    card.ticks = tool.ticks(&draft.answers.items);
    card.assessor_role = attempt.role;
    card.assessor_kind = caller.kind();
    let texts = Texts::read(ruling.rules(), attempt, &card, &draft.safety)?;
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
    let child = tool.child_at_risk(&draft.answers.items);
    let permitted = permit(ruling, &ask, payload(&texts, &draft.answers, child, &made))?;
    let screened = screen(permitted, OWN);
    mark(ruling, &screened);

    let old = replacing::find(ruling, known, found.person, draft.replaces.as_ref())?;
    let person = own_record(ruling, known, &found);
    let of = Aggregate::Person(person);
    ruling.payload(&of, &screened);
    let mut consents = share_consents(ruling, person, &draft.consents);
    if old.is_none_or(|(_, why)| why.how != ReplaceHow::Correction) {
        counting::own(ruling, Happened::Assessed);
    }
    let replaces = old.map(|(old, why)| {
        consents.extend(replacing::carried_over(old, why));
        if why.how == ReplaceHow::Correction {
            telling::tell_shown(ruling, known, old);
        }
        replacing::end(ruling, old, AssessmentId(made.assessment), why)
    });
    let assessment = Assessment {
        id: AssessmentId(made.assessment),
        person,
        source: attempt.organisation().clone(),
        source_kind: caller.kind(),
        recorded_by: attempt.user.as_str().to_owned(),
        recorded_at: attempt.when,
        valid_until: valid_until(tool, draft),
        grade: card.grade,
        consents,
        card_item: made.card,
        answers_item: made.answers,
        emergency_item: made.emergency,
        safety_item: (!draft.safety.is_empty()).then_some(made.safety),
        replaces,
        ended: None,
        disagreements: disagreements(ruling, &draft.disagreements),
        shown: Vec::new(),
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
        ticks: card.ticks,
    })
}

/// Ids that this attempt makes.
struct Made {
    assessment: Id,
    card: Id,
    answers: Id,
    emergency: Id,
    safety: Id,
}

impl Made {
    fn new(attempt: &Attempt) -> Self {
        let entropy = &attempt.entropy;
        Self {
            assessment: entropy.id("assessment"),
            card: entropy.id("card item"),
            answers: entropy.id("answers item"),
            emergency: entropy.id("emergency item"),
            safety: entropy.id("safety item"),
        }
    }
}

fn check_fields(tool: &Tool, draft: &Draft, now: When) -> Result<(), Refusal> {
    let card = &draft.card;
    let mut wrong = tool.check(&card.instrument_version, &draft.answers.items, card.grade);
    if card.assessed_at > now {
        wrong.push(FieldError {
            field: "assessed_at",
            message: "this is in the future",
        });
    }
    let judged = match card.basis {
        GradeBasis::Score => false,
        GradeBasis::ProfessionalJudgement
        | GradeBasis::Escalation
        | GradeBasis::SpecialistReview => true,
    };
    if judged && card.judgement_codes.is_empty() && card.judgement_reasons.is_empty() {
        wrong.push(FieldError {
            field: "judgement_reasons",
            message: "a grade that was judged needs a reason: a code in judgement_codes, or words",
        });
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Refusal::CheckYourAnswers(wrong))
    }
}

/// Named as the caller knows them. That one is none that it was shown would tell, so nothing is
/// looked up; it is shown beside this one to those alone who are shown both.
fn disagreements(ruling: &Ruling<'_>, given: &[Differs]) -> Vec<Disagreement> {
    let aliases = ruling.aliases();
    let named = given.iter().map(|one| Disagreement {
        with: AssessmentId(aliases.inward(AliasKind::Assessment, one.assessment)),
        because: one.because,
    });
    named.collect()
}

/// What a person wrote, read by the screen. Words about immigration go back to the author, and
/// nothing of them is kept (F5).
struct Texts<'d> {
    card: ScreenedText<&'d Card>,
    safety: ScreenedText<&'d SafetyCard>,
}

impl<'d> Texts<'d> {
    fn read(
        rules: &Rules,
        attempt: &Attempt,
        card: &'d Card,
        safety: &'d SafetyCard,
    ) -> Result<Self, Refusal> {
        match (read(rules, attempt, card), read(rules, attempt, safety)) {
            (Ok(card), Ok(safety)) => Ok(Self { card, safety }),
            (card, safety) => {
                let holds = [card.err(), safety.err()];
                let holds = holds.into_iter().flatten().flatten().collect();
                Err(Refusal::ImmigrationContentFound(holds))
            }
        }
    }
}

/// Card, answers, risk and the names around it are sealed apart: each step of a question opens its
/// own, and only an emergency opens the last.
fn payload(texts: &Texts<'_>, answers: &Answers, child: bool, made: &Made) -> Payload {
    let Texts { card, safety } = texts;
    let mut payload = Payload::default();
    if let Ok(plain) = card.encode() {
        payload.add(DataClass::Sp, made.card, plain);
    }
    if let Ok(plain) = answers.encode() {
        payload.add(DataClass::Sp, made.answers, plain);
    }
    let emergency = EmergencyCard {
        child_at_risk: child,
        grade: card.get().grade,
        basis: card.get().basis,
        assessed_at: card.get().assessed_at,
    };
    if let Ok(plain) = emergency.encode() {
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
    write_person(ruling, known, own, &found.tokens, (found.person, new), None);
    let person = found.person.unwrap_or(new);
    let meeting = Meeting {
        person,
        organisation: own,
        tokens: &found.tokens,
        parent: None,
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
        keep_consent(ruling, person, &consent);
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

fn valid_until(tool: &Tool, draft: &Draft) -> When {
    let longest = draft.card.assessed_at.plus_days(i64::from(tool.days_valid));
    draft
        .valid_until
        .map_or(longest, |until| until.min(longest))
}

#[cfg(test)]
mod tests;
