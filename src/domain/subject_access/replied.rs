//! What one who holds something is asked, and what it says: entries in its own words, each looked at
//! by two people before she is given it or it is left out.

use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::domain::codes::{AccessState, Article6, EntryAbout, ReplyCode, Role, Withheld};
use crate::domain::firewall::hold::{ScreenedText, Written};
use crate::domain::id::{Id, OrgId, PersonId, SubjectAccessId};
use crate::domain::person::TaggedToken;
use crate::domain::record::singleton;
use crate::domain::time::When;

/// Words of one entry, in characters, each of its two texts.
pub const WORDS_CHARS_MAX: usize = 1_000;

/// What one organisation that holds something is asked. It is not told who took the request, and
/// nobody but she is told that it was asked.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AccessAsk {
    pub id: SubjectAccessId,
    pub request: SubjectAccessId,
    pub holder: OrgId,
    /// Its own records of her.
    pub people: Vec<PersonId>,
    /// Of these.
    pub tokens: Vec<TaggedToken>,
    /// The beginning of the day: it must not be matched with the entry of who took the request.
    pub since: When,
    pub reply: Option<Reply>,
}

/// What it said.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Reply {
    pub at: When,
    pub code: ReplyCode,
    pub entries: Vec<Entry>,
}

/// One thing that is held. What it is, in words, is sealed under `item`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Entry {
    pub item: Id,
    pub about: EntryAbout,
    pub basis: Article6,
    pub first: Look,
    pub second: Option<Look>,
}

/// One person's judgement of an entry.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Look {
    pub by: String,
    pub role: Role,
    pub at: When,
    /// Why it is left out; `None`: she is given it.
    pub withheld: Option<Withheld>,
}

/// Why a look does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotYours {
    /// The same person looked before.
    SamePerson,
    /// It is settled.
    Settled,
    /// One of the two must be a clinician, a social worker or a Caldicott Guardian.
    NeedsAProfessional,
    /// That something would harm is judged of health and social-work data only.
    NoSuchGround,
}

impl NotYours {
    pub const fn says(self) -> &'static str {
        match self {
            Self::SamePerson => "another person than the one before must look at it",
            Self::Settled => "two people have looked at it already",
            Self::NeedsAProfessional => {
                "one of the two who look at health or social-work data must be a clinician, a \
                 social worker or a Caldicott Guardian"
            }
            Self::NoSuchGround => {
                "serious_harm is a ground for health and social-work data only; choose another"
            }
        }
    }
}

impl AccessAsk {
    /// What `holder` is asked for a request. Made of its random id, so nobody else can make it.
    pub fn id_of(request: SubjectAccessId, holder: &OrgId) -> SubjectAccessId {
        let id = singleton(&format!("{} asked of {holder}", request.id()));
        // It has a name outside, as ids have that are drawn.
        SubjectAccessId(Id::drawn(*id.bytes()))
    }

    /// Where it stands for the holder.
    pub fn state(&self) -> AccessState {
        match &self.reply {
            None => AccessState::Asked,
            Some(reply) if reply.entries.iter().all(|entry| entry.second.is_some()) => {
                AccessState::RepliesIn
            }
            Some(_) => AccessState::Redaction,
        }
    }

    /// It told her, safely asked, that it was not she who asked.
    pub fn is_disputed(&self) -> bool {
        self.said(ReplyCode::SheDidNotAsk)
    }

    /// Its part of the report is complete: two people have looked at all of it.
    pub fn has_answered(&self) -> bool {
        self.state() == AccessState::RepliesIn
    }

    fn said(&self, code: ReplyCode) -> bool {
        self.reply.as_ref().is_some_and(|reply| reply.code == code)
    }
}

impl Look {
    fn is_professional_for(&self, about: EntryAbout) -> bool {
        match about {
            EntryAbout::Health => matches!(
                self.role,
                Role::Clinician | Role::EdSenior | Role::Caldicott
            ),
            EntryAbout::SocialWork => matches!(self.role, Role::SocialWorker | Role::Caldicott),
            EntryAbout::CaseNotes
            | EntryAbout::Crime
            | EntryAbout::SealedItem
            | EntryAbout::Other => true,
        }
    }
}

impl Entry {
    /// Whether a ground may be given for data of this kind.
    ///
    /// # Errors
    /// [`NotYours::NoSuchGround`].
    pub fn fits(about: EntryAbout, withheld: Option<Withheld>) -> Result<(), NotYours> {
        match withheld {
            Some(Withheld::SeriousHarm) if !about.needs_a_professional() => {
                Err(NotYours::NoSuchGround)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A second person's look. Who judges otherwise than the first begins anew: a third must look.
    ///
    /// # Errors
    /// [`NotYours`].
    pub fn look(&mut self, look: Look) -> Result<(), NotYours> {
        if self.second.is_some() {
            return Err(NotYours::Settled);
        }
        if self.first.by == look.by {
            return Err(NotYours::SamePerson);
        }
        Self::fits(self.about, look.withheld)?;
        if self.first.withheld != look.withheld {
            self.first = look;
            return Ok(());
        }
        let professional =
            self.first.is_professional_for(self.about) || look.is_professional_for(self.about);
        if !professional {
            return Err(NotYours::NeedsAProfessional);
        }
        self.second = Some(look);
        Ok(())
    }

    /// She is given it.
    pub fn is_given(&self) -> bool {
        self.second.is_some() && self.first.withheld.is_none()
    }
}

/// The words of one entry, or of an explanation. No `Debug`.
#[derive(Zeroize, ZeroizeOnDrop, BorshSerialize, BorshDeserialize)]
pub struct Words {
    /// What is held.
    pub what: String,
    /// Why.
    pub why: String,
}

impl Written for Words {
    fn free_texts(&self) -> Vec<(&'static str, &str)> {
        let Self { what, why } = self;
        vec![("what", what), ("why", why)]
    }
}

const VERSION: u8 = 1;

impl ScreenedText<&Words> {
    /// The bytes, to be sealed.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = vec![VERSION];
        // Writing to a Vec cannot fail.
        let _ = self.get().serialize(&mut bytes);
        Zeroizing::new(bytes)
    }
}

impl Words {
    /// `None` for bytes that this program did not write.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => Self::try_from_slice(rest).ok(),
            Some(_) | None => None,
        }
    }
}
