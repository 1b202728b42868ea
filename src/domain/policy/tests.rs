//! The laws that every change of the rules must keep. The rules as a person reviews them are in
//! `matrix`; what must not load is in `loading`.

use proptest::prelude::*;

use super::*;

mod agreement;
mod consent;
mod loading;
mod matrix;

use crate::domain::codes::ConsentStrength::{Explicit, Implied};

fn shipped() -> Policies {
    match Policies::shipped() {
        Ok(policies) => policies,
        Err(error) => panic!("{error}"),
    }
}

const LIVE: ConsentState = ConsentState {
    strength: Explicit,
    live: true,
    covers: true,
    from_another: true,
    depth: Some(ConsentDepth::Answers),
};

/// A kind of body in which the role is held.
fn home(role: Role) -> OrgKind {
    match role {
        Role::Reviewer => OrgKind::Reviewer,
        Role::Officer | Role::VcopUnit => OrgKind::Police,
        Role::Triage | Role::Adviser | Role::IgOfficer | Role::Dpo | Role::OrgAdmin => {
            OrgKind::VoluntarySpecialist
        }
        Role::Clinician | Role::EdSenior | Role::Caldicott => OrgKind::NhsTrust,
        Role::SocialWorker | Role::Housing | Role::MaracCoordinator | Role::MaracMember => {
            OrgKind::LocalAuthority
        }
        Role::CourtOfficer => OrgKind::Court,
        Role::LegalAdviser => OrgKind::LegalAdviser,
        Role::Analyst => OrgKind::Commissioner,
        Role::OperatorAdmin => OrgKind::Operator,
    }
}

/// A request in which everything but role and purpose is as it should be.
fn good(action: Action, kind: OrgKind, role: Role, purpose: Purpose) -> Ask {
    let actor = OrgId::parse("asker").unwrap();
    let other = OrgId::parse("other").unwrap();
    let to_other = matches!(
        action,
        Action::OfferReferral | Action::AddNote | Action::SealItem
    );
    let takes = match action {
        Action::SealItem => OrgKind::LegalAdviser,
        _ => OrgKind::Refuge,
    };
    let (relationship, classes) = match action {
        Action::AcceptReferral | Action::DeclineReferral | Action::WaitReferral => {
            (Relationship::OfferedTo, vec![DataClass::Op])
        }
        Action::ReadReferralStatus => (Relationship::Sender, vec![DataClass::Op]),
        Action::BreakGlass => (Relationship::None, vec![DataClass::Op, DataClass::Sp]),
        Action::SealItem => (Relationship::None, vec![DataClass::Sealed]),
        _ => (Relationship::AcceptedFromAnother, vec![DataClass::Op]),
    };
    Ask {
        action,
        purpose,
        actor: Actor {
            organisation: actor.clone(),
            kind,
            active: true,
            team: TeamId::parse("team").unwrap(),
            tainted: false,
            role,
            role_assertable: true,
            person_certificate: true,
            second_factor: true,
            agreement_in_date: true,
        },
        certificate_organisation: actor.clone(),
        recipient: Recipient {
            organisation: if to_other { other.clone() } else { actor },
            kind: if to_other { takes } else { kind },
            active: true,
            tainted: false,
            agreement_in_date: true,
        },
        giver: None,
        classes,
        own: matches!(
            action,
            Action::RecordAssessment
                | Action::WithdrawAssessment
                | Action::ReadOwnAssessments
                | Action::KeepDraft
                | Action::OpenDraft
        ),
        relationship,
        offence: Some(OffenceGroup::DomesticAbuse),
        basis: Some(Article6::Consent),
        consent: Some(LIVE),
        source_consent: Some(LIVE),
        step: (action == Action::QueryAssessments).then_some(ConsentDepth::Cards),
        identity_sure: true,
        emergency_confirmed: true,
        proposer: Some(other),
    }
}

pub(in crate::domain) fn good_offer() -> Ask {
    good(
        Action::OfferReferral,
        OrgKind::Police,
        Role::Officer,
        Purpose::OnwardReferral,
    )
}

fn query() -> Ask {
    let mut ask = good(
        Action::QueryAssessments,
        OrgKind::VoluntarySpecialist,
        Role::Adviser,
        Purpose::Support,
    );
    ask.giver = Some(OrgKind::NhsTrust);
    ask.classes = vec![DataClass::Op, DataClass::Sp];
    ask
}

fn why(policies: &Policies, ask: &Ask) -> Option<DeniedWhy> {
    authorise(policies, ask, ()).err().map(|denied| denied.why)
}

#[test]
fn every_policy_says_what_it_enforces() {
    let policies = shipped();
    assert!(policies.ids().len() > 40);
    for id in policies.ids() {
        assert!(
            policies.says(&id).is_some_and(|says| says.ends_with('.')),
            "{id}"
        );
    }
}

#[test]
fn an_unknown_action_is_never_permitted() {
    let policies = shipped();
    for role in Role::ALL {
        for purpose in Purpose::ALL {
            let ask = good(Action::Unknown, home(*role), *role, *purpose);
            assert_eq!(why(&policies, &ask), Some(DeniedWhy::RoleNotAllowed));
        }
    }
}

#[test]
fn police_never_query_assessments_or_break_the_glass() {
    let policies = shipped();
    for action in [
        Action::QueryAssessments,
        Action::RelyOnAssessment,
        Action::RecordAssessment,
        Action::BreakGlass,
    ] {
        for role in Role::ALL {
            for purpose in Purpose::ALL {
                let ask = good(action, OrgKind::Police, *role, *purpose);
                assert_eq!(
                    why(&policies, &ask),
                    Some(DeniedWhy::RoleNotAllowed),
                    "{action:?} {role:?} {purpose:?}"
                );
            }
        }
    }
}

#[test]
fn police_who_say_support_are_told_that_it_is_not_their_purpose() {
    let mut ask = good(
        Action::ReadReferralStatus,
        OrgKind::Police,
        Role::Officer,
        Purpose::Support,
    );
    assert_eq!(why(&shipped(), &ask), Some(DeniedWhy::PurposeNotAllowed));
    ask.purpose = Purpose::OnwardReferral;
    assert_eq!(why(&shipped(), &ask), None);
}

#[test]
fn a_tainted_team_is_told_nothing_and_still_takes_her_word() {
    let policies = shipped();
    let gives = [
        Action::RecordConsent,
        Action::WithdrawConsent,
        Action::Withdraw,
        Action::IssueCard,
        Action::SettleWithdrawal,
        Action::AnswerStopUse,
        Action::WithdrawAssessment,
        Action::ScreenText,
        // What one wrote oneself can be thrown away.
        Action::EraseDraft,
    ];
    let governs = [
        Action::ReadAudit,
        Action::ReadAuditSubject,
        Action::ReportSubject,
        Action::ReadAuditQueue,
        Action::DecideAuditItem,
        Action::Propose,
        Action::Approve,
        Action::Narrow,
        Action::ReadProposals,
        Action::SecondFactor,
        Action::Reconcile,
        Action::FlagPerson,
        Action::OpenSeal,
        Action::ReadDevices,
        Action::AddDevice,
        Action::RemoveDevice,
        // Counts of what its own organisation did, of nobody.
        Action::ReadReturn,
    ];
    let permitted: Vec<Action> = Action::ALL
        .iter()
        .copied()
        .filter(|action| {
            Role::ALL.iter().any(|role| {
                Purpose::ALL.iter().any(|purpose| {
                    let mut ask = good(*action, OrgKind::LocalAuthority, *role, *purpose);
                    ask.actor.tainted = true;
                    ask.recipient.tainted = true;
                    policies.permits(&ask)
                })
            })
        })
        .collect();
    let mut expected: Vec<Action> = gives.into_iter().chain(governs).collect();
    expected.sort();
    assert_eq!(permitted, expected);
}

#[test]
fn a_tainted_reader_learns_no_reason_and_a_tainted_service_takes_no_offer() {
    let mut read = query();
    read.actor.tainted = true;
    read.recipient.tainted = true;
    assert_eq!(why(&shipped(), &read), Some(DeniedWhy::NothingToShow));
    let mut sent = good_offer();
    sent.recipient.tainted = true;
    assert_eq!(
        why(&shipped(), &sent),
        Some(DeniedWhy::RecipientNotAvailable)
    );
    let mut to_police = good_offer();
    to_police.recipient.kind = OrgKind::Police;
    assert_eq!(
        why(&shipped(), &to_police),
        Some(DeniedWhy::RecipientNotAvailable)
    );
}

#[test]
fn immigration_data_is_forbidden_in_every_action() {
    let policies = shipped();
    for action in Action::ALL {
        for role in Role::ALL {
            for purpose in [Purpose::Support, Purpose::Emergency] {
                let mut ask = good(*action, home(*role), *role, purpose);
                ask.classes.push(DataClass::Im);
                let verdict = policies.ask(&ask).unwrap();
                assert!(!verdict.allowed, "{action:?}");
                let rule = "F02.immigration-never".to_owned();
                assert!(verdict.rules.contains(&rule), "{action:?}");
            }
        }
    }
}

#[test]
fn the_code_and_the_policy_agree_which_offences_need_explicit_consent() {
    let policies = shipped();
    for offence in OffenceGroup::ALL {
        let mut ask = good_offer();
        ask.offence = Some(*offence);
        ask.consent = None;
        ask.basis = Some(Article6::PublicTask);
        assert_eq!(
            why(&policies, &ask).is_some(),
            offence.needs_explicit_consent(),
            "{offence:?}"
        );
    }
}

#[test]
fn watchers_act_in_person_and_approve_for_another_organisation() {
    let policies = shipped();
    let audit = good(
        Action::ReadAudit,
        OrgKind::Police,
        Role::IgOfficer,
        Purpose::Audit,
    );
    assert_eq!(why(&policies, &audit), None);
    let mut by_system = audit.clone();
    by_system.actor.person_certificate = false;
    assert_eq!(why(&policies, &by_system), Some(DeniedWhy::RoleNotAllowed));
    let mut without_factor = audit;
    without_factor.actor.second_factor = false;
    assert_eq!(
        why(&policies, &without_factor),
        Some(DeniedWhy::SecondFactorNeeded)
    );
    without_factor.action = Action::SecondFactor;
    assert_eq!(why(&policies, &without_factor), None);

    let approve = good(
        Action::Approve,
        OrgKind::Refuge,
        Role::OrgAdmin,
        Purpose::Administration,
    );
    assert_eq!(why(&policies, &approve), None);
    let mut own = approve.clone();
    own.proposer = Some(own.actor.organisation.clone());
    assert_eq!(
        why(&policies, &own),
        Some(DeniedWhy::SecondOrganisationNeeded)
    );
    let mut nobodys = approve;
    nobodys.proposer = None;
    assert!(why(&policies, &nobodys).is_some());
}

#[test]
fn an_emergency_is_confirmed_first() {
    let mut ask = good(
        Action::BreakGlass,
        OrgKind::NhsTrust,
        Role::EdSenior,
        Purpose::Emergency,
    );
    assert_eq!(why(&shipped(), &ask), None);
    ask.emergency_confirmed = false;
    assert_eq!(
        why(&shipped(), &ask),
        Some(DeniedWhy::EmergencyNotConfirmed)
    );
}

#[test]
fn police_are_told_of_her_safety_only_if_she_agrees_or_life_is_at_risk() {
    let policies = shipped();
    let mut ask = good(
        Action::UpdateReferral,
        OrgKind::Refuge,
        Role::Adviser,
        Purpose::Support,
    );
    ask.recipient.organisation = OrgId::parse("met-police").unwrap();
    ask.recipient.kind = OrgKind::Police;
    assert_eq!(why(&policies, &ask), None);
    ask.consent = Some(ConsentState::WITHDRAWN);
    assert_eq!(why(&policies, &ask), None, "life is at risk");
    ask.emergency_confirmed = false;
    assert_eq!(why(&policies, &ask), Some(DeniedWhy::NothingToShow));
    ask.consent = Some(LIVE);
    assert_eq!(why(&policies, &ask), None);
    ask.classes.push(DataClass::Loc);
    assert_eq!(why(&policies, &ask), Some(DeniedWhy::NothingToShow));
}

#[test]
fn one_organisation_that_is_two_things_at_once_is_refused() {
    let mut ask = query();
    ask.recipient.kind = OrgKind::Police;
    assert_eq!(why(&shipped(), &ask), Some(DeniedWhy::PolicyFailed));
}

#[test]
fn the_wording_agrees_with_the_guard_about_agreements() {
    let policies = shipped();
    for action in Action::ALL {
        for role in Role::ALL {
            let mut ask = good(*action, home(*role), *role, Purpose::Support);
            ask.actor.agreement_in_date = false;
            if ask.recipient.organisation == ask.actor.organisation {
                ask.recipient.agreement_in_date = false;
            }
            let forbidden = policies.ask(&ask).unwrap().rules;
            assert_eq!(
                why(&policies, &ask) == Some(DeniedWhy::AgreementExpired),
                forbidden.contains(&"guard.agreement".to_owned()),
                "{action:?} {role:?}"
            );
        }
    }
}

#[test]
fn implied_consent_serves_between_health_bodies_only() {
    let policies = shipped();
    for giver in OrgKind::ALL {
        for (kind, role) in [
            (OrgKind::NhsGp, Role::Clinician),
            (OrgKind::Sarc, Role::Clinician),
            (OrgKind::LocalAuthority, Role::SocialWorker),
            (OrgKind::Refuge, Role::Adviser),
        ] {
            let mut ask = good(Action::AcceptReferral, kind, role, Purpose::Support);
            ask.giver = Some(*giver);
            ask.consent = Some(ConsentState {
                strength: Implied,
                ..LIVE
            });
            let serves = giver.is_health() && kind.is_health();
            assert_eq!(policies.permits(&ask), serves, "{giver:?} to {kind:?}");
            assert_eq!(ask.consented(), serves);
        }
    }
}

fn any_of<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(all)
}

fn any_consent() -> impl Strategy<Value = Option<ConsentState>> {
    prop::option::of(
        (
            any_of(ConsentStrength::ALL),
            any::<bool>(),
            any::<bool>(),
            any::<bool>(),
            prop::option::of(any_of(ConsentDepth::ALL)),
        )
            .prop_map(
                |(strength, live, covers, from_another, depth)| ConsentState {
                    strength,
                    live,
                    covers,
                    from_another,
                    depth,
                },
            ),
    )
}

prop_compose! {
    /// Near enough to a good request that a fair share is permitted.
    pub(in crate::domain) fn any_ask()(
        action in any_of(Action::ALL),
        role in any_of(Role::ALL),
        kind in prop::option::of(any_of(OrgKind::ALL)),
        recipient in prop::option::of(any_of(OrgKind::ALL)),
        purpose in any_of(Purpose::ALL),
        giver in prop::option::of(any_of(OrgKind::ALL)),
        classes in prop::collection::vec(any_of(DataClass::ALL), 0..4),
        relationship in prop::option::of(any_of(Relationship::ALL)),
        offence in prop::option::of(any_of(OffenceGroup::ALL)),
        basis in prop::option::of(any_of(Article6::ALL)),
        consents in (any_consent(), any_consent()),
        flags in prop::array::uniform8(prop::bool::weighted(0.9)),
        (tainted, own_data) in (prop::bool::weighted(0.1), any::<bool>()),
        (step, identity_sure) in (
            prop::option::weighted(0.8, any_of(ConsentDepth::ALL)),
            prop::bool::weighted(0.8),
        ),
    ) -> Ask {
        let kind = kind.unwrap_or(home(role));
        let mut ask = good(action, kind, role, purpose);
        let to_self = ask.recipient.organisation == ask.actor.organisation;
        if let (Some(recipient), false) = (recipient, to_self) {
            ask.recipient.kind = recipient;
        }
        ask.giver = giver;
        ask.classes = classes;
        ask.own = own_data;
        ask.step = step;
        ask.identity_sure = identity_sure;
        ask.relationship = relationship.unwrap_or(ask.relationship);
        ask.offence = offence;
        ask.basis = basis;
        ask.consent = consents.0;
        ask.source_consent = consents.1;
        ask.recipient.tainted = tainted;
        let [active, agreement, assertable, person, factor, confirmed, proposed, own] = flags;
        ask.actor.active = active;
        ask.actor.agreement_in_date = agreement;
        if to_self {
            ask.recipient.active = active;
            ask.recipient.agreement_in_date = agreement;
            ask.actor.tainted = tainted;
        }
        ask.actor.role_assertable = assertable;
        ask.actor.person_certificate = person;
        ask.actor.second_factor = factor;
        ask.emergency_confirmed = confirmed;
        if !proposed {
            ask.proposer = Some(ask.actor.organisation.clone());
        }
        if !own {
            ask.certificate_organisation = OrgId::parse("third").unwrap();
        }
        ask
    }
}

static SHIPPED: std::sync::LazyLock<Policies> = std::sync::LazyLock::new(shipped);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_order_of_the_files_decides_nothing(
        files in Just(Policies::shipped_files().1.to_vec()).prop_shuffle(),
        asks in prop::collection::vec(any_ask(), 20),
    ) {
        let base = shipped();
        let other = Unproved::load(Policies::shipped_files().0, &files).unwrap().assume_proved();
        prop_assert_eq!(base.hash(), other.hash());
        for ask in asks {
            let one = authorise(&base, &ask, ()).map(|permitted| permitted.rules().to_vec());
            let two = authorise(&other, &ask, ()).map(|permitted| permitted.rules().to_vec());
            prop_assert_eq!(one, two);
        }
    }
}

proptest! {
    #[test]
    fn what_is_said_never_depends_on_what_is_stored_about_her(
        mut ask in any_ask(),
        relationship in any_of(Relationship::ALL),
        other in any_consent(),
        live: bool,
        source in any_consent(),
    ) {
        let policies = &*SHIPPED;
        let said = why(policies, &ask);
        // Stored facts: how they stand to her, whether her consent is still live; for anything
        // but an offer, her consents altogether.
        ask.relationship = relationship;
        ask.source_consent = source;
        if ask.action == Action::OfferReferral {
            ask.consent = ask.consent.map(|consent| ConsentState { live, ..consent });
        } else {
            ask.consent = other;
        }
        let now = why(policies, &ask);
        let uniform = |why: Option<DeniedWhy>| why.filter(|why| why.is_about_caller());
        prop_assert_eq!(uniform(said), uniform(now), "{:?}", ask);
    }
}

/// Pins which actions tell someone something about a person; the firewall's groups must hold them.
fn tells(action: Action) -> bool {
    match action {
        Action::OfferReferral
        | Action::AddNote
        | Action::UpdateReferral
        | Action::TransferReferral => true,
        Action::RecordAssessment | Action::SealItem | Action::ReplySubjectAccess => true,
        Action::RecordConsent
        | Action::TakeSubjectAccess
        | Action::MoveSubjectAccess
        | Action::WithdrawConsent
        | Action::Withdraw
        | Action::ScreenText
        | Action::ReadAudit
        | Action::ReadAuditSubject
        | Action::ReportSubject
        | Action::ReadAuditQueue
        | Action::DecideAuditItem
        | Action::FlagPerson
        | Action::OpenSeal
        | Action::Propose
        | Action::Approve
        | Action::Narrow
        | Action::ReadProposals
        | Action::SecondFactor
        | Action::ReadDevices
        | Action::AddDevice
        | Action::RemoveDevice
        | Action::Reconcile
        | Action::IssueCard
        | Action::SettleWithdrawal
        | Action::AnswerStopUse
        | Action::WithdrawAssessment
        | Action::FollowUpEmergency
        | Action::KeepDraft
        | Action::OpenDraft
        | Action::EraseDraft
        | Action::ReadReturn
        | Action::Unknown => false,
        Action::ReadReferralStatus
        | Action::ReadInbox
        | Action::AcceptReferral
        | Action::DeclineReferral
        | Action::WaitReferral
        | Action::CloseReferral
        | Action::HandBackReferral
        | Action::ReadReferral
        | Action::ReadEvents
        | Action::QueryAssessments
        | Action::RelyOnAssessment
        | Action::CollectItem
        | Action::ReadLinks
        | Action::ConfirmLink
        | Action::RejectLink
        | Action::ReadConsents
        | Action::ReadSubjectAccess
        | Action::RedactSubjectAccess
        | Action::DeliverSubjectAccess
        | Action::ReadOwnAssessments
        | Action::BreakGlass => true,
    }
}

fn reads(action: Action) -> bool {
    let writes = [
        Action::OfferReferral,
        Action::AddNote,
        Action::UpdateReferral,
        Action::TransferReferral,
        Action::RecordAssessment,
        Action::SealItem,
        Action::ReplySubjectAccess,
    ];
    tells(action) && !writes.contains(&action)
}

/// The firewall file under the worst permits there could be.
static FIREWALL_ALONE: std::sync::LazyLock<Policies> = std::sync::LazyLock::new(|| {
    let (schema, files) = Policies::shipped_files();
    let all = r#"@id("all") @says("All.") permit (principal, action, resource);"#;
    let firewall = files.iter().filter(|(name, _)| name.contains("firewall"));
    let files: Vec<(&str, &str)> = firewall.copied().chain([("00-all.cedar", all)]).collect();
    Unproved::load(schema, &files).unwrap().assume_proved()
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn the_firewall_file_holds_whatever_the_permits(
        mut ask in any_ask(),
        classes in prop::collection::vec(any_of(DataClass::ALL), 0..3),
    ) {
        use DataClass::{Ft, Id, Im, Ip, Loc, Met, Op, Perp, Sealed, Sp};
        ask.classes = classes;
        let permitted = FIREWALL_ALONE.permits(&ask);
        let to = &ask.recipient;
        let carries = |some: &[DataClass]| ask.classes.iter().any(|class| some.contains(class));
        let only = |some: &[DataClass]| ask.classes.iter().all(|class| some.contains(class));
        let accepted = ask.relationship >= Relationship::AcceptedOwn;
        let told = matches!(
            crate::domain::firewall::table::row(to.kind, false).code(),
            "provider" | "police" | "nhs" | "council" | "legal_adviser"
        );
        let answering = ask.action == Action::AcceptReferral
            && ask.relationship == Relationship::OfferedTo;
        let collecting = ask.action == Action::CollectItem
            && ask.actor.role == Role::LegalAdviser
            && ask.relationship == Relationship::AcceptedFromAnother;
        // What an organisation recorded itself is shown to it again.
        let own_history =
            ask.action == Action::ReadOwnAssessments && ask.own && only(&[Op, Sp]);
        let sealed_to_adviser = to.kind == OrgKind::LegalAdviser
            && (ask.action == Action::SealItem || collecting);
        let drafting = matches!(ask.action, Action::KeepDraft | Action::OpenDraft);
        let never = drafting
                && (!ask.own
                    || to.organisation != ask.actor.organisation
                    || to.tainted
                    || ask.actor.tainted
                    || !told
                    || !to.agreement_in_date
                    || to.kind == OrgKind::Police && !only(&[Op, Id, Ip, Perp]))
            || ask.certificate_organisation != ask.actor.organisation
            || carries(&[Im])
            || (carries(&[Sealed]) || ask.action == Action::SealItem) && !sealed_to_adviser
            || tells(ask.action)
                && (to.tainted
                    || !told
                    || !to.agreement_in_date
                    || to.kind == OrgKind::Police
                        && (carries(&[Loc, Sp, Ft, Im])
                            || !ask.own && carries(&[Id, Ip, Perp])))
            || reads(ask.action)
                && (ask.actor.tainted || to.organisation != ask.actor.organisation)
            || ask.action == Action::BreakGlass
                && (!only(&[Op, Sp, Loc, Ip])
                    || ask.actor.role != Role::EdSenior
                    || ask.actor.kind != OrgKind::NhsTrust
                    || ask.purpose != Purpose::Emergency
                    || !ask.emergency_confirmed)
            || reads(ask.action)
                && ask.action != Action::BreakGlass
                && !accepted
                && !answering
                && !own_history
                && !only(&[Op, Met]);
        prop_assert_eq!(permitted, !never, "{:?}", ask);
    }
}
