//! What is shown of assessments: that one exists, cards, answers, and an organisation's own history.

use serde_json::{Map, Value, json};

use crate::domain::alias::{AliasKind, Aliases};
use crate::domain::assessment::disagreement::{Graded, banner};
use crate::domain::assessment::{Answers, Assessment, Card, Disagreement, EndedHow};
use crate::domain::codes::OrgKind;
use crate::domain::instrument::{Instruments, Tool};
use crate::domain::journey::querying::SHOWN_MAX;
use crate::pipeline::OpenedItem;

/// What cards and answers are made of.
pub struct Shown<'a> {
    pub aliases: &'a Aliases,
    pub instruments: &'a Instruments,
    pub opened: &'a [OpenedItem],
}

/// That something exists. Not how many, whose, nor of when.
pub fn exists(is_sure: bool) -> Map<String, Value> {
    let says = if is_sure {
        "An earlier assessment exists. If she agrees, ask for the cards: she need not say it again."
    } else {
        "An earlier assessment exists under this name and date of birth. We cannot tell yet that it \
         is hers. Confirm who she is: record her NHS number, postcode, telephone or e-mail with your \
         own assessment of her, or wait until the service that holds it has confirmed, then ask for \
         the cards."
    };
    let mut map = Map::new();
    map.insert("exists".to_owned(), json!(true));
    map.insert("identity_confirmed".to_owned(), json!(is_sure));
    map.insert("says".to_owned(), json!(says));
    map
}

/// Where as many are shown as one answer holds.
const AT_MOST: &str = "At most 20 are shown: the newest of each grade, those about which services \
     disagree, then the highest grades and the newest.";
/// What is read to her (no surprises).
const READ_ALOUD: &str = "Another service that you allowed has told us what you already said, so \
                          that you need not say it again. You can stop this at any time.";

impl Shown<'_> {
    /// Every assessment that may be shown, none averaged, none left out for being older (AS-05): the
    /// highest grade first.
    pub fn cards(&self, assessments: &[Assessment]) -> Map<String, Value> {
        let cards = assessments
            .iter()
            .filter_map(|assessment| Some((assessment, self.card_of(assessment)?)));
        let mut cards: Vec<(&Assessment, Card)> = cards.collect();
        cards.sort_by_key(|(assessment, card)| Graded::of(&assessment.source, card).rank());
        let graded: Vec<Graded> = cards
            .iter()
            .map(|(assessment, card)| Graded::of(&assessment.source, card))
            .collect();
        let both = |with: &Disagreement| cards.iter().any(|(one, _)| one.id == with.with);
        let list: Vec<Value> = cards
            .iter()
            .map(|(assessment, card)| {
                let mut value = self.card(assessment, card);
                // Of another that is not shown here it would tell that it exists.
                let shown = assessment.disagreements.iter().filter(|one| both(one));
                value.insert("disagreements".to_owned(), self.disagreements(shown));
                Value::Object(value)
            })
            .collect();
        let mut map = Map::new();
        map.insert("assessments".to_owned(), json!(list));
        map.insert("disagreement".to_owned(), json!(banner(&graded)));
        if cards.len() == SHOWN_MAX {
            // Said of what is shown alone, whether or not there are more.
            map.insert("shown_at_most".to_owned(), json!(AT_MOST));
        }
        map.insert("read_aloud".to_owned(), json!(READ_ALOUD));
        map
    }

    /// One with every answer.
    pub fn answers(&self, assessment: &Assessment) -> Map<String, Value> {
        let mut map = Map::new();
        if let Some(card) = self.card_of(assessment) {
            let mut value = self.card(assessment, &card);
            value.insert("items".to_owned(), self.items(assessment, &card));
            map.insert("assessment".to_owned(), Value::Object(value));
        }
        map.insert("read_aloud".to_owned(), json!(READ_ALOUD));
        map
    }

    /// The organisation's own, the newest first; who was shown them is not in it.
    pub fn own(&self, assessments: &[Assessment]) -> Map<String, Value> {
        let list: Vec<Value> = assessments
            .iter()
            .map(|assessment| Value::Object(self.of_own(assessment)))
            .collect();
        let mut map = Map::new();
        map.insert("assessments".to_owned(), json!(list));
        map
    }

    fn of_own(&self, assessment: &Assessment) -> Map<String, Value> {
        let mut value = match self.card_of(assessment) {
            Some(card) => {
                let mut value = self.card(assessment, &card);
                value.insert("items".to_owned(), self.items(assessment, &card));
                value
            }
            // Taken back: that it was there, and nothing of what it said.
            None => Map::from_iter([("id".to_owned(), json!(self.id(assessment.id.id())))]),
        };
        let replaces = assessment.replaces.as_ref().map(|replaced| {
            json!({
                "assessment": self.id(replaced.of.id()),
                "how": replaced.how.code(),
                "because": replaced.because.code(),
            })
        });
        let (mut by, mut withdrawn) = (None, None);
        match assessment.ended.as_ref().map(|ended| ended.how) {
            Some(EndedHow::ReplacedBy(other)) => by = Some(self.id(other.id())),
            Some(EndedHow::Withdrawn(because)) => withdrawn = Some(because.code()),
            None => {}
        }
        let ended = assessment.ended.as_ref();
        for (name, given) in [
            ("recorded_at", json!(assessment.recorded_at.rfc3339())),
            ("recorded_by", json!(assessment.recorded_by)),
            ("replaces", json!(replaces)),
            ("superseded_by", json!(by)),
            ("withdrawn_because", json!(withdrawn)),
            ("ended_at", json!(ended.map(|ended| ended.at.rfc3339()))),
            ("ended_by", json!(ended.map(|ended| &ended.by))),
            (
                "disagreements",
                self.disagreements(assessment.disagreements.iter()),
            ),
        ] {
            value.insert(name.to_owned(), given);
        }
        value
    }

    fn id(&self, inner: crate::domain::id::Id) -> String {
        self.aliases
            .outward(AliasKind::Assessment, inner)
            .to_string()
    }

    fn opened(&self, item: crate::domain::id::Id) -> Option<&OpenedItem> {
        self.opened.iter().find(|opened| opened.part.item == item)
    }

    fn card_of(&self, assessment: &Assessment) -> Option<Card> {
        Card::decode(&self.opened(assessment.card_item)?.plain).ok()
    }

    fn tool(&self, card: &Card) -> Option<&Tool> {
        self.instruments.tool(card.instrument)
    }

    /// Without a name of whoever assessed, and without any answer.
    fn card(&self, assessment: &Assessment, card: &Card) -> Map<String, Value> {
        let own = self.aliases.organisation();
        let tool = self.tool(card);
        let codes = |codes: Vec<&'static str>| json!(codes);
        let usual = card.ticks.and_then(|_| tool?.usual_words());
        Map::from_iter(
            [
                ("id", json!(self.id(assessment.id.id()))),
                ("instrument", json!(card.instrument.code())),
                ("instrument_name", json!(tool.map(|tool| &tool.name))),
                ("instrument_version", json!(card.instrument_version)),
                ("is_risk", json!(tool.map(|tool| tool.is_risk))),
                ("assessed_at", json!(card.assessed_at.rfc3339())),
                ("assessor_role", json!(card.assessor_role.code())),
                (
                    "assessor_service",
                    json!(kind_of_service(card.assessor_kind)),
                ),
                ("assessor_trained", json!(card.assessor_trained)),
                ("ticks", json!(card.ticks)),
                ("ticks_in_local_practice", json!(usual)),
                ("grade", json!(card.grade.code())),
                ("grade_basis", json!(card.basis.code())),
                (
                    "judgement_codes",
                    codes(card.judgement_codes.iter().map(|one| one.code()).collect()),
                ),
                ("judgement_reasons", json!(card.judgement_reasons)),
                (
                    "needs",
                    codes(card.needs.iter().map(|need| need.code()).collect()),
                ),
                ("adjustments", json!(card.adjustments)),
                ("valid_until", json!(assessment.valid_until.rfc3339())),
                ("own", json!(assessment.source == *own)),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        )
    }

    /// Codes and our own labels; a question that the tool has no more keeps its code.
    fn items(&self, assessment: &Assessment, card: &Card) -> Value {
        let answers = self
            .opened(assessment.answers_item)
            .and_then(|opened| Answers::decode(&opened.plain).ok());
        let label = |code: &str| {
            let mut questions = self.tool(card)?.questions.iter();
            questions
                .find(|question| question.code == code)
                .map(|question| question.label.clone())
        };
        let items: Vec<Value> = answers
            .iter()
            .flat_map(|answers| &answers.items)
            .map(|item| {
                json!({
                    "code": item.code, "label": label(&item.code), "answer": item.answer.code(),
                })
            })
            .collect();
        json!(items)
    }

    fn disagreements<'d>(&self, given: impl Iterator<Item = &'d Disagreement>) -> Value {
        let list: Vec<Value> = given
            .map(|one| {
                json!({ "assessment": self.id(one.with.id()), "because": one.because.code() })
            })
            .collect();
        json!(list)
    }
}

/// The kind of service, wide enough not to tell status (F7): a by-and-for body is a specialist one.
/// Police and tainted teams never get so far.
const fn kind_of_service(kind: OrgKind) -> &'static str {
    match kind {
        OrgKind::NhsTrust | OrgKind::NhsGp | OrgKind::Sarc | OrgKind::Icb => "health",
        OrgKind::LocalAuthority => "local authority",
        OrgKind::VoluntaryGeneric
        | OrgKind::VoluntarySpecialist
        | OrgKind::ByAndFor
        | OrgKind::Refuge => "a specialist service",
        OrgKind::Police
        | OrgKind::Court
        | OrgKind::Cafcass
        | OrgKind::Cps
        | OrgKind::Wcu
        | OrgKind::Probation
        | OrgKind::LegalAdviser
        | OrgKind::Commissioner
        | OrgKind::Operator
        | OrgKind::Reviewer => "another service",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::assessment::disagreement::Graded;
    use crate::domain::codes::GradeBasis;
    use crate::domain::journey::trial::{draft, org, start};

    #[test]
    fn how_many_are_shown_is_said_as_it_is() {
        assert!(AT_MOST.starts_with(&format!("At most {SHOWN_MAX} are shown")));
    }

    #[test]
    fn the_banner_tells_no_more_of_a_service_than_its_card() {
        let mut card = draft(start(), &["lantern"]).card;
        card.basis = GradeBasis::ProfessionalJudgement;
        for kind in OrgKind::ALL {
            card.assessor_kind = *kind;
            let shown = kind_of_service(*kind) == "a specialist service";
            let graded = Graded::of(&org("lantern"), &card);
            assert_eq!(graded.is_specialist, shown, "{}", kind.code());
        }
    }
}
