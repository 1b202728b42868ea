//! What a consent must be for an offer and for a question, case by case.

use std::fmt::Write;

use super::*;

/// One line for each case: what was changed in a good offer, and the outcome.
#[test]
fn consent_cases() {
    type Change = fn(&mut Ask);
    let offers: &[(&str, Change)] = &[
        ("explicit consent", |_| ()),
        ("no consent", |ask| ask.consent = None),
        ("no consent, public task", |ask| {
            ask.consent = None;
            ask.basis = Some(Article6::PublicTask);
        }),
        ("implied, police to refuge", |ask| {
            ask.consent = Some(ConsentState {
                strength: Implied,
                ..LIVE
            });
        }),
        ("implied, trust to practice", |ask| {
            ask.actor.kind = OrgKind::NhsTrust;
            ask.actor.role = Role::Clinician;
            ask.recipient.kind = OrgKind::NhsGp;
            ask.consent = Some(ConsentState {
                strength: Implied,
                ..LIVE
            });
        }),
        ("implied, trust to refuge", |ask| {
            ask.actor.kind = OrgKind::NhsTrust;
            ask.actor.role = Role::Clinician;
            ask.consent = Some(ConsentState {
                strength: Implied,
                ..LIVE
            });
        }),
        ("consent names another service", |ask| {
            ask.consent = Some(ConsentState {
                covers: false,
                ..LIVE
            });
        }),
        ("withdrawn, or older than a tombstone", |ask| {
            ask.consent = Some(ConsentState {
                live: false,
                ..LIVE
            });
        }),
        ("no consent of its own, and a tombstone", |ask| {
            ask.consent = Some(ConsentState::WITHDRAWN);
        }),
        ("burglary, no consent, public task", |ask| {
            ask.offence = Some(OffenceGroup::Burglary);
            ask.consent = None;
            ask.basis = Some(Article6::PublicTask);
        }),
        ("burglary, public task, and a tombstone", |ask| {
            ask.offence = Some(OffenceGroup::Burglary);
            ask.consent = Some(ConsentState::WITHDRAWN);
            ask.basis = Some(Article6::PublicTask);
        }),
        ("burglary, charity claims public task", |ask| {
            ask.actor.kind = OrgKind::ByAndFor;
            ask.actor.role = Role::Adviser;
            ask.offence = Some(OffenceGroup::Burglary);
            ask.consent = None;
            ask.basis = Some(Article6::PublicTask);
        }),
        ("burglary, charity safeguards", |ask| {
            ask.actor.kind = OrgKind::ByAndFor;
            ask.actor.role = Role::Adviser;
            ask.offence = Some(OffenceGroup::Burglary);
            ask.consent = None;
            ask.basis = Some(Article6::RecognisedLi);
        }),
        ("burglary, basis consent without consent", |ask| {
            ask.offence = Some(OffenceGroup::Burglary);
            ask.consent = None;
        }),
        ("no offence group, public task", |ask| {
            ask.offence = None;
            ask.consent = None;
            ask.basis = Some(Article6::PublicTask);
        }),
    ];
    let queries: &[(&str, Change)] = &[
        ("both consents", |_| ()),
        ("no consent to ask", |ask| ask.consent = None),
        ("consent to ask withdrawn", |ask| {
            ask.consent = Some(ConsentState {
                live: false,
                ..LIVE
            });
        }),
        ("source has no consent to share", |ask| {
            ask.source_consent = None
        }),
        ("source's consent withdrawn", |ask| {
            ask.source_consent = Some(ConsentState {
                live: false,
                ..LIVE
            });
        }),
        ("source's consent names others", |ask| {
            ask.source_consent = Some(ConsentState {
                covers: false,
                ..LIVE
            });
        }),
        ("asker recorded the source's consent", |ask| {
            ask.source_consent = Some(ConsentState {
                from_another: false,
                ..LIVE
            });
        }),
        ("source's consent implied, to a charity", |ask| {
            ask.source_consent = Some(ConsentState {
                strength: Implied,
                ..LIVE
            });
        }),
        ("implied on both sides, between health", |ask| {
            ask.actor.kind = OrgKind::NhsGp;
            ask.recipient.kind = OrgKind::NhsGp;
            ask.actor.role = Role::Clinician;
            ask.consent = Some(ConsentState {
                strength: Implied,
                ..LIVE
            });
            ask.source_consent = Some(ConsentState {
                strength: Implied,
                ..LIVE
            });
        }),
        ("relationship that the asker made alone", |ask| {
            ask.relationship = Relationship::AcceptedOwn;
        }),
        ("only offered, not accepted", |ask| {
            ask.relationship = Relationship::OfferedTo;
        }),
        ("no relationship", |ask| {
            ask.relationship = Relationship::None
        }),
        ("she may be asked about less, cards", |ask| {
            ask.consent = Some(ConsentState {
                depth: Some(ConsentDepth::Exists),
                ..LIVE
            });
        }),
        ("she shares less, every answer", |ask| {
            ask.step = Some(ConsentDepth::Answers);
            ask.source_consent = Some(ConsentState {
                depth: Some(ConsentDepth::Cards),
                ..LIVE
            });
        }),
        ("no step", |ask| ask.step = None),
        ("name and birth date alone, cards", |ask| {
            ask.identity_sure = false;
        }),
        ("name and birth date alone, exists", |ask| {
            ask.step = Some(ConsentDepth::Exists);
            ask.identity_sure = false;
        }),
    ];
    let policies = shipped();
    let mut text = String::new();
    for (head, base, cases) in [("offer", good_offer(), offers), ("query", query(), queries)] {
        for (name, change) in cases {
            let mut ask = base.clone();
            change(&mut ask);
            let outcome = match why(&policies, &ask) {
                None => "permitted".to_owned(),
                Some(why) => format!("{why:?}"),
            };
            writeln!(text, "{head}: {name}: {outcome}").unwrap();
        }
    }
    insta::assert_snapshot!(text, @"
    offer: explicit consent: permitted
    offer: no consent: ConsentNeeded
    offer: no consent, public task: ConsentNeeded
    offer: implied, police to refuge: ConsentNeeded
    offer: implied, trust to practice: permitted
    offer: implied, trust to refuge: ConsentNeeded
    offer: consent names another service: ConsentNeeded
    offer: withdrawn, or older than a tombstone: NothingToShow
    offer: no consent of its own, and a tombstone: ConsentNeeded
    offer: burglary, no consent, public task: permitted
    offer: burglary, public task, and a tombstone: NothingToShow
    offer: burglary, charity claims public task: ConsentNeeded
    offer: burglary, charity safeguards: permitted
    offer: burglary, basis consent without consent: ConsentNeeded
    offer: no offence group, public task: ConsentNeeded
    query: both consents: permitted
    query: no consent to ask: NothingToShow
    query: consent to ask withdrawn: NothingToShow
    query: source has no consent to share: NothingToShow
    query: source's consent withdrawn: NothingToShow
    query: source's consent names others: NothingToShow
    query: asker recorded the source's consent: NothingToShow
    query: source's consent implied, to a charity: NothingToShow
    query: implied on both sides, between health: permitted
    query: relationship that the asker made alone: NothingToShow
    query: only offered, not accepted: NothingToShow
    query: no relationship: NothingToShow
    query: she may be asked about less, cards: NothingToShow
    query: she shares less, every answer: NothingToShow
    query: no step: NothingToShow
    query: name and birth date alone, cards: NothingToShow
    query: name and birth date alone, exists: permitted
    ");
}
