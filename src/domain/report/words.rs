//! The words of the report: what each code means to someone who never heard of it.

use crate::domain::audit::{VisibleEntry, VisibleOutcome};
use crate::domain::codes::{
    Action, Article6, ConsentDepth, DataClass, EmergencyReason, EntryAbout, OrgKind, Purpose,
    WithdrawalScope,
};
use crate::domain::consent::Tombstone;

/// What a refuge or a by-and-for service is called, so that the page gives no place away.
pub const SPECIALIST: &str = "a specialist service";

/// What an entry says to her.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Somebody did something for her; the words follow its name.
    Work(&'static str),
    Emergency,
    TurnedDown,
    /// Told with what she agreed to.
    HerWord,
    /// The record was read by those who watch.
    Watching,
    /// A mistake of form, a question back: says nothing about her.
    Nothing,
}

/// What the callers of these words were asked to do once more: nobody was turned away.
const ASKED_AGAIN: [&str; 11] = [
    "check-your-answers",
    "explanation-needed",
    "confirm-emergency",
    "second-factor-needed",
    "slow-down",
    "already-sent",
    "already-answered",
    "hand-back-over",
    "immigration-content-found",
    "too-large",
    "restoring",
];

pub fn deed(entry: &VisibleEntry) -> Deed {
    let Some(action) = Action::parse(&entry.action) else {
        return Deed::Nothing;
    };
    if is_watching(action) {
        return Deed::Watching;
    }
    match entry.outcome {
        VisibleOutcome::Permit => {}
        VisibleOutcome::Error => return Deed::Nothing,
        VisibleOutcome::Deny | VisibleOutcome::Empty => {
            return if ASKED_AGAIN.contains(&entry.told.as_str()) {
                Deed::Nothing
            } else {
                Deed::TurnedDown
            };
        }
    }
    if entry.told == "declined-by-victim" {
        return Deed::Work("wrote down that you did not want your details passed on.");
    }
    if action == Action::QueryAssessments {
        return Deed::Work(question(entry.reason.as_deref()));
    }
    done(action)
}

const ANSWERS_READ: &str = "read answers you gave before, so that you need not say it all again.";

/// How far a question about earlier assessments went, in her words.
fn question(step: Option<&str>) -> &'static str {
    match step.and_then(ConsentDepth::parse) {
        Some(ConsentDepth::Exists) => {
            "asked whether someone had talked with you about your safety before, and was told yes."
        }
        Some(ConsentDepth::Cards) => {
            "read in short what others had found, so that you need not say it all again."
        }
        Some(ConsentDepth::Answers) | None => ANSWERS_READ,
    }
}

const fn is_watching(action: Action) -> bool {
    matches!(
        action,
        Action::ReadAudit
            | Action::ReadAuditSubject
            | Action::ReportSubject
            | Action::ReadAuditQueue
            | Action::DecideAuditItem
            | Action::DeliverSubjectAccess
    )
}

const fn done(action: Action) -> Deed {
    match action {
        Action::OfferReferral => {
            Deed::Work("asked a service to help you. It did not say who you are.")
        }
        Action::ReadReferralStatus => {
            Deed::Work("looked at how far its request to help you had come.")
        }
        Action::AcceptReferral => Deed::Work("agreed to help you."),
        Action::DeclineReferral => Deed::Work("said that it could not help this time."),
        Action::WaitReferral => Deed::Work("put you on its waiting list."),
        Action::CloseReferral => Deed::Work("wrote down that its work with you had ended."),
        Action::HandBackReferral => Deed::Work(
            "gave you back, so that somebody else can help you. It can open nothing now.",
        ),
        Action::ReadReferral => Deed::Work("read again what it was told about you."),
        Action::AddNote => Deed::Work("added a note to its request to help you."),
        Action::UpdateReferral => Deed::Work("sent news about the request to help you."),
        Action::TransferReferral => Deed::Work("asked a service in another area to help you."),
        Action::RecordAssessment => {
            Deed::Work("wrote down answers you gave about your safety and your needs.")
        }
        // Said with how far it went.
        Action::QueryAssessments => Deed::Work(ANSWERS_READ),
        Action::WithdrawAssessment => {
            Deed::Work("took back an assessment that it had written down by mistake.")
        }
        Action::ReadOwnAssessments => {
            Deed::Work("read again what it had written down about you itself.")
        }
        Action::RelyOnAssessment => Deed::Work("used the answers you gave before."),
        Action::BreakGlass => Deed::Emergency,
        Action::FollowUpEmergency => {
            Deed::Work("wrote down what it did for you after an emergency.")
        }
        Action::RecordConsent
        | Action::WithdrawConsent
        | Action::Withdraw
        | Action::SettleWithdrawal
        | Action::Reconcile => Deed::HerWord,
        Action::IssueCard => Deed::Work("made a card with codes for you."),
        Action::AnswerStopUse => Deed::Work("answered what it did after you asked it to stop."),
        Action::ReadAudit
        | Action::ReadAuditSubject
        | Action::ReportSubject
        | Action::ReadAuditQueue
        | Action::DecideAuditItem
        | Action::FlagPerson
        | Action::OpenSeal
        | Action::DeliverSubjectAccess => Deed::Watching,
        Action::Propose | Action::Approve | Action::Narrow => {
            Deed::Work("changed how long your details are kept, or who may use the system.")
        }
        Action::SealItem => Deed::Work("sent something to a legal adviser for you."),
        Action::CollectItem => Deed::Work("received something for you as your legal adviser."),
        Action::ConfirmLink | Action::RejectLink => {
            Deed::Work("checked whether another record is about you.")
        }
        Action::TakeSubjectAccess
        | Action::ReadSubjectAccess
        | Action::MoveSubjectAccess
        | Action::ReplySubjectAccess
        | Action::RedactSubjectAccess
        | Action::ReadInbox
        | Action::ReadEvents
        | Action::ReadReturn
        | Action::ScreenText
        | Action::KeepDraft
        | Action::OpenDraft
        | Action::EraseDraft
        | Action::ReadLinks
        | Action::ReadConsents
        | Action::ReadProposals
        | Action::SecondFactor
        | Action::ReadDevices
        | Action::AddDevice
        | Action::RemoveDevice
        | Action::Unknown => Deed::Nothing,
    }
}

/// What its worker was told, in her words. Where the true classes may not be seen, from the word
/// that the worker was told.
pub fn told(entry: &VisibleEntry) -> Vec<&'static str> {
    if entry.told == "assessment-exists" {
        return vec!["that someone had talked with you about your safety before"];
    }
    let codes: Vec<&str> = match (&entry.decided, entry.told.as_str()) {
        (Some(decided), _) => decided.disclosed.iter().map(String::as_str).collect(),
        (None, "released") => vec!["id", "loc"],
        (None, "assessments" | "assessment-answers") => vec!["sp"],
        (None, "emergency-view") => vec!["sp", "loc"],
        (None, _) => Vec::new(),
    };
    codes.into_iter().filter_map(class).collect()
}

/// A class of data. Immigration has no words here, because it is told to nobody.
pub fn class(code: &str) -> Option<&'static str> {
    Some(match DataClass::parse(code)? {
        DataClass::Op => "what kind of help you need",
        DataClass::Id => "your name and date of birth",
        DataClass::Loc => "how to reach you safely",
        DataClass::Sp => "answers about your health and safety",
        DataClass::Ip => "which language you want to speak",
        DataClass::Perp => "something about another person",
        DataClass::Ft => "a note",
        DataClass::Met => "dates",
        DataClass::Sealed => {
            "something sealed for your legal adviser, which nobody else could read"
        }
        DataClass::Im => return None,
    })
}

pub fn purpose(code: &str) -> Option<&'static str> {
    Some(match Purpose::parse(code)? {
        Purpose::Support => "to support you",
        Purpose::SafetyPlanning => "to plan how to keep you safe",
        Purpose::OnwardReferral => "to find you help",
        Purpose::PriorAssessment => "so that you need not say it all again",
        Purpose::Marac => "to plan with others how to keep you safe",
        Purpose::LegalAdvice => "to give you legal advice",
        Purpose::CourtSupport => "to support you at court",
        Purpose::Emergency => "someone may have been in danger",
        Purpose::Audit => "to check that your details are used fairly",
        Purpose::Administration => "to run the shared system",
    })
}

/// What gave it the right, in her words; `None` where the reader of the log may not see it.
pub fn right(entry: &VisibleEntry) -> Option<&'static str> {
    let decided = entry.decided.as_ref()?;
    let stated = decided.basis.as_deref().and_then(basis);
    let agreed = (!decided.consents.is_empty()).then_some("you agreed");
    let emergency = Action::parse(&entry.action) == Some(Action::BreakGlass);
    let danger = emergency.then_some("the law lets it when someone is in danger");
    stated.or(danger).or(agreed)
}

pub fn basis(code: &str) -> Option<&'static str> {
    Some(match Article6::parse(code)? {
        Article6::Consent => "you agreed",
        Article6::LegalObligation => "a law says that it must",
        Article6::Vital => "it was to save a life",
        Article6::PublicTask => "it is its public duty",
        Article6::RecognisedLi => "the law lets it, to keep someone safe",
        Article6::Legitimate => "it needs this to do its work for you",
    })
}

pub fn emergency(code: &str) -> Option<&'static str> {
    Some(match EmergencyReason::parse(code)? {
        EmergencyReason::LifeAtRisk => "a life was in danger",
        EmergencyReason::CannotConsent => "you could not be asked, and you might have been hurt",
        EmergencyReason::ChildAtRisk => "a child was in danger",
    })
}

/// What she stopped; after "you told someone to stop".
pub fn stopped(stop: &Tombstone) -> String {
    match stop.scope {
        WithdrawalScope::Everything => "all sharing".to_owned(),
        WithdrawalScope::Service => "sharing with some services".to_owned(),
        WithdrawalScope::Class => {
            let classes = stop.classes.iter();
            let what: Vec<&str> = classes.filter_map(|one| class(one.code())).collect();
            format!("sharing {}", list(&what))
        }
        WithdrawalScope::Purpose => {
            let purposes = stop.purposes.iter();
            let why: Vec<&str> = purposes.filter_map(|one| purpose(one.code())).collect();
            format!("sharing that is done {}", list(&why))
        }
    }
}

pub const fn kind(kind: OrgKind) -> &'static str {
    match kind {
        OrgKind::Police => "a police force",
        OrgKind::NhsTrust => "a hospital",
        OrgKind::NhsGp => "a doctor's surgery",
        OrgKind::Icb => "an NHS office",
        OrgKind::LocalAuthority => "a council",
        OrgKind::VoluntaryGeneric | OrgKind::VoluntarySpecialist => "a support service",
        OrgKind::ByAndFor | OrgKind::Refuge => SPECIALIST,
        OrgKind::Sarc => "a health service",
        OrgKind::Court => "a court",
        OrgKind::Cafcass => "a family court service",
        OrgKind::Cps => "the people who take crimes to court",
        OrgKind::Wcu => "a team that looks after witnesses",
        OrgKind::Probation => "a probation service",
        OrgKind::LegalAdviser => "a solicitor",
        OrgKind::Commissioner => "an office that pays for services",
        OrgKind::Operator => "the people who run the shared system",
        OrgKind::Reviewer => "the person who checks the shared system",
    }
}

/// What an entry of an organisation's own is about; after "it holds".
pub const fn about(about: EntryAbout) -> &'static str {
    match about {
        EntryAbout::CaseNotes => "notes of its work with you",
        EntryAbout::Health => "something about your health",
        EntryAbout::SocialWork => "something of social workers",
        EntryAbout::Crime => "something about a crime",
        EntryAbout::SealedItem => "a line that something was sealed for your legal adviser",
        EntryAbout::Other => "something else",
    }
}

/// One, two and three.
pub fn list(items: &[&str]) -> String {
    match items {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}
