//! A person's request for what is held about her, as it is written down, followed and answered.

use serde::Deserialize;
use utoipa::ToSchema;

use super::text::FreeText;
use super::{BesideIn, IdentityIn, Wrong};
use crate::domain::codes::{
    AccessRefusal, AccessStep, Article6, Authority, Capacity, Delivery, EntryAbout, IdentityProof,
    MoreTimeReason, ReplyCode, Requester, Withheld, YesNoUnknown,
};
use crate::domain::id::OrgId;
use crate::domain::journey::subject_access::Stepping;
use crate::domain::journey::subject_access::delivering::Delivering;
use crate::domain::journey::subject_access::replying::{ENTRIES_MAX, Replying, Said};
use crate::domain::person::FieldError;
use crate::domain::person::RawBeside;
use crate::domain::subject_access::{Intake, NOT_ASKED_MAX, Words};
use crate::domain::time::When;

/// She asks, at any service, what is held about her. The reply is the same whatever is held.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubjectAccessIn {
    pub identity: IdentityIn,
    /// `herself` (the default), `solicitor`, `parent_guardian` or `deputy`.
    pub requester: Option<String>,
    /// `adult` (the default), `competent_child`, `child_agrees` or `not_competent`.
    pub capacity: Option<String>,
    /// What you saw of the right of somebody who asks for her.
    pub authority: Option<String>,
    /// Who asks for her: needed of a parent or a deputy. It is kept as a keyed trace.
    pub requester_identity: Option<BesideIn>,
    /// Whether who asks for her is the other party: `no`, `yes` or `unknown` (the default). Unless
    /// it is `no`, nothing is handed out.
    pub other_party: Option<String>,
    /// How it was proved, in her presence, that it is she. Without it nobody is asked, and the clock
    /// does not begin.
    pub identity_proof: Option<String>,
    /// When she asked; now if absent. RFC 3339.
    pub received_at: Option<String>,
    /// `collected_in_person` (the default), `read_aloud`, `to_solicitor` or `posted_where_she_says`.
    pub delivery: Option<String>,
    /// She said herself, alone, that post is safe there.
    #[serde(default)]
    pub post_is_safe: bool,
    /// You asked her again, alone, how it is safe to reach her.
    #[serde(default)]
    pub safe_contact_checked: bool,
    /// Short names of organisations that she does not want to know of it.
    #[serde(default)]
    pub not_asked: Vec<String>,
}

impl SubjectAccessIn {
    /// Takes out who asks for her.
    pub fn asking(&mut self) -> Option<RawBeside> {
        self.requester_identity.take().map(BesideIn::raw)
    }

    /// Who it is about, what was written down, and when she asked.
    ///
    /// # Errors
    /// The fields that are wrong, with what to do.
    pub fn parse(self, now: When) -> Result<(IdentityIn, Intake, When), Vec<FieldError>> {
        let mut wrong = Wrong::default();
        let not_asked: Vec<OrgId> = self
            .not_asked
            .iter()
            .take(NOT_ASKED_MAX)
            .filter_map(|id| OrgId::parse(id).ok())
            .collect();
        if not_asked.len() != self.not_asked.len() {
            wrong.add("not_asked", "give up to 16 short names of organisations");
        }
        let authority = self.authority.as_ref();
        let proof = self.identity_proof.as_ref();
        let intake = Intake {
            requester: wrong.maybe(
                "requester",
                self.requester.as_ref(),
                Requester::Herself,
                Requester::parse,
            ),
            capacity: wrong.maybe(
                "capacity",
                self.capacity.as_ref(),
                Capacity::Adult,
                Capacity::parse,
            ),
            authority: authority.and_then(|code| wrong.code("authority", code, Authority::parse)),
            other_party: wrong.maybe(
                "other_party",
                self.other_party.as_ref(),
                YesNoUnknown::Unknown,
                YesNoUnknown::parse,
            ),
            proof: proof.and_then(|code| wrong.code("identity_proof", code, IdentityProof::parse)),
            delivery: wrong.maybe(
                "delivery",
                self.delivery.as_ref(),
                Delivery::Collected,
                Delivery::parse,
            ),
            post_is_safe: self.post_is_safe,
            contact_checked: self.safe_contact_checked,
            not_asked,
        };
        let received = wrong.when("received_at", self.received_at.as_ref());
        wrong.finish((self.identity, intake, received.unwrap_or(now)))
    }
}

/// What happened with a request since it was taken.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessStepIn {
    /// `identity_proved`, `identity_not_proved`, `clarification_asked`, `clarified`, `more_time` or
    /// `refused`.
    pub step: String,
    /// With `identity_proved`: how.
    pub proof: Option<String>,
    /// With `more_time`: `complex` or `many_requests`.
    pub because: Option<String>,
    /// With `refused`: on which ground.
    pub ground: Option<String>,
    /// With `more_time` and `refused`: why, in plain words for her, 1 to 1,000 characters.
    pub explanation: Option<FreeText>,
}

impl AccessStepIn {
    /// # Errors
    /// The fields that are wrong, with what to do.
    pub fn parse(self) -> Result<Stepping, Vec<FieldError>> {
        let mut wrong = Wrong::default();
        let step = wrong.code("step", &self.step, AccessStep::parse);
        let proof = self.proof.as_ref();
        let because = self.because.as_ref();
        let ground = self.ground.as_ref();
        let stepping = Stepping {
            step: step.unwrap_or(AccessStep::Received),
            proof: proof.and_then(|code| wrong.code("proof", code, IdentityProof::parse)),
            more_time: because.and_then(|code| wrong.code("because", code, MoreTimeReason::parse)),
            ground: ground.and_then(|code| wrong.code("ground", code, AccessRefusal::parse)),
            explanation: self.explanation.map(|text| text.unread("explanation")),
        };
        wrong.finish(stepping)
    }
}

/// What your organisation holds about her, in your own plain words: they are for her.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessReplyIn {
    /// `holds`, `holds_nothing`, or `she_did_not_ask`: you asked her safely, and it was not she.
    pub code: String,
    /// One for each thing that you hold, at most 32.
    #[serde(default)]
    pub entries: Vec<AccessEntryIn>,
}

/// One thing that is held.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessEntryIn {
    /// `case_notes`, `health`, `social_work`, `crime`, `sealed_for_adviser` or `other`.
    pub about: String,
    /// The article 6 basis on which you hold it.
    pub basis: String,
    /// What it is, in words for her, 1 to 1,000 characters.
    pub what: FreeText,
    /// Why you hold it, at most 1,000 characters.
    pub why: Option<FreeText>,
    /// Why it is to be left out, as you see it; a second person looks. Absent: she is given it.
    pub withhold: Option<String>,
}

impl AccessReplyIn {
    /// # Errors
    /// The fields that are wrong, with what to do.
    pub fn parse(self) -> Result<Replying, Vec<FieldError>> {
        let mut wrong = Wrong::default();
        let code = wrong.code("code", &self.code, ReplyCode::parse);
        if self.entries.len() > ENTRIES_MAX {
            wrong.add("entries", "at most 32");
        }
        let mut entries = Vec::new();
        for entry in self.entries.into_iter().take(ENTRIES_MAX) {
            let about = wrong.code("about", &entry.about, EntryAbout::parse);
            let basis = wrong.code("basis", &entry.basis, Article6::parse);
            let withheld = withheld(&mut wrong, entry.withhold.as_ref());
            entries.push(Said {
                about: about.unwrap_or(EntryAbout::Other),
                basis: basis.unwrap_or(Article6::Consent),
                withheld,
                words: Words {
                    what: entry.what.take(),
                    why: entry.why.map(FreeText::take).unwrap_or_default(),
                },
            });
        }
        let code = code.unwrap_or(ReplyCode::Holds);
        wrong.finish(Replying { code, entries })
    }
}

/// A second person's look at one entry of your organisation's reply.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessRedactIn {
    /// The id of the entry.
    pub entry: String,
    /// Why it is left out; absent: she is given it.
    pub withhold: Option<String>,
}

impl AccessRedactIn {
    /// # Errors
    /// The field that is wrong, with what to do.
    pub fn withheld(&self) -> Result<Option<Withheld>, Vec<FieldError>> {
        let mut wrong = Wrong::default();
        let found = withheld(&mut wrong, self.withhold.as_ref());
        wrong.finish(found)
    }
}

fn withheld(wrong: &mut Wrong, code: Option<&String>) -> Option<Withheld> {
    code.and_then(|code| wrong.code("withhold", code, Withheld::parse))
}

/// The report is handed over, in person, by another than who took the request.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessDeliverIn {
    /// As she said when she asked, if absent.
    pub how: Option<String>,
    #[serde(default)]
    pub post_is_safe: bool,
    /// You saw that it is she, or spoke to her solicitor whom you know. Without it nothing is shown.
    #[serde(default)]
    pub identity_checked: bool,
    /// Where it is late: why, in plain words for her.
    pub explanation: Option<FreeText>,
}

impl AccessDeliverIn {
    /// # Errors
    /// The field that is wrong, with what to do.
    pub fn parse(self) -> Result<Delivering, Vec<FieldError>> {
        let mut wrong = Wrong::default();
        let how = self.how.as_ref();
        let delivering = Delivering {
            how: how.and_then(|code| wrong.code("how", code, Delivery::parse)),
            post_is_safe: self.post_is_safe,
            identity_checked: self.identity_checked,
            explanation: self.explanation.map(|text| text.unread("explanation")),
        };
        wrong.finish(delivering)
    }
}
