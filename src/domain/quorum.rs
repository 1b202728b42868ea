//! Which witnesses must have cosigned a head: the policy file of C2SP tlog-policy.
//!
//! One rule is our own: whatever the file says, no quorum may come about without a voluntary body.
//! The group `voice` names these, at least three, any one of which is enough; so that police,
//! health and council together cannot vouch for the log past those who speak for the victim, and no
//! single charity can stop it. A file that breaks the rule is refused, never half obeyed.

use std::collections::HashSet;

use super::checkpoint::{BadCheckpoint, LogVerifier};
use super::cosignature::WitnessVerifier;
use super::note::Note;
use super::time::When;

/// The largest policy that is read.
pub const POLICY_BYTES_MAX: usize = 256 * 1024;
/// The group of voluntary bodies.
pub const VOICE: &str = "voice";
/// The fewest witnesses in it: two may be away, and one still speaks.
pub const VOICE_MIN: usize = 3;

/// A log that the policy accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownLog {
    pub key: LogVerifier,
    pub url: Option<String>,
}

/// A witness as the policy names it; the name means nothing outside the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    pub name: String,
    pub key: WitnessVerifier,
    /// Where it takes `add-checkpoint` (C2SP tlog-witness); none for one that comes to us.
    pub url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    Witness(usize),
    Group(usize),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    name: String,
    /// How many of its members are enough: 1 to all.
    needed: usize,
    members: Vec<Member>,
}

/// A policy that keeps our rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum {
    logs: Vec<KnownLog>,
    witnesses: Vec<Witness>,
    /// Each only names groups before it.
    groups: Vec<Group>,
    asked: Member,
}

/// Why a policy is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPolicy {
    #[error("a policy of witnesses has at most 256 KiB")]
    TooLarge,
    #[error("line {0} of the policy of witnesses: {1}")]
    Line(usize, BadLine),
    #[error("the policy of witnesses has no quorum line: end it with `quorum NAME`")]
    NoQuorum,
    #[error(
        "the policy of witnesses has no group named voice: name at least three voluntary bodies, \
         as `group voice any NAME NAME NAME`"
    )]
    NoVoice,
    #[error(
        "the group voice must be `any` of at least three witnesses, named one by one: with fewer, \
         or if more than one must sign, a voluntary body that is away stops the log"
    )]
    SmallVoice,
    #[error(
        "the quorum can be reached without any member of the group voice: make it `all` of a group \
         that has voice in it"
    )]
    WithoutVoice,
}

/// What is wrong with one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    #[error("it holds a character that is not allowed; lines end with a line feed alone")]
    Character,
    #[error("a line begins with log, witness, group, quorum or #")]
    Keyword,
    #[error("write `log VKEY [URL]`")]
    Log,
    #[error("write `witness NAME VKEY [URL]`")]
    Witness,
    #[error(
        "write `group NAME any|all|COUNT MEMBER...`, with COUNT at least 1 and at most the members"
    )]
    Group,
    #[error("write `quorum NAME`, once")]
    Quorum,
    #[error("the key is not that of a log: name+hash+base64, Ed25519 (type 01)")]
    LogKey,
    #[error(
        "the key is not that of a witness: name+hash+base64, Ed25519 cosignature (type 04), as \
         `firedoor log witness --show` prints it"
    )]
    WitnessKey,
    #[error("this key stands in a line before")]
    SameKey,
    #[error("the name {0} is taken; none is nobody's name")]
    Taken(String),
    #[error("nothing before this line is called {0}")]
    Unknown(String),
    #[error("{0} is in a group already: a witness counts in one way only")]
    Again(String),
    #[error("the quorum may not be none: somebody else must vouch for the log")]
    Nobody,
}

impl Quorum {
    /// # Errors
    /// [`BadPolicy`], with the line where there is one.
    pub fn parse(policy: &str) -> Result<Self, BadPolicy> {
        if policy.len() > POLICY_BYTES_MAX {
            return Err(BadPolicy::TooLarge);
        }
        let mut draft = Draft::default();
        for (index, line) in policy.split('\n').enumerate() {
            draft
                .take(line)
                .map_err(|bad| BadPolicy::Line(index + 1, bad))?;
        }
        let quorum = Self {
            asked: draft.asked.ok_or(BadPolicy::NoQuorum)?,
            logs: draft.logs,
            witnesses: draft.witnesses,
            groups: draft.groups,
        };
        quorum.needs_a_voice()?;
        Ok(quorum)
    }

    /// The logs that the policy accepts; none if that is known from elsewhere.
    pub fn logs(&self) -> &[KnownLog] {
        &self.logs
    }

    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// The witnesses that speak for victims: the members of the group `voice`.
    pub fn voices(&self) -> impl Iterator<Item = &Witness> {
        let voice = self.groups.iter().find(|group| group.name == VOICE);
        let members = voice.map_or(&[][..], |group| &group.members);
        members.iter().filter_map(|member| match member {
            Member::Witness(at) => self.witnesses.get(*at),
            Member::Group(_) => None,
        })
    }

    /// Who cosigned this note, by the names of the policy and in its order, and when. Nobody did if
    /// a line of any of them is wrong, or if no log of the policy signed it.
    pub fn times(&self, note: &str) -> Vec<(String, When)> {
        let times = self.cosigned(note).unwrap_or_default();
        let named = self.witnesses.iter().zip(times);
        named
            .filter_map(|(witness, at)| Some((witness.name.clone(), at?)))
            .collect()
    }

    /// The time by which the quorum had cosigned this note: for a group of `k`, the `k`-th of its
    /// members' times. `None` if the quorum has not.
    pub fn met_at(&self, note: &str) -> Option<When> {
        self.reached(&self.cosigned(note).ok()?)
    }

    /// The time of each witness, in the order of the file.
    fn cosigned(&self, note: &str) -> Result<Vec<Option<When>>, BadCheckpoint> {
        if !self.logs.is_empty() && !self.logs.iter().any(|log| log.key.verify(note).is_ok()) {
            return Err(BadCheckpoint::Unsigned);
        }
        let note = Note::parse(note)?;
        let times = self.witnesses.iter();
        times.map(|witness| witness.key.cosigned(&note)).collect()
    }

    /// When the quorum was reached, if these are the witnesses' times.
    fn reached(&self, times: &[Option<When>]) -> Option<When> {
        let mut groups: Vec<Option<When>> = Vec::with_capacity(self.groups.len());
        let of = |member: &Member, groups: &[Option<When>]| match member {
            Member::Witness(at) => times.get(*at).copied().flatten(),
            Member::Group(at) => groups.get(*at).copied().flatten(),
        };
        for group in &self.groups {
            let members = group.members.iter();
            let mut met: Vec<When> = members.filter_map(|member| of(member, &groups)).collect();
            met.sort_unstable();
            groups.push(met.get(group.needed.saturating_sub(1)).copied());
        }
        of(&self.asked, &groups)
    }

    fn needs_a_voice(&self) -> Result<(), BadPolicy> {
        let voice = self.groups.iter().find(|group| group.name == VOICE);
        let voice = voice.ok_or(BadPolicy::NoVoice)?;
        let alone = |member: &Member| matches!(member, Member::Witness(_));
        if voice.needed != 1 || voice.members.len() < VOICE_MIN || !voice.members.iter().all(alone)
        {
            return Err(BadPolicy::SmallVoice);
        }
        // Everybody else has signed: if that is enough, a voice is not needed.
        let others = |at| !voice.members.contains(&Member::Witness(at));
        let zero = When::from_millis(0);
        let times: Vec<Option<When>> = (0..self.witnesses.len())
            .map(|at| others(at).then_some(zero))
            .collect();
        match self.reached(&times) {
            Some(_) => Err(BadPolicy::WithoutVoice),
            None => Ok(()),
        }
    }
}

/// A policy as far as it has been read.
#[derive(Default)]
struct Draft {
    logs: Vec<KnownLog>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    asked: Option<Member>,
    keys: HashSet<[u8; 32]>,
    grouped: HashSet<String>,
}

impl Draft {
    fn take(&mut self, line: &str) -> Result<(), BadLine> {
        // 0x80 to 0xff are opaque to the specification; here they are UTF-8.
        if line.chars().any(|c| c.is_ascii_control() && c != '\t') {
            return Err(BadLine::Character);
        }
        let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
        let Some(keyword) = words.next() else {
            return Ok(());
        };
        let rest: Vec<&str> = words.collect();
        match keyword {
            comment if comment.starts_with('#') => Ok(()),
            "log" => self.log(&rest),
            "witness" => self.witness(&rest),
            "group" => self.group(&rest),
            "quorum" => self.quorum(&rest),
            _ => Err(BadLine::Keyword),
        }
    }

    fn log(&mut self, words: &[&str]) -> Result<(), BadLine> {
        let (key, url) = match words {
            [key] => (key, None),
            [key, url] => (key, Some((*url).to_owned())),
            _ => return Err(BadLine::Log),
        };
        let key = LogVerifier::parse(key).map_err(|_| BadLine::LogKey)?;
        self.new_key(*key.bytes())?;
        self.logs.push(KnownLog { key, url });
        Ok(())
    }

    fn witness(&mut self, words: &[&str]) -> Result<(), BadLine> {
        let (name, key, url) = match words {
            [name, key] => (name, key, None),
            [name, key, url] => (name, key, Some((*url).to_owned())),
            _ => return Err(BadLine::Witness),
        };
        self.new_name(name)?;
        let key = WitnessVerifier::parse(key).map_err(|_| BadLine::WitnessKey)?;
        self.new_key(*key.bytes())?;
        self.witnesses.push(Witness {
            name: (*name).to_owned(),
            key,
            url,
        });
        Ok(())
    }

    fn group(&mut self, words: &[&str]) -> Result<(), BadLine> {
        let [name, count, names @ ..] = words else {
            return Err(BadLine::Group);
        };
        self.new_name(name)?;
        let needed = match *count {
            "any" => 1,
            "all" => names.len(),
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| BadLine::Group)?
            }
            _ => return Err(BadLine::Group),
        };
        if needed == 0 || needed > names.len() {
            return Err(BadLine::Group);
        }
        let mut members = Vec::with_capacity(names.len());
        for name in names {
            members.push(self.known(name)?);
            if !self.grouped.insert((*name).to_owned()) {
                return Err(BadLine::Again((*name).to_owned()));
            }
        }
        self.groups.push(Group {
            name: (*name).to_owned(),
            needed,
            members,
        });
        Ok(())
    }

    fn quorum(&mut self, words: &[&str]) -> Result<(), BadLine> {
        match (words, self.asked) {
            (["none"], None) => Err(BadLine::Nobody),
            ([name], None) => {
                self.asked = Some(self.known(name)?);
                Ok(())
            }
            (_, _) => Err(BadLine::Quorum),
        }
    }

    fn find(&self, name: &str) -> Option<Member> {
        let witness = self.witnesses.iter().position(|known| known.name == name);
        let group = || self.groups.iter().position(|known| known.name == name);
        witness
            .map(Member::Witness)
            .or_else(|| group().map(Member::Group))
    }

    fn known(&self, name: &str) -> Result<Member, BadLine> {
        self.find(name)
            .ok_or_else(|| BadLine::Unknown(name.to_owned()))
    }

    fn new_name(&self, name: &str) -> Result<(), BadLine> {
        match name == "none" || self.find(name).is_some() {
            true => Err(BadLine::Taken(name.to_owned())),
            false => Ok(()),
        }
    }

    /// Logs and witnesses alike: whoever keeps the log cannot be its witness.
    fn new_key(&mut self, key: [u8; 32]) -> Result<(), BadLine> {
        match self.keys.insert(key) {
            true => Ok(()),
            false => Err(BadLine::SameKey),
        }
    }
}

#[cfg(test)]
mod tests;
