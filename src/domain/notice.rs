//! What is read to her, in versions and languages, so that it can be shown later what she agreed to
//! (GDPR Article 7(1), Caldicott Principle 8: no surprises).

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::codes::Purpose;

/// The words that are built in.
pub const BUILT_IN_NOTICES: &str = include_str!("../../policies/notices.toml");
/// Always there, so that no screen is without words.
pub const FALLBACK_LANGUAGE: &str = "en";
/// Notices in one file, at most.
pub const NOTICES_MAX: usize = 64;
/// A notice is short enough to be read aloud in a minute.
pub const TEXT_CHARS_MAX: usize = 1_000;
const NAME_CHARS_MAX: usize = 32;

/// For the operator. Holds nothing about a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the notices cannot be used: {0}")]
pub struct BadNotices(String);

/// All notices, those no longer read included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notices(Vec<Notice>);

/// One version of what is read at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    id: String,
    version: String,
    /// For the worker: the moment at which it is read.
    pub when: String,
    /// The purposes of the consents that may name it; none for a notice of what was done.
    pub purposes: Vec<Purpose>,
    /// No longer read. Consents of its time still name it.
    pub ended: bool,
    /// By language (BCP 47).
    pub text: BTreeMap<String, String>,
}

impl Notices {
    /// Reads a policy file; see `policies/notices.toml`.
    ///
    /// # Errors
    /// Something in it is unknown, missing, too long or there twice.
    pub fn parse(text: &str) -> Result<Self, BadNotices> {
        let file = text
            .parse::<Table>()
            .map_err(|wrong| BadNotices(wrong.to_string()))?;
        only("the file", &file, &["notice"])?;
        let given = file.get("notice").and_then(Value::as_array);
        let given =
            given.ok_or_else(|| BadNotices("every notice is a [[notice]] table".to_owned()))?;
        if given.len() > NOTICES_MAX {
            return Err(BadNotices(format!("more than {NOTICES_MAX} notices")));
        }
        let mut notices: Vec<Notice> = Vec::new();
        for entry in given {
            let table = entry.as_table();
            let table =
                table.ok_or_else(|| BadNotices("every notice is a [[notice]] table".to_owned()))?;
            let notice = Notice::read(table)?;
            for other in &notices {
                // By what a consent calls it: `a-b` of `c` would be `a` of `b-c`.
                if other.name() == notice.name() {
                    return Err(BadNotices(format!("`{}` is there twice", notice.name())));
                }
                if other.id == notice.id && !other.ended && !notice.ended {
                    let id = &notice.id;
                    return Err(BadNotices(format!(
                        "two versions of `{id}` are read; end one"
                    )));
                }
            }
            notices.push(notice);
        }
        Ok(Self(notices))
    }

    /// In the order of the file.
    pub fn all(&self) -> impl Iterator<Item = &Notice> {
        self.0.iter()
    }

    /// The notice that a consent names.
    pub fn named(&self, name: &str) -> Option<&Notice> {
        self.0.iter().find(|notice| notice.name() == name)
    }

    /// Whether a consent may name it: one that is or was read to her before she decides. One that is no
    /// longer read counts, because she was read it then.
    pub fn is_read_before(&self, name: &str) -> bool {
        self.named(name)
            .is_some_and(|notice| !notice.purposes.is_empty())
    }
}

impl Notice {
    fn read(table: &Table) -> Result<Self, BadNotices> {
        let text_of = |key: &str| table.get(key).and_then(Value::as_str).map(str::to_owned);
        let id = text_of("id").unwrap_or_default();
        let version = text_of("version").unwrap_or_default();
        if !is_name(&id) || !is_name(&version) {
            return Err(BadNotices(format!(
                "`{id}` `{version}`: id and version are 1 to {NAME_CHARS_MAX} of a-z, 0-9 and dashes"
            )));
        }
        let bad = |what: &str| BadNotices(format!("`{id}`: {what}"));
        only(
            &id,
            table,
            &["id", "version", "when", "purposes", "ended", "text"],
        )?;
        let when = text_of("when").ok_or_else(|| bad("`when` says at what moment it is read"))?;
        let purposes = table.get("purposes").and_then(Value::as_array);
        let purposes = purposes.ok_or_else(|| bad("`purposes` is a list of codes"))?;
        let purposes = purposes.iter().map(|code| Purpose::parse(code.as_str()?));
        let purposes = purposes.collect::<Option<Vec<Purpose>>>();
        let ended = match table.get("ended") {
            None => false,
            Some(given) => given
                .as_bool()
                .ok_or_else(|| bad("`ended` is true or false"))?,
        };
        let mut text = BTreeMap::new();
        for (language, words) in table
            .get("text")
            .and_then(Value::as_table)
            .into_iter()
            .flatten()
        {
            let words = words.as_str().unwrap_or_default().trim();
            if words.is_empty() || words.chars().count() > TEXT_CHARS_MAX {
                return Err(bad(&format!(
                    "the text in `{language}` is empty or longer than {TEXT_CHARS_MAX} characters"
                )));
            }
            text.insert(language.clone(), words.to_owned());
        }
        if !text.contains_key(FALLBACK_LANGUAGE) {
            return Err(bad("the text in English (`en`) is missing"));
        }
        Ok(Self {
            purposes: purposes.ok_or_else(|| bad("a purpose is not known"))?,
            id,
            version,
            when,
            ended,
            text,
        })
    }

    /// What a consent calls it: its id, a dash, its version.
    pub fn name(&self) -> String {
        format!("{}-{}", self.id, self.version)
    }
}

/// A key that nobody reads is a mistake that nobody would notice.
fn only(what: &str, table: &Table, known: &[&str]) -> Result<(), BadNotices> {
    match table.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(BadNotices(format!("`{what}`: `{key}` is not known"))),
        None => Ok(()),
    }
}

fn is_name(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=NAME_CHARS_MAX).contains(&text.len()) && text.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consent_names_words_that_are_or_were_read_before_she_decides() {
        let notices = Notices::parse(BUILT_IN_NOTICES).unwrap();
        for notice in notices.all() {
            let before = !notice.purposes.is_empty();
            assert_eq!(notices.is_read_before(&notice.name()), before);
        }
        assert!(notices.is_read_before("referral-2026-11"));
        for never in [
            "referral",
            "referral-2026-12",
            "2026-11",
            "",
            "stopped-2026-11",
        ] {
            assert!(!notices.is_read_before(never), "{never}");
        }
        let file = one("referral", "2026-10", "ended = true\n");
        let earlier = Notices::parse(&file).unwrap();
        assert!(earlier.is_read_before("referral-2026-10"));
    }

    fn one(id: &str, version: &str, more: &str) -> String {
        format!(
            "[[notice]]\nid = \"{id}\"\nversion = \"{version}\"\nwhen = \"before\"\n\
             purposes = [\"support\"]\n{more}[notice.text]\nen = \"We ask you first.\"\n"
        )
    }

    fn refused(text: &str) -> String {
        Notices::parse(text).err().unwrap().to_string()
    }

    #[test]
    fn those_built_in_can_be_read_and_each_purpose_of_a_consent_has_one() {
        let notices = Notices::parse(BUILT_IN_NOTICES).unwrap();
        for purpose in [
            Purpose::Support,
            Purpose::OnwardReferral,
            Purpose::SafetyPlanning,
            Purpose::PriorAssessment,
            Purpose::LegalAdvice,
            Purpose::CourtSupport,
        ] {
            let mut fitting = notices
                .all()
                .filter(|notice| notice.purposes.contains(&purpose));
            assert!(fitting.next().is_some(), "{}", purpose.code());
        }
        assert!(notices.named("referral-2026-11").is_some());
        assert!(notices.named("referral").is_none());
    }

    #[test]
    fn a_notice_has_no_word_that_only_we_understand() {
        for notice in Notices::parse(BUILT_IN_NOTICES).unwrap().all() {
            for words in notice.text.values() {
                for ours in [
                    "gateway",
                    "token",
                    "pseudonym",
                    "consent",
                    "firewall",
                    "data",
                    "tier",
                ] {
                    assert!(!words.contains(ours), "{}: {ours}", notice.name());
                }
            }
        }
    }

    #[test]
    fn an_old_version_stays_beside_the_one_that_is_read() {
        let both = one("referral", "1", "ended = true\n") + &one("referral", "2", "");
        let notices = Notices::parse(&both).unwrap();
        assert!(notices.named("referral-1").unwrap().ended);
        assert!(!notices.named("referral-2").unwrap().ended);
    }

    #[test]
    fn what_would_leave_a_screen_without_words_is_refused_by_name() {
        let twice = one("referral", "1", "") + &one("referral", "1", "ended = true\n");
        assert!(refused(&twice).contains("`referral-1` is there twice"));
        let two = one("referral", "1", "") + &one("referral", "2", "");
        assert!(refused(&two).contains("end one"));
        let unnamed = one("Referral", "1", "");
        assert!(refused(&unnamed).contains("a-z"));
        let foreign = one("referral", "1", "").replace("\nen =", "\ncy =");
        assert!(refused(&foreign).contains("English"));
        let empty = one("referral", "1", "").replace("We ask you first.", " ");
        assert!(refused(&empty).contains("empty"));
        let purpose = one("referral", "1", "").replace("support", "immigration");
        assert!(refused(&purpose).contains("purpose"));
        assert!(refused("[[notice]]\nid = 1").contains("a-z"));
        assert!(refused("notice = 1").contains("[[notice]]"));
        assert!(refused("notice = [1]").contains("[[notice]]"));
        let one_name = one("referral-a", "1", "") + &one("referral", "a-1", "");
        assert!(refused(&one_name).contains("`referral-a-1` is there twice"));
        let unknown = one("referral", "1", "spoken = true\n");
        assert!(refused(&unknown).contains("`spoken` is not known"));
    }
}
