//! Somebody beside her: whom she is to be kept safe from, or the parent under whom a child is
//! recorded. Kept as keyed tokens in a lane of its own, and as nothing else.
//!
//! What lies here is compared with what lies in the same lane, and only where her own record has led
//! to it already. It finds nobody: there is no way to take a token out of it, so none can become a
//! name in the index, in the log or in a list, and none equals a token of hers ([`Lane`]). So a man
//! who is the other party in her record and a victim in his own has two records that nothing joins.

use borsh::{BorshDeserialize, BorshSerialize};
use jiff::civil::Date;
use zeroize::ZeroizeOnDrop;

use super::field::{FieldError, FieldReader};
use super::identity::{Identity, RawFields, RawIdentifier};
use super::keyed::Person;
use super::link::{Births, Evidence, Names, Number, Swapped, Tier, tier};
use super::police::PncId;
use super::token::{Lane, TaggedToken, TokenKeys, TokenKind};

/// What a partner sent about somebody beside her, before anything is checked. Blank is absent.
#[derive(Default, ZeroizeOnDrop)]
pub struct RawBeside {
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub birth_date: Option<String>,
    /// Of the other party alone, and from police alone.
    pub pnc_id: Option<String>,
}

/// The names that the fields have where they are told to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldNames {
    pub given_name: &'static str,
    pub family_name: &'static str,
    pub birth_date: &'static str,
    pub pnc_id: &'static str,
}

/// Somebody beside her, as keyed tokens of one lane.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Beside {
    lane: Lane,
    tokens: Vec<TaggedToken>,
}

impl RawBeside {
    /// Nothing was given.
    pub fn is_empty(&self) -> bool {
        let fields = [
            &self.given_name,
            &self.family_name,
            &self.birth_date,
            &self.pnc_id,
        ];
        fields.into_iter().all(is_blank)
    }

    /// The tokens of what was given, once for each of `lanes`; what was given is wiped.
    ///
    /// # Errors
    /// The fields that are wrong, under their names in `called`. A name or a police number is needed.
    pub fn resolve(
        mut self,
        lanes: &[Lane],
        called: &FieldNames,
        keys: &TokenKeys,
        on: Date,
    ) -> Result<Vec<Beside>, Vec<FieldError>> {
        let mut read = FieldReader::default();
        let pnc = match self.pnc_id.take().map(zeroize::Zeroizing::new) {
            Some(text) if !text.trim().is_empty() => match PncId::parse(&text) {
                Ok(number) => Some(number),
                Err(bad) => {
                    read.refuse(called.pnc_id, bad.0);
                    None
                }
            },
            Some(_) | None => None,
        };
        let nameless = is_blank(&self.given_name) && is_blank(&self.family_name);
        if nameless && pnc.is_none() && read.is_clean() {
            read.refuse(
                called.family_name,
                "give at least a name, or leave all of it out",
            );
        }
        let mut fields = RawFields::default();
        fields.given_name = self.given_name.take();
        fields.family_name = self.family_name.take();
        fields.birth_date = self.birth_date.take();
        let mut names = FieldReader::default();
        let identity = Identity::read(&RawIdentifier::new(fields), on, &mut names);
        for error in names.into_errors() {
            let field = match error.field {
                "given_name" => called.given_name,
                "family_name" => called.family_name,
                _ => called.birth_date,
            };
            read.refuse(field, error.message);
        }
        let made = lanes.iter().map(|lane| {
            let person = Person::in_lane(*lane, &identity, keys);
            let person = match &pnc {
                Some(number) => person.numbered(*lane, number, keys),
                None => person,
            };
            Beside {
                lane: *lane,
                tokens: person.tokens().to_vec(),
            }
        });
        let made = made.collect();
        read.finish(made)
    }
}

fn is_blank(text: &Option<String>) -> bool {
    text.as_ref().is_none_or(|text| text.trim().is_empty())
}

impl Beside {
    /// Both names can be compared. A word for "not known" is no name, nor is an initial.
    pub fn has_both_names(&self) -> bool {
        let has = |kind| self.tokens.iter().any(|tagged| tagged.kind == kind);
        has(TokenKind::Given) && has(TokenKind::Family)
    }

    /// Whether the two may be one person, within one lane: where that only withholds, as of the other
    /// party. So what would be put before a person counts, and so do both names with no date of
    /// birth, or the family name and the date where no given name is known. Where it opens something,
    /// ask [`Self::is`].
    pub fn may_be(&self, other: &Self) -> bool {
        if self.lane != other.lane {
            return false;
        }
        let evidence = Evidence::between(&self.tokens, &other.tokens);
        match tier(&evidence) {
            Tier::Automatic | Tier::NameAndBirth | Tier::Possible | Tier::Quarantine => true,
            Tier::Never => {
                let agrees = |name| !matches!(name, Names::Different | Names::Missing);
                let named = agrees(evidence.given) && agrees(evidence.family);
                let named = named || evidence.swapped == Swapped::Exact;
                let named = named && evidence.birth == Births::Missing;
                // Written down as a family name or with an initial: all that is known agrees.
                let nameless = evidence.given == Names::Missing
                    && agrees(evidence.family)
                    && matches!(evidence.birth, Births::Exact | Births::Swapped);
                (named || nameless) && evidence.number == Number::Missing
            }
        }
    }

    /// Whether the two are surely one, within one lane: where that opens something, as of a child's
    /// parent. The same names where a date of birth is not known, and never what a person would have
    /// to judge.
    pub fn is(&self, other: &Self) -> bool {
        if self.lane != other.lane {
            return false;
        }
        let evidence = Evidence::between(&self.tokens, &other.tokens);
        match tier(&evidence) {
            Tier::Automatic | Tier::NameAndBirth => true,
            Tier::Possible | Tier::Never | Tier::Quarantine => {
                evidence.given == Names::Exact
                    && matches!(evidence.family, Names::Exact | Names::Spelling)
                    && evidence.birth == Births::Missing
                    && evidence.number == Number::Missing
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::civil::date;

    use super::super::resolve;
    use super::*;

    const CALLED: FieldNames = FieldNames {
        given_name: "other_party.given_name",
        family_name: "other_party.family_name",
        birth_date: "other_party.birth_date",
        pnc_id: "other_party.pnc_id",
    };

    fn keys() -> TokenKeys {
        TokenKeys::derive(&[7; 32])
    }

    fn raw(given: &str, family: &str, birth: &str, pnc: &str) -> RawBeside {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let mut raw = RawBeside::default();
        raw.given_name = some(given);
        raw.family_name = some(family);
        raw.birth_date = some(birth);
        raw.pnc_id = some(pnc);
        raw
    }

    fn beside(lane: Lane, given: &str, family: &str, birth: &str, pnc: &str) -> Beside {
        let made =
            raw(given, family, birth, pnc).resolve(&[lane], &CALLED, &keys(), date(2026, 11, 20));
        made.ok().unwrap().pop().unwrap()
    }

    fn he(given: &str, family: &str, birth: &str) -> Beside {
        beside(Lane::OtherParty, given, family, birth, "")
    }

    #[test]
    fn one_identity_in_all_lanes_shares_no_token() {
        let mut fields = RawFields::default();
        fields.given_name = Some("Imran".to_owned());
        fields.family_name = Some("Karim".to_owned());
        fields.birth_date = Some("1988-01-20".to_owned());
        let (victim, _) = resolve(RawIdentifier::new(fields), &keys(), date(2026, 11, 20))
            .ok()
            .unwrap();
        let other = he("Imran", "Karim", "1988-01-20");
        let parent = beside(Lane::Parent, "Imran", "Karim", "1988-01-20", "");
        let lanes = [victim.tokens(), &other.tokens, &parent.tokens];
        let mut seen = BTreeSet::new();
        for tokens in lanes {
            assert!(tokens.len() > 20);
            assert_eq!(tokens.len(), victim.tokens().len());
            for tagged in tokens {
                assert!(seen.insert(tagged.token), "{:?}", tagged.kind);
            }
        }
        // Compared as if they lay in one lane, nothing links them either.
        let across = Evidence::between(victim.tokens(), &other.tokens);
        assert_eq!(tier(&across), Tier::Never);
        assert!(!other.may_be(&parent));
    }

    #[test]
    fn he_is_known_again_by_what_a_worker_wrote_down_another_time() {
        let known = he("Imran", "Karim", "1988-01-20");
        assert!(known.may_be(&he("Imran", "Karim", "1988-01-20")));
        assert!(known.may_be(&he("Imran", "Karim", "")), "no date");
        assert!(
            known.may_be(&he("Karim", "Imran", "")),
            "in the other order"
        );
        assert!(
            known.may_be(&he("Imran", "Karim", "1988-01-01")),
            "the year"
        );
        assert!(
            !known.may_be(&he("Imran", "Karim", "1961-05-02")),
            "his namesake"
        );
        assert!(
            !known.may_be(&he("Yusuf", "Karim", "1988-01-20")),
            "his twin"
        );
        assert!(!known.may_be(&he("", "Karim", "")), "a surname is a family");
    }

    #[test]
    fn he_is_known_by_his_family_name_and_date_where_nobody_wrote_down_his_given_name() {
        let known = he("Imran", "Karim", "1988-01-20");
        for given in ["", "I"] {
            let stored = he(given, "Karim", "1988-01-20");
            assert!(stored.may_be(&known) && known.may_be(&stored), "{given}");
            assert!(he(given, "Karim", "1988-12-10").may_be(&he("Imran", "Karim", "1988-10-12")));
            assert!(!he(given, "Karim", "1961-05-02").may_be(&known), "{given}");
            assert!(!he(given, "Karim", "").may_be(&known), "{given}");
            assert!(!he(given, "Osei", "1988-01-20").may_be(&known), "{given}");
        }
    }

    #[test]
    fn a_parent_is_known_again_by_the_same_names_and_not_by_names_that_are_alike() {
        let parent = |given, family, birth| beside(Lane::Parent, given, family, birth, "");
        let mother = parent("Amina", "Khan", "1990-05-02");
        assert!(mother.is(&parent("Amina", "Khan", "1990-05-02")));
        assert!(mother.is(&parent("Amina", "Khan", "")), "no date");
        assert!(parent("Amina", "Khan", "").is(&parent("Amina", "Khan", "")));
        for (given, family, birth) in [
            ("Amin", "Khan", ""),
            ("Amin", "Khan", "1990-05-02"),
            ("Amina", "Khan", "1961-08-30"),
            ("Amina", "Khan", "1990-01-01"),
            ("Amina", "", ""),
            ("", "Khan", "1990-05-02"),
        ] {
            let other = parent(given, family, birth);
            assert!(!mother.is(&other), "{given} {family} {birth}");
            assert!(!other.is(&mother), "{given} {family} {birth}");
        }
        assert!(!parent("Amina", "Khan", "").is(&parent("Amin", "Khan", "")));
        let him = he("Amina", "Khan", "1990-05-02");
        assert!(!mother.is(&him), "of another lane");
    }

    #[test]
    fn a_police_number_alone_is_enough_and_two_are_two_people() {
        let numbered = |given, pnc| beside(Lane::OtherParty, given, "Karim", "1988-01-20", pnc);
        let only = beside(Lane::OtherParty, "", "", "", "2012/0052494Q");
        assert!(only.may_be(&numbered("Imran", "2012/52494Q")));
        assert!(!numbered("Imran", "2003/0062845E").may_be(&numbered("Imran", "2012/0052494Q")));
    }

    #[test]
    fn an_initial_and_a_word_for_not_known_are_no_names_to_compare() {
        for (given, family, both) in [
            ("Imran", "Karim", true),
            ("Suharto", "Suharto", true),
            ("Imran", "", false),
            ("", "Karim", false),
            ("I", "Karim", false),
            ("Imran", "unknown", false),
        ] {
            assert_eq!(
                he(given, family, "").has_both_names(),
                both,
                "{given} {family}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_told_under_the_name_of_its_field() {
        let wrong = |given, family, birth, pnc| {
            let made = raw(given, family, birth, pnc).resolve(
                &[Lane::OtherParty],
                &CALLED,
                &keys(),
                date(2026, 11, 20),
            );
            let errors = made.err().unwrap();
            errors.iter().map(|error| error.field).collect::<Vec<_>>()
        };
        assert_eq!(wrong("", "", "1988-01-20", ""), ["other_party.family_name"]);
        assert_eq!(wrong("", "", "", "2012/0052494A"), ["other_party.pnc_id"]);
        assert_eq!(
            wrong("Imran", "Karim", "1988", ""),
            ["other_party.birth_date"]
        );
        assert_eq!(
            wrong("2012/0052494Q", "Karim", "", ""),
            ["other_party.given_name"],
            "a police number has a field of its own"
        );
        assert!(raw(" ", "", "", "").is_empty());
    }

    #[test]
    fn nothing_of_him_can_be_printed() {
        let shown = format!("{:?}", beside(Lane::OtherParty, "Imran", "Karim", "", ""));
        assert!(!shown.to_lowercase().contains("imran"));
        fn wiped<T: ZeroizeOnDrop>() {}
        wiped::<RawBeside>();
    }
}
