//! The witnesses that are trusted, and when they say they saw a head (C2SP tlog-policy and
//! tlog-cosignature).
//!
//! Their keys come from a file that was kept outside the log. A witness says: by my clock, this is
//! the largest log I have been shown, and it continues what I was shown before. Only Ed25519
//! cosignatures (type 0x04) count; no code of the gateway's own takes part in checking them.

use base64::prelude::{BASE64_STANDARD, Engine};
use firedoor::domain::time::When;
use signed_note::{Note, NoteError, StandardVerifier, Verifier, VerifierList, key_id};

use super::report::{Report, changed};

/// The largest policy file that is read.
pub const POLICY_BYTES_MAX: usize = 256 * 1024;
/// Most logs, and most witnesses and groups together.
const NAMES_MAX: usize = 256;

const ED25519: u8 = 1;
const COSIGNATURE: u8 = 4;
const TIME_BYTES: usize = 8;

/// The witnesses of a policy file, and how many of them must agree.
pub struct Witnesses {
    /// The verifier keys of the `log` lines.
    pub logs: Vec<String>,
    known: Vec<Witness>,
    named: Vec<(String, Member)>,
    quorum: usize,
}

struct Witness {
    name: String,
    public: Vec<u8>,
    list: VerifierList,
}

/// What a name of the policy stands for.
enum Member {
    /// The place among the known witnesses.
    Witness(usize),
    /// At least so many of these names, which stand before it in the file.
    Group { least: usize, of: Vec<usize> },
}

/// Who says that they saw a head, and when.
pub struct Seen {
    pub by: Vec<(String, When)>,
    /// The moment by which a quorum had seen it; `None` if too few have.
    pub met: Option<When>,
}

impl Seen {
    pub fn names(&self) -> Vec<String> {
        self.by.iter().map(|(name, _)| name.clone()).collect()
    }

    pub fn first(&self) -> Option<When> {
        self.by.iter().map(|(_, when)| *when).min()
    }
}

impl Witnesses {
    /// Reads a policy: lines `log VKEY [URL]`, `witness NAME VKEY [URL]`,
    /// `group NAME all|any|K NAME...` and one `quorum NAME`.
    ///
    /// # Errors
    /// What is wrong, with its line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut policy = Self {
            logs: Vec::new(),
            known: Vec::new(),
            named: Vec::new(),
            quorum: 0,
        };
        let mut quorum = None;
        let mut used = Vec::new();
        if text
            .chars()
            .any(|c| c.is_ascii_control() && c != '\n' && c != '\t')
        {
            return Err("it holds control characters".to_owned());
        }
        for (number, line) in text.split('\n').enumerate() {
            let words: Vec<&str> = line
                .split([' ', '\t'])
                .filter(|word| !word.is_empty())
                .collect();
            let done = match words.as_slice() {
                [] => Ok(()),
                [first, ..] if first.starts_with('#') => Ok(()),
                ["log", key] | ["log", key, _] => policy.add_log(key),
                ["witness", name, key] | ["witness", name, key, _] => policy.add_witness(name, key),
                ["group", name, least, members @ ..] => {
                    policy.add_group(name, least, members, &mut used)
                }
                ["quorum", "none"] => Err("it asks for no witness, so it says nothing about time"),
                ["quorum", name] if quorum.is_none() => {
                    policy.find(name).map(|at| quorum = Some(at))
                }
                ["quorum", ..] => Err("there must be one quorum, of one name"),
                _ => Err("this is no line of a C2SP tlog-policy"),
            };
            done.map_err(|why| format!("line {}: {why}", number + 1))?;
        }
        policy.quorum = quorum.ok_or("it names no quorum")?;
        Ok(policy)
    }

    fn add_log(&mut self, key: &str) -> Result<(), &'static str> {
        StandardVerifier::new(key).map_err(|_| "the log's key is no C2SP verifier key")?;
        if self.logs.len() >= NAMES_MAX || self.logs.iter().any(|known| known == key) {
            return Err("the log is named twice, or there are too many");
        }
        self.logs.push(key.to_owned());
        Ok(())
    }

    fn add_witness(&mut self, name: &str, key: &str) -> Result<(), &'static str> {
        let cosigner = Cosigner::parse(key)?;
        if self
            .known
            .iter()
            .any(|known| known.public == cosigner.public)
        {
            return Err("this witness's key is there already");
        }
        self.define(name, Member::Witness(self.known.len()))?;
        self.known.push(Witness {
            name: name.to_owned(),
            public: cosigner.public.clone(),
            list: VerifierList::new(vec![Box::new(cosigner)]),
        });
        Ok(())
    }

    fn add_group(
        &mut self,
        name: &str,
        least: &str,
        members: &[&str],
        used: &mut Vec<usize>,
    ) -> Result<(), &'static str> {
        let mut of = Vec::new();
        for member in members {
            let at = self.find(member)?;
            // Each witness can count in one way only.
            if used.contains(&at) {
                return Err("a name is a member twice");
            }
            used.push(at);
            of.push(at);
        }
        let least = match least {
            "all" => of.len(),
            "any" => 1,
            number => number
                .parse()
                .map_err(|_| "a group needs 'all', 'any' or a number")?,
        };
        if least == 0 || least > of.len() {
            return Err("a group needs members, and no more of them than it has");
        }
        self.define(name, Member::Group { least, of })
    }

    fn define(&mut self, name: &str, member: Member) -> Result<(), &'static str> {
        let taken = name == "none" || self.named.iter().any(|(known, _)| known == name);
        if taken || self.named.len() >= NAMES_MAX {
            return Err("the name is taken, or there are too many");
        }
        self.named.push((name.to_owned(), member));
        Ok(())
    }

    fn find(&self, name: &str) -> Result<usize, &'static str> {
        let at = self.named.iter().position(|(known, _)| known == name);
        at.ok_or("a name is not defined above its use")
    }

    /// Who cosigned this note, which the log signed.
    ///
    /// # Errors
    /// A cosignature of a known witness that is wrong: the note has been changed.
    pub fn seen(&self, note: &str, what: &str) -> Result<Seen, Report> {
        let mut times = vec![None; self.known.len()];
        let mut by = Vec::new();
        if let Ok(note) = Note::from_bytes(note.as_bytes()) {
            for (time, witness) in times.iter_mut().zip(&self.known) {
                match note.verify(&witness.list) {
                    Ok((signed, _)) => {
                        *time = signed.first().and_then(|by| time_in(by.signature()));
                        by.extend(time.map(|time| (witness.name.clone(), time)));
                    }
                    Err(NoteError::InvalidSignature { .. }) => {
                        return Err(changed(format!(
                            "The {what} has been changed: the signature of the witness {} is wrong.",
                            witness.name
                        )));
                    }
                    Err(_) => {}
                }
            }
        }
        let met = self.met(self.quorum, &times);
        Ok(Seen { by, met })
    }

    /// When enough members had seen it: the slowest of the fastest that are enough. Members stand
    /// before their group, so this ends.
    fn met(&self, at: usize, times: &[Option<When>]) -> Option<When> {
        match &self.named.get(at)?.1 {
            Member::Witness(place) => *times.get(*place)?,
            Member::Group { least, of } => {
                let mut met: Vec<When> = of
                    .iter()
                    .filter_map(|member| self.met(*member, times))
                    .collect();
                met.sort();
                met.get(least.checked_sub(1)?).copied()
            }
        }
    }
}

/// One witness's key. Checks its cosignatures as the crate checks a log's signatures.
struct Cosigner {
    name: String,
    id: u32,
    public: Vec<u8>,
    /// The same public key, as that of a plain signature over any text.
    plain: StandardVerifier,
}

impl Cosigner {
    fn parse(vkey: &str) -> Result<Self, &'static str> {
        const BAD: &str = "the witness's key is no C2SP verifier key";
        let mut fields = vkey.splitn(3, '+');
        let (Some(name), Some(hint), Some(key)) = (fields.next(), fields.next(), fields.next())
        else {
            return Err(BAD);
        };
        let key = BASE64_STANDARD.decode(key).map_err(|_| BAD)?;
        let Some((&COSIGNATURE, public)) = key.split_first() else {
            return Err("the witness's key is not one for Ed25519 cosignatures (type 04)");
        };
        let id = key_id(name, &key);
        if format!("{id:08x}") != hint.to_ascii_lowercase() {
            return Err(BAD);
        }
        let plain = [&[ED25519], public].concat();
        let plain_id = key_id(name, &plain);
        let plain = BASE64_STANDARD.encode(plain);
        Ok(Self {
            name: name.to_owned(),
            id,
            public: public.to_vec(),
            plain: StandardVerifier::new(&format!("{name}+{plain_id:08x}+{plain}"))
                .map_err(|_| BAD)?,
        })
    }
}

impl Verifier for Cosigner {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        let Some((time, signature)) = signature.split_first_chunk::<TIME_BYTES>() else {
            return false;
        };
        let time = u64::from_be_bytes(*time);
        let header = format!("cosignature/v1\ntime {time}\n");
        i64::try_from(time).is_ok()
            && self
                .plain
                .verify(&[header.as_bytes(), text].concat(), signature)
    }
}

/// The time in a cosignature, in whole seconds.
fn time_in(signature: &[u8]) -> Option<When> {
    let time = u64::from_be_bytes(*signature.first_chunk::<TIME_BYTES>()?);
    let millis = i64::try_from(time).ok()?.checked_mul(1000)?;
    Some(When::from_millis(millis))
}
