//! What keeping a draft promises.

use super::super::trial::*;
use super::*;
use crate::domain::attempt::UserName;
use crate::domain::codes::Action;
use crate::domain::draft::decode;
use crate::domain::firewall::Screened;
use crate::domain::seal::ItemKey;

const WHOLE: &[(&str, &str)] = &[
    ("offence_group", "domestic_abuse"),
    ("identity.given_name", "Amina"),
    ("identity.nhs_number", "999 12"),
    ("safe_contact.number", "07700 900123"),
    ("safe_contact.hours", "weekdays, before noon"),
    ("safe_contact.language_need", "so"),
    ("other_party.risks", "has_weapons"),
    ("note", "Two children, who are at school."),
];

fn filled(pairs: &[(&str, &str)]) -> Filled {
    let pairs = pairs.iter();
    let pairs = pairs.map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()]));
    Filled::parse(pairs).ok().unwrap()
}

fn keeps(town: &mut Town, at: &str, again: Option<Id>, pairs: &[(&str, &str)]) -> Done {
    let filled = filled(pairs);
    town.run(
        attempt(at, Action::KeepDraft),
        |rules, attempt, known, keys| keep(rules, attempt, known, keys, again, &filled),
    )
}

fn alias(done: &Done) -> Id {
    match &done.answer {
        Answer::DraftKept { draft, .. } => draft.id.id(),
        answer => panic!("{}", answer.told()),
    }
}

/// What the worker of that name finds in it, by field.
fn finds(town: &mut Town, at: &str, user: &str, alias: Id) -> Option<Vec<(String, String)>> {
    let mut opening = attempt(at, Action::OpenDraft);
    opening.user = UserName::parse(user).unwrap();
    let done = town.run(opening, |rules, attempt, known, keys| {
        open(rules, attempt, known, keys, alias)
    });
    let parts = |release: &Screened<Release>| release.value().parts.clone();
    let parts = match &done.answer {
        Answer::Draft(_, release) => parts(release),
        Answer::Nothing => return None,
        answer => panic!("{}", answer.told()),
    };
    let mut fields: Vec<(String, String)> = parts
        .iter()
        .flat_map(|part| decode(town.plain(part)))
        .map(|(name, value)| (name, value.to_string()))
        .collect();
    fields.sort();
    Some(fields)
}

fn count(town: &mut Town, at: &str) -> usize {
    let listed: Vec<Listed> = town
        .known()
        .drafts
        .keys()
        .map(|id| Listed {
            at: 0,
            index: 0,
            item: id.id(),
        })
        .collect();
    let done = town.run(
        attempt(at, Action::OpenDraft),
        |rules, attempt, known, keys| list(rules, attempt, known, keys, &listed),
    );
    match done.answer {
        Answer::Drafts(list) => list.len(),
        answer => panic!("{}", answer.told()),
    }
}

#[test]
fn who_wrote_it_finds_it_whole_and_nobody_else_finds_anything() {
    let mut town = Town::in_order();
    let draft = alias(&keeps(&mut town, "lantern", None, WHOLE));
    let mut all: Vec<(String, String)> = WHOLE
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    all.sort();
    assert_eq!(finds(&mut town, "lantern", "worker", draft), Some(all));
    assert_eq!(count(&mut town, "lantern"), 1);
    // A colleague, another organisation, and a name that was never given.
    assert_eq!(finds(&mut town, "lantern", "colleague", draft), None);
    assert_eq!(finds(&mut town, "harbour", "worker", draft), None);
    assert_eq!(finds(&mut town, "lantern", "worker", Id::ZERO), None);
    assert_eq!(count(&mut town, "harbour"), 0);
    let done = town.run(
        attempt("harbour", Action::EraseDraft),
        |rules, attempt, known, keys| throw_away(rules, attempt, known, keys, draft),
    );
    assert!(matches!(done.answer, Answer::Nothing));
    assert_eq!(count(&mut town, "lantern"), 1);
}

#[test]
fn an_entry_says_that_it_was_kept_and_not_of_whom() {
    let mut town = Town::in_order();
    let done = keeps(&mut town, "lantern", None, WHOLE);
    assert!(done.decided.subject.is_none() && done.decided.concerned.is_empty());
    assert!(done.decided.object.is_some() && done.decided.notes.is_empty());
    let facts = town.facts().values();
    let held: Vec<&Vec<u8>> = facts
        .filter(|bytes| bytes.windows(5).any(|at| at == b"Amina"))
        .collect();
    assert!(held.is_empty(), "facts hold no names");
}

#[test]
fn words_that_the_screen_holds_are_not_kept_nor_is_anything_with_them() {
    let mut town = Town::in_order();
    // Which refusals somebody had lately is a fact about her, and not about what she wrote.
    let kept = |town: &Town| {
        let facts = town.facts().iter();
        let facts = facts.filter(|((of, _), _)| !matches!(of, Aggregate::User(..)));
        facts
            .map(|(at, bytes)| (at.clone(), bytes.clone()))
            .collect::<Vec<_>>()
    };
    let before = kept(&town);
    for field in [
        "note",
        "safe_contact.hours",
        "safe_contact.who_may_answer",
        "safe_contact.code_word",
    ] {
        let done = keeps(
            &mut town,
            "lantern",
            None,
            &[
                ("identity.given_name", "Amina"),
                (field, "Her visa expired in May."),
            ],
        );
        let Answer::Refused(Refusal::ImmigrationContentFound(held)) = &done.answer else {
            panic!("{field}: {}", done.answer.told());
        };
        assert_eq!(held.first().map(|hold| hold.field), Some(field));
        assert_eq!(kept(&town), before, "{field}");
        assert!(town.known().parts.is_empty(), "{field}");
    }
    // What was kept before stays as it was.
    let draft = alias(&keeps(&mut town, "lantern", None, WHOLE));
    keeps(
        &mut town,
        "lantern",
        Some(draft),
        &[("note", "Her visa expired in May.")],
    );
    let found = finds(&mut town, "lantern", "worker", draft).unwrap();
    assert_eq!(found.len(), WHOLE.len());
}

#[test]
fn what_the_firewall_would_not_tell_a_team_is_not_kept_for_it() {
    let mut town = Town::in_order();
    let done = keeps(&mut town, "met", None, WHOLE);
    let draft = alias(&done);
    let fields = |found: Option<Vec<(String, String)>>| -> Vec<String> {
        found.unwrap().into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(
        fields(finds(&mut town, "met", "worker", draft)),
        [
            "identity.given_name",
            "identity.nhs_number",
            "offence_group",
            "other_party.risks",
            "safe_contact.language_need",
        ]
    );
    let draft = alias(&keeps(&mut town, "trust", None, WHOLE));
    assert!(
        !fields(finds(&mut town, "trust", "worker", draft))
            .contains(&"other_party.risks".to_owned())
    );
    // Tainted since: nothing is opened, and nothing more is kept.
    town.taint("trust");
    assert_eq!(finds(&mut town, "trust", "worker", draft), None);
    assert!(matches!(
        keeps(&mut town, "trust", None, WHOLE).answer,
        Answer::Nothing
    ));
}

#[test]
fn police_read_no_more_than_that_even_if_it_were_there() {
    let mut town = Town::in_order();
    let draft = alias(&keeps(&mut town, "met", None, WHOLE));
    town.spoil(|class| format!("spoilt {}", class.code()));
    let done = town.run(
        attempt("met", Action::OpenDraft),
        |rules, attempt, known, keys| open(rules, attempt, known, keys, draft),
    );
    let Answer::Draft(_, release) = &done.answer else {
        panic!("{}", done.answer.told());
    };
    let told = release.value().classes();
    assert_eq!(
        told,
        [DataClass::Op, DataClass::Id, DataClass::Ip, DataClass::Perp]
    );
}

#[test]
fn one_person_keeps_five_and_each_for_seven_days() {
    let mut town = Town::in_order();
    let first = alias(&keeps(&mut town, "lantern", None, WHOLE));
    town.now = start().plus_days(1);
    for _ in 1..DRAFTS_MAX {
        alias(&keeps(&mut town, "lantern", None, WHOLE));
    }
    let sixth = keeps(&mut town, "lantern", None, WHOLE);
    assert!(matches!(
        sixth.answer,
        Answer::Refused(Refusal::CheckYourAnswers(_))
    ));
    // Kept anew, it is the same one, and stays for as long again.
    let again = alias(&keeps(
        &mut town,
        "lantern",
        Some(first),
        &[("offence_group", "stalking")],
    ));
    assert_eq!(again, first);
    town.now = start().plus_days(8).plus_millis(-1);
    let found = finds(&mut town, "lantern", "worker", first).unwrap();
    assert_eq!(found, [("offence_group".to_owned(), "stalking".to_owned())]);
    town.now = start().plus_days(8);
    assert_eq!(finds(&mut town, "lantern", "worker", first), None);
    assert_eq!(count(&mut town, "lantern"), 0);
    alias(&keeps(&mut town, "lantern", None, WHOLE));
}

#[test]
fn thrown_away_or_over_nothing_is_left_of_it() {
    let mut town = Town::in_order();
    let draft = alias(&keeps(&mut town, "lantern", None, WHOLE));
    let done = town.run(
        attempt("lantern", Action::EraseDraft),
        |rules, attempt, known, keys| throw_away(rules, attempt, known, keys, draft),
    );
    assert!(matches!(done.answer, Answer::DraftErased));
    assert!(town.known().parts.is_empty() && town.known().drafts.is_empty());

    keeps(&mut town, "lantern", None, WHOLE);
    town.now = start().plus_days(2);
    let younger = keeps(&mut town, "harbour", None, WHOLE);
    town.now = start().plus_days(DRAFT_DAYS);
    let known = town.known();
    let entries: Vec<Listed> = known
        .drafts
        .values()
        .map(|draft| Listed {
            at: draft.until.place(),
            index: 0,
            item: draft.id.id(),
        })
        .collect();
    let due = Due {
        now: town.now,
        entries: &entries,
    };
    let entropy = Entropy::new([7; 32]);
    let keys = Keys::new(
        vec![ItemKey::new(crate::domain::seal::Slot(1), [1; 32])],
        entropy.branch("nonces"),
    );
    let decision = erase_due(town.rules, town.now, &entropy, keys, &known, &due);
    let (_, committed) = decision.ok().flatten().unwrap().split();
    town.take(committed.writes);
    let left: Vec<Id> = town.known().drafts.keys().map(|id| id.id()).collect();
    assert_eq!(left, [younger.decided.object.unwrap()]);
    assert!(
        town.known()
            .parts
            .iter()
            .all(|part| part.of == Aggregate::Draft(DraftId(left[0])))
    );
}
