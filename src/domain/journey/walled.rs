//! For any referral, consent, recipient and rules: no reply to police, a council, a health body or a
//! tainted team has an immigration value, or a proxy that `domain.md` 3.0.2 denies.
//!
//! The store is spoilt on purpose: under every item of every referral and assessment lies a part of
//! each class with a word that gives it away, as no journey would write it. So what is found in a
//! reply was let through by policy and firewall, and not merely never stored. The rules are those
//! shipped, and the firewall's forbids beside one policy that permits everything.

use std::sync::OnceLock;

use proptest::prelude::*;

use super::emergency::{Glass, break_glass};
use super::querying::{Query, Step, query};
use super::trial::*;
use super::{answering, reading};
use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::codes::*;
use crate::domain::consent::Opens;
use crate::domain::decision::Listed;
use crate::domain::firewall::hold::Unread;
use crate::domain::id::Id;
use crate::domain::policy::{Policies, Unproved};
use crate::domain::rulebook::Rulebook;
use crate::domain::rules::Rules;
use crate::domain::time::When;

use super::answering::Response;
use super::subject::Subject;
use super::withdrawing::Wish;

/// The word in a part of each class.
fn marker(class: DataClass) -> String {
    format!("class-{}-marker", class.code())
}

/// What 3.0.2 lets a peer have of another's, written down apart from the table that is tested:
/// before it accepted, after, and in a confirmed emergency.
fn open(kind: OrgKind, tainted: bool, stage: At) -> &'static [DataClass] {
    use DataClass::{Ft, Id, Ip, Loc, Op, Sp};
    match (kind, stage) {
        _ if tainted => &[],
        // Never where or how she is, no text, no language that it did not give itself.
        (OrgKind::Police, _) => &[Op],
        (_, At::Outside) => &[Op],
        (_, At::Emergency) => &[Op, Sp, Loc, Ip],
        (_, At::Accepted) => &[Op, Id, Loc, Sp, Ip, Ft],
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Outside,
    Accepted,
    Emergency,
}

fn widest() -> &'static Rules {
    static RULES: OnceLock<Rules> = OnceLock::new();
    RULES.get_or_init(|| {
        let (schema, files) = Policies::shipped_files();
        let forbids = files.iter().find(|(name, _)| name.contains("firewall"));
        let everything = "@id(\"T01.everything\")\n@says(\"Permits all.\")\n\
                          permit (principal, action, resource);\n";
        let files = [*forbids.unwrap(), ("10-everything.cedar", everything)];
        let widest = Unproved::load(schema, &files).unwrap().assume_proved();
        Rules::of(Rulebook::with_policies(widest))
    })
}

/// One run of the world.
#[derive(Clone, Debug)]
struct Case {
    widest: bool,
    /// Who was referred to, and by which way.
    to: &'static str,
    direction: Direction,
    accepts: bool,
    withdraws: bool,
    /// Whom she allows to be told what the hospital knows.
    shares: Vec<&'static str>,
    asks_with_consent: bool,
    /// Tainted before the offer, after it was accepted, as a team or as a whole.
    tainted: Option<(&'static str, bool, bool)>,
    role: Option<Role>,
    purpose: Option<Purpose>,
}

const PEERS: [&str; 6] = ["met", "trust", "practice", "council", "lantern", "harbour"];
const SERVICES: [&str; 4] = ["lantern", "harbour", "council", "practice"];

fn cases() -> impl Strategy<Value = Case> {
    let direction = prop::sample::select(vec![
        Direction::Police,
        Direction::SelfReferral,
        Direction::Health,
        Direction::LocalAuthority,
    ]);
    let tainted = (
        prop::sample::select(PEERS.to_vec()),
        any::<bool>(),
        any::<bool>(),
    );
    (
        any::<bool>(),
        prop::sample::select(SERVICES.to_vec()),
        direction,
        (any::<bool>(), any::<bool>(), any::<bool>()),
        prop::sample::subsequence(PEERS.to_vec(), 0..=3),
        prop::option::of(tainted),
        prop::option::of(prop::sample::select(Role::ALL.to_vec())),
        prop::option::of(prop::sample::select(Purpose::ALL.to_vec())),
    )
        .prop_map(
            |(
                widest,
                to,
                direction,
                (accepts, withdraws, asks),
                shares,
                tainted,
                role,
                purpose,
            )| {
                Case {
                    widest,
                    to,
                    direction,
                    accepts,
                    withdraws,
                    shares,
                    asks_with_consent: asks,
                    tainted,
                    role,
                    purpose,
                }
            },
        )
}

fn taint(town: &mut Town, (name, whole, _): (&str, bool, bool)) {
    if whole {
        town.taint_whole(name);
    } else {
        town.taint(name);
    }
}

/// Plays it, and gives what each peer was told: words of the parts that were opened, and the rest
/// of the answer as text.
fn play(case: &Case) -> Vec<Told> {
    let mut town = Town::in_order();
    if case.widest {
        town.rules = widest();
    }
    town.assess("trust", AMINA, &draft(start(), &case.shares));
    town.now = town.now.plus_hours(1);
    let early = case.tainted.filter(|(_, _, early)| *early);
    if let Some(tainted) = early {
        taint(&mut town, tainted);
    }
    // What a tainted team may not be offered is not.
    let offered = early.is_none_or(|(name, _, _)| name != case.to && name != "met");
    let alias = if offered {
        town.refer("met", case.to, AMINA, case.direction)
    } else {
        Id::from_bytes([5; 16])
    };
    town.spoil(marker);
    if offered && case.accepts {
        town.accept(case.to, alias);
    }
    if case.withdraws {
        let everything = Wish {
            scope: WithdrawalScope::Everything,
            organisations: Vec::new(),
            classes: Vec::new(),
            purposes: Vec::new(),
            channel: "telephone".to_owned(),
            pause: false,
        };
        town.withdraw("lantern", AMINA, &everything);
    }
    if let Some(tainted) = case.tainted {
        taint(&mut town, tainted);
    }
    let mut told = Vec::new();
    for peer in PEERS {
        ask_all(&mut town, case, peer, alias, &mut told);
    }
    told
}

/// What one peer was told by one reply.
struct Told {
    peer: &'static str,
    kind: OrgKind,
    tainted: bool,
    stage: At,
    how: &'static str,
    words: Vec<u8>,
    answered: &'static str,
}

fn ask_all(town: &mut Town, case: &Case, peer: &'static str, alias: Id, told: &mut Vec<Told>) {
    let rules = &Rules::for_tests();
    let inward = rules
        .aliases_of(&org(case.to))
        .inward(AliasKind::Referral, alias);
    let own = rules
        .aliases_of(&org(peer))
        .outward(AliasKind::Referral, inward);
    let entries = [Listed {
        at: 0,
        index: 0,
        item: inward,
    }];
    let mut tell = |town: &mut Town, how, stage, action, decide: &dyn Fn(&Asked<'_>) -> Decided| {
        let mut attempt = attempt(peer, action);
        attempt.role = case.role.unwrap_or(attempt.role);
        attempt.purpose = case.purpose.unwrap_or(attempt.purpose);
        let done = town.run(attempt, |rules, attempt, known, keys| {
            decide(&Asked {
                rules,
                attempt,
                known,
                keys: std::cell::Cell::new(Some(keys)),
            })
        });
        let known = town.known();
        let organisation = &known.organisations[&org(peer)];
        told.push(Told {
            peer,
            kind: organisation.kind,
            tainted: organisation.tainted(&organisation.teams[0].id, town.now),
            stage,
            how,
            words: words(town, &done.answer),
            answered: done.answer.told(),
        });
    };
    let accepted = if case.accepts && peer == case.to {
        At::Accepted
    } else {
        At::Outside
    };
    for (how, action) in [
        ("inbox", Action::ReadInbox),
        ("events", Action::ReadEvents),
        ("sent", Action::ReadReferralStatus),
    ] {
        tell(town, how, At::Outside, action, &|asked| {
            reading::list(
                asked.rules,
                asked.attempt,
                asked.known,
                asked.keys(),
                &entries,
            )
        });
    }
    tell(
        town,
        "status",
        At::Outside,
        Action::ReadReferralStatus,
        &|asked| {
            let ask = reading::Ask::Status;
            reading::referral(
                asked.rules,
                asked.attempt,
                asked.known,
                asked.keys(),
                own,
                &ask,
            )
        },
    );
    tell(town, "read", accepted, Action::ReadReferral, &|asked| {
        let response = Response::Read;
        answering::respond(
            asked.rules,
            asked.attempt,
            asked.known,
            asked.keys(),
            own,
            &response,
        )
    });
    for subject in [true, false] {
        tell(
            town,
            "query",
            accepted,
            Action::QueryAssessments,
            &|asked| {
                let question = Query {
                    subject: if subject {
                        Subject::Referral(own)
                    } else {
                        Subject::Tokens(tokens(AMINA), None)
                    },
                    step: Step::Cards,
                    consent: case.asks_with_consent.then(|| consent(Opens::Query, &[])),
                    onward_rule_accepted: true,
                    card_code: None,
                };
                query(
                    asked.rules,
                    asked.attempt,
                    asked.known,
                    asked.keys(),
                    &question,
                )
            },
        );
    }
    tell(
        town,
        "emergency",
        At::Emergency,
        Action::BreakGlass,
        &|asked| {
            let glass = Glass {
                subject: Subject::Tokens(tokens(AMINA), None),
                reason: EmergencyReason::LifeAtRisk,
                words: Unread::new("reason", "She may be killed before she is seen.".to_owned()),
                on_shift: true,
                confirm: true,
                onward_rule_accepted: true,
            };
            break_glass(
                asked.rules,
                asked.attempt,
                asked.known,
                asked.keys(),
                &glass,
            )
        },
    );
    // Last, because it changes what is so: whoever may still accept does.
    tell(
        town,
        "accept",
        At::Accepted,
        Action::AcceptReferral,
        &|asked| {
            let response = Response::Accept {
                worker: "worker".to_owned(),
                onward_rule_accepted: true,
                no_conflict: true,
            };
            answering::respond(
                asked.rules,
                asked.attempt,
                asked.known,
                asked.keys(),
                own,
                &response,
            )
        },
    );
}

type Decided = Result<
    crate::domain::decision::Decision<crate::domain::ruling::Ruled>,
    crate::domain::ruling::BadRuling,
>;

/// What a journey is given.
struct Asked<'a> {
    rules: &'a Rules,
    attempt: &'a crate::domain::attempt::Attempt,
    known: &'a crate::domain::known::Known,
    keys: std::cell::Cell<Option<crate::domain::seal::Keys>>,
}

impl Asked<'_> {
    fn keys(&self) -> crate::domain::seal::Keys {
        self.keys.take().unwrap()
    }
}

/// All that a reply could be made of.
fn words(town: &Town, answer: &Answer) -> Vec<u8> {
    let mut words: Vec<u8> = Vec::new();
    for part in answer.parts() {
        words.extend_from_slice(town.plain(part));
        words.push(b'\n');
    }
    let rest = match answer {
        Answer::Inbox(list) => format!("{list:?}"),
        Answer::Released(referral, _) => format!("{referral:?}"),
        Answer::Assessments(list, _) => format!("{list:?}"),
        Answer::Emergency(list, lines, _) => format!("{list:?}{lines:?}"),
        Answer::Events(events) => events.iter().map(|event| event.code.as_str()).collect(),
        Answer::Refused(refusal) => refusal.detail(),
        _ => String::new(),
    };
    words.extend_from_slice(rest.as_bytes());
    words
}

fn holds(words: &[u8], marker: &str) -> bool {
    words
        .windows(marker.len())
        .any(|at| at == marker.as_bytes())
}

fn check(case: &Case) -> Result<usize, TestCaseError> {
    let mut seen = 0;
    for told in play(case) {
        let allowed = open(told.kind, told.tainted, told.stage);
        for class in DataClass::ALL {
            let found = holds(&told.words, &marker(*class));
            seen += usize::from(found);
            prop_assert!(
                !found || allowed.contains(class),
                "{} by {} has {}",
                told.how,
                told.peer,
                class.code()
            );
        }
        if told.tainted {
            let nothing = ["nothing-to-show"].contains(&told.answered)
                || crate::domain::refusal::Refusal::is_code(told.answered);
            prop_assert!(nothing, "{} by {}: {}", told.how, told.peer, told.answered);
        }
    }
    Ok(seen)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_reply_has_what_the_table_denies(case in cases()) {
        check(&case)?;
    }
}

/// A test that finds nothing anywhere would find no leak either.
#[test]
fn what_may_be_told_is_found_by_the_same_search() {
    for widest in [false, true] {
        let case = Case {
            widest,
            to: "council",
            direction: Direction::Police,
            accepts: true,
            withdraws: false,
            shares: vec!["council", "lantern"],
            asks_with_consent: true,
            tainted: None,
            role: None,
            purpose: None,
        };
        assert!(check(&case).unwrap() >= 4);
        let read = play(&case);
        let read = read
            .iter()
            .find(|told| told.how == "read" && told.peer == "council");
        let read = read.unwrap();
        assert_eq!(read.answered, "released");
        assert!(holds(&read.words, &marker(DataClass::Id)));
        assert!(!holds(&read.words, &marker(DataClass::Im)));
        // The same team, tainted since: nothing, of what was released to it and of anything else.
        for whole in [false, true] {
            let later = Case {
                tainted: Some(("council", whole, false)),
                ..case.clone()
            };
            for told in play(&later).iter().filter(|told| told.peer == "council") {
                assert!(told.tainted);
                assert!(!holds(&told.words, "marker"), "{}", told.how);
            }
        }
    }
}

/// Time alone taints: an attestation that lapsed between acceptance and release.
#[test]
fn a_team_that_lapsed_after_it_accepted_is_released_nothing() {
    let mut town = Town::in_order();
    let alias = town.accepted("lantern", AMINA);
    let read = |town: &mut Town, now: When| {
        town.now = now;
        let done = town.run(
            attempt("lantern", Action::ReadReferral),
            |rules, attempt, known, keys| {
                answering::respond(rules, attempt, known, keys, alias, &Response::Read)
            },
        );
        done.answer.told()
    };
    assert_eq!(read(&mut town, start().plus_days(88)), "released");
    assert_eq!(read(&mut town, start().plus_days(89)), "nothing-to-show");
}

/// F5: an entry that says that words were held names nobody, and one that names her does not say so.
#[test]
fn no_entry_joins_held_words_to_a_woman() {
    let text = || Unread::new("note", "Her visa expired in March.".to_owned());
    let mut town = Town::in_order();
    let mut offer = town.offer("lantern", AMINA, Direction::Police);
    offer.note = Some(text());
    let offered = town.run(
        attempt("met", Action::OfferReferral),
        |rules, attempt, known, keys| super::offering::offer(rules, attempt, known, keys, &offer),
    );
    let Answer::Offered(told) = &offered.answer else {
        panic!("{}", offered.answer.told());
    };
    // The author is told; the offer goes on, and says nothing of it.
    assert!(!told.held.is_empty());
    assert!(offered.decided.subject.is_some() && offered.decided.firewall.is_none());
    assert!(
        !offered
            .decided
            .notes
            .iter()
            .any(|note| note.contains("held"))
    );
    let alias = told.referral.id();

    let mut again = attempt("met", Action::AddNote);
    again.purpose = Purpose::OnwardReferral;
    let noted = town.run(again, |rules, attempt, known, keys| {
        let ask = reading::Ask::Note(&text());
        reading::referral(rules, attempt, known, keys, alias, &ask)
    });
    assert!(matches!(noted.answer, Answer::Noted { held, .. } if !held.is_empty()));
    assert!(noted.decided.subject.is_some() && noted.decided.firewall.is_none());
    assert!(!noted.decided.notes.iter().any(|note| note.contains("text")));

    offer.strict = true;
    let refused = town.run(
        attempt("met", Action::OfferReferral),
        |rules, attempt, known, keys| super::offering::offer(rules, attempt, known, keys, &offer),
    );
    assert_eq!(refused.answer.told(), "immigration-content-found");
    assert_eq!(refused.decided.firewall.unwrap().rule, "F5");
    assert!(refused.decided.subject.is_none() && refused.decided.concerned.is_empty());
}

/// F9: each release carries the acceptance, and the entry says so; without it the refusal is the
/// same, whoever is asked about.
#[test]
fn nothing_is_released_without_the_onward_rule() {
    let mut town = Town::in_order();
    town.assess("trust", AMINA, &draft(start(), &["lantern"]));
    town.now = town.now.plus_hours(1);
    let alias = town.refer("met", "lantern", AMINA, Direction::Police);
    let accept = |town: &mut Town, alias, onward_rule_accepted| {
        let response = Response::Accept {
            worker: "worker".to_owned(),
            onward_rule_accepted,
            no_conflict: true,
        };
        town.run(
            attempt("lantern", Action::AcceptReferral),
            |rules, attempt, known, keys| {
                answering::respond(rules, attempt, known, keys, alias, &response)
            },
        )
    };
    for id in [alias, Id::from_bytes([5; 16])] {
        let done = accept(&mut town, id, false);
        assert_eq!(done.answer.told(), "check-your-answers");
        assert!(done.decided.subject.is_none() && done.answer.parts().is_empty());
    }
    let released = accept(&mut town, alias, true);
    assert_eq!(released.answer.told(), "released");
    assert!(released.noted(super::ONWARD_RULE_ACCEPTED));

    let ask = |town: &mut Town, names, onward_rule_accepted| {
        let question = Query {
            subject: Subject::Tokens(tokens(names), None),
            step: Step::Cards,
            consent: Some(consent(Opens::Query, &[])),
            onward_rule_accepted,
            card_code: None,
        };
        town.run(
            attempt("lantern", Action::QueryAssessments),
            |rules, attempt, known, keys| query(rules, attempt, known, keys, &question),
        )
    };
    for names in [AMINA, BEATA] {
        let done = ask(&mut town, names, false);
        assert_eq!(done.answer.told(), "check-your-answers");
        assert!(done.decided.subject.is_none());
    }
    let shown = ask(&mut town, AMINA, true);
    assert_eq!(shown.answer.told(), "assessments");
    assert!(shown.noted(super::ONWARD_RULE_ACCEPTED));

    let glass = |onward_rule_accepted| Glass {
        subject: Subject::Tokens(tokens(AMINA), None),
        reason: EmergencyReason::LifeAtRisk,
        words: Unread::new("reason", "She may be killed before she is seen.".to_owned()),
        on_shift: true,
        confirm: true,
        onward_rule_accepted,
    };
    for (accepted, told) in [(false, "check-your-answers"), (true, "emergency-view")] {
        let done = town.run(
            attempt("trust", Action::BreakGlass),
            |rules, attempt, known, keys| {
                break_glass(rules, attempt, known, keys, &glass(accepted))
            },
        );
        assert_eq!(done.answer.told(), told);
        assert_eq!(done.noted(super::ONWARD_RULE_ACCEPTED), accepted);
    }
}
