//! Checks that the schema speaks the program's own words: no kind, role or action more or less.
//! Nobody enrols a new kind of organisation by editing a schema.

use std::collections::BTreeSet;

use cedar_policy::{EntityUid, Schema, SchemaFragment};

use super::load::SCHEMA_NAME;
use super::{Actor, Ask, ConsentState, Recipient, Relationship};
use crate::domain::codes::{
    Action, Article6, ConsentDepth, ConsentStrength, DataClass, OffenceGroup, OrgKind, Purpose,
    Role,
};
use crate::domain::id::{OrgId, TeamId};

/// Every difference between the schema's closed lists and the program's, one a line.
pub(super) fn check_lists(text: &str, schema: &Schema) -> Vec<String> {
    fn codes<C: Copy>(all: &[C], code: fn(C) -> &'static str) -> BTreeSet<String> {
        all.iter().map(|one| code(*one).to_owned()).collect()
    }
    let plain = match SchemaFragment::from_cedarschema_str(text)
        .map_err(|error| error.to_string())
        .and_then(|(fragment, _)| fragment.to_cedarschema().map_err(|error| error.to_string()))
    {
        Ok(plain) => plain,
        Err(error) => return vec![format!("{SCHEMA_NAME}: {error}")],
    };
    let lists = [
        ("OrgKind", codes(OrgKind::ALL, OrgKind::code)),
        ("Role", codes(Role::ALL, Role::code)),
        ("Purpose", codes(Purpose::ALL, Purpose::code)),
        ("DataClass", codes(DataClass::ALL, DataClass::code)),
        ("OffenceGroup", codes(OffenceGroup::ALL, OffenceGroup::code)),
        ("Article6", codes(Article6::ALL, Article6::code)),
        (
            "ConsentStrength",
            codes(ConsentStrength::ALL, ConsentStrength::code),
        ),
        ("Relationship", codes(Relationship::ALL, Relationship::code)),
        ("Step", codes(ConsentDepth::ALL, ConsentDepth::code)),
    ];
    let mut problems: Vec<String> = lists
        .into_iter()
        .flat_map(|(name, ours)| differences(name, &ours, &declared(&plain, name)))
        .collect();
    let actions: BTreeSet<String> = schema
        .request_envs()
        .map(|env| AsRef::<str>::as_ref(env.action().id()).to_owned())
        .collect();
    problems.extend(differences(
        "Action",
        &codes(Action::ALL, Action::code),
        &actions,
    ));
    problems.extend(check_flows(schema));
    problems
}

/// What an action does with facts about a person.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// Somebody ends up knowing something about her.
    Tells,
    /// And it is the asker's own team.
    Reads,
    /// Nothing about her reaches anyone whom the firewall must judge.
    Beyond,
}

/// Pinned here, because the firewall's forbids reach no further than their groups: an action is
/// put beyond them by a change of this list, not of a schema.
const fn flow(action: Action) -> Flow {
    match action {
        Action::OfferReferral
        | Action::AddNote
        | Action::UpdateReferral | Action::TransferReferral
        | Action::RecordAssessment
        | Action::SealItem
        | Action::ReplySubjectAccess => Flow::Tells,
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
        | Action::BreakGlass
        | Action::CollectItem
        | Action::ReadLinks
        | Action::ConfirmLink
        | Action::RejectLink
        | Action::ReadConsents | Action::ReadSubjectAccess | Action::RedactSubjectAccess
        | Action::DeliverSubjectAccess | Action::ReadOwnAssessments => Flow::Reads,
        // Her word: nothing comes back.
        Action::RecordConsent | Action::WithdrawConsent | Action::Withdraw
        | Action::IssueCard | Action::SettleWithdrawal | Action::AnswerStopUse
        | Action::TakeSubjectAccess | Action::MoveSubjectAccess
        // What should never have been there goes; a tainted team may say so too.
        | Action::WithdrawAssessment
        // What a senior did; nothing about her comes back.
        | Action::FollowUpEmergency
        // Counts of lines that are about nobody.
        | Action::ReadReturn
        // The log: what an organisation sees of it is judged by the journey, entry by entry.
        | Action::ReadAudit | Action::ReadAuditSubject | Action::ReportSubject
        | Action::ReadAuditQueue | Action::DecideAuditItem | Action::FlagPerson
        | Action::OpenSeal
        // About organisations, never about a person.
        | Action::Propose | Action::Approve | Action::Narrow | Action::ReadProposals
        | Action::Reconcile
        // The author's own words; the caller herself; a path that does not exist.
        | Action::ScreenText | Action::KeepDraft | Action::OpenDraft | Action::EraseDraft
        | Action::SecondFactor | Action::ReadDevices | Action::AddDevice
        | Action::RemoveDevice | Action::Unknown => Flow::Beyond,
    }
}

/// The codes of the actions that the firewall's forbids do not reach but for immigration data, and for
/// drafts by one of their own.
pub fn beyond_the_firewall() -> Vec<&'static str> {
    let beyond = Action::ALL
        .iter()
        .filter(|action| flow(**action) == Flow::Beyond);
    beyond.map(|action| action.code()).collect()
}

fn check_flows(schema: &Schema) -> Vec<String> {
    let uid = |code: &str| format!("Action::\"{code}\"").parse::<EntityUid>().ok();
    let (Ok(actions), Some(tells), Some(reads)) =
        (schema.action_entities(), uid("Tells"), uid("Reads"))
    else {
        return vec![format!("{SCHEMA_NAME}: its actions cannot be read")];
    };
    let mut problems = Vec::new();
    for action in Action::ALL {
        let within = |group: &EntityUid| {
            uid(action.code()).is_some_and(|action| actions.is_ancestor_of(group, &action))
        };
        let theirs = match (within(&tells), within(&reads)) {
            (true, true) => Flow::Reads,
            (true, false) => Flow::Tells,
            (false, _) => Flow::Beyond,
        };
        if theirs != flow(*action) {
            problems.push(format!(
                "{SCHEMA_NAME}: action `{}` is not in the groups (Tells, Reads) that this program \
                 has it in",
                action.code()
            ));
        }
    }
    problems
}

fn differences(name: &str, ours: &BTreeSet<String>, theirs: &BTreeSet<String>) -> Vec<String> {
    let unknown = theirs.difference(ours).map(|code| {
        format!("{SCHEMA_NAME}: {name} lists `{code}`, which this program does not know")
    });
    let missing = ours
        .difference(theirs)
        .map(|code| format!("{SCHEMA_NAME}: {name} does not list `{code}`"));
    unknown.chain(missing).collect()
}

/// The members of `entity NAME enum ["a", "b"];` in Cedar's own rendering, one declaration a line.
fn declared(plain: &str, name: &str) -> BTreeSet<String> {
    let head = format!("entity {name} enum ");
    plain
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix(&head))
        .flat_map(|list| list.split('"').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

/// An ask with every optional fact present, to try the schema with.
pub(super) fn full_ask(action: Action) -> Option<Ask> {
    let organisation = OrgId::parse("asker").ok()?;
    let other = OrgId::parse("other").ok()?;
    let consent = ConsentState {
        strength: ConsentStrength::Explicit,
        live: true,
        covers: true,
        from_another: true,
        depth: Some(ConsentDepth::Answers),
    };
    Some(Ask {
        action,
        purpose: Purpose::Support,
        actor: Actor {
            organisation: organisation.clone(),
            kind: OrgKind::VoluntarySpecialist,
            active: true,
            team: TeamId::parse("team").ok()?,
            tainted: false,
            role: Role::Adviser,
            role_assertable: true,
            person_certificate: false,
            second_factor: false,
            agreement_in_date: true,
        },
        certificate_organisation: organisation,
        recipient: Recipient {
            organisation: other.clone(),
            kind: OrgKind::Refuge,
            active: true,
            tainted: false,
            agreement_in_date: true,
        },
        giver: Some(OrgKind::Police),
        classes: DataClass::ALL.to_vec(),
        own: true,
        relationship: Relationship::AcceptedFromAnother,
        offence: Some(OffenceGroup::DomesticAbuse),
        basis: Some(Article6::Consent),
        consent: Some(consent),
        source_consent: Some(consent),
        step: Some(ConsentDepth::Answers),
        identity_sure: true,
        emergency_confirmed: true,
        proposer: Some(other),
    })
}
