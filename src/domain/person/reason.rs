//! Why two records may be of one person, in codes and plain words, and whether they contradict each
//! other: what a worker at the holding agency is told who must decide.
//!
//! A reason names a kind of field and how it differs, never a value and never whose record it is.

use borsh::{BorshDeserialize, BorshSerialize};

use super::link::{Births, Evidence, Names, Number, Swapped};

macro_rules! reasons {
    ($($variant:ident = $code:literal, $says:literal;)+) => {
        /// How two records agree or differ in one respect. New ones go at the end: the number is
        /// stored.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize,
        )]
        pub enum Reason { $(#[doc = $says] $variant),+ }

        impl Reason {
            /// The word in replies and in the log.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// The same for people.
            pub const fn says(self) -> &'static str {
                match self { $(Self::$variant => $says),+ }
            }
        }
    };
}

reasons! {
    NumberSame = "number-same", "An official number is the same.";
    NumberDifferent = "number-different", "An official number is another.";
    GivenSame = "given-same", "The given name is the same.";
    GivenSpelling = "given-spelling", "The given name is the same in another spelling.";
    GivenShort = "given-short", "One given name is a short form of the other.";
    GivenSimilar = "given-similar", "The given name differs by one letter.";
    GivenPart = "given-part", "One given name is a part of the other.";
    GivenSound = "given-sound", "The given names sound alike.";
    GivenDifferent = "given-different", "The given name is another.";
    FamilySame = "family-same", "The family name is the same.";
    FamilySpelling = "family-spelling", "The family name is the same in another spelling.";
    FamilySimilar = "family-similar", "The family name differs by one letter.";
    FamilyPart = "family-part", "One family name is a part of the other.";
    FamilySound = "family-sound", "The family names sound alike.";
    FamilyDifferent = "family-different", "The family name is another.";
    NamesSwapped = "names-swapped", "Given and family name are the other way round.";
    BirthSame = "birth-same", "The date of birth is the same.";
    BirthSwapped = "birth-day-month-swapped", "Day and month of birth are the other way round.";
    BirthSimilar = "birth-similar", "The date of birth differs by one digit.";
    BirthYear = "birth-year", "Only the year of birth is certain, and it is the same.";
    BirthDifferent = "birth-different", "The date of birth is another.";
    SameContact = "same-contact",
        "A postcode, a telephone number, an e-mail address or a home is the same.";
    SimilarHome = "similar-home", "The house number is the same, and the street begins alike.";
}

impl Evidence {
    /// Each holds an official number, and these are two: two people, whatever anybody decides.
    pub fn two_numbers(&self) -> bool {
        self.number == Number::Different
    }

    /// What agrees and what differs, in a fixed order. Of what one record does not have there is
    /// nothing to say.
    pub fn reasons(&self) -> Vec<Reason> {
        let number = match self.number {
            Number::Same => Some(Reason::NumberSame),
            Number::Different => Some(Reason::NumberDifferent),
            Number::Missing => None,
        };
        let swapped = match self.swapped {
            Swapped::Exact | Swapped::Near => Some(Reason::NamesSwapped),
            Swapped::No => None,
        };
        let [given, family] = match swapped {
            Some(_) => [None, None],
            None => [given(self.given), family(self.family)],
        };
        let birth = match self.birth {
            Births::Exact => Some(Reason::BirthSame),
            Births::Swapped => Some(Reason::BirthSwapped),
            Births::Slip => Some(Reason::BirthSimilar),
            Births::YearOnly => Some(Reason::BirthYear),
            Births::Different => Some(Reason::BirthDifferent),
            Births::Missing => None,
        };
        let contact = match (self.corroborated, self.home_near) {
            (true, _) => Some(Reason::SameContact),
            (false, true) => Some(Reason::SimilarHome),
            (false, false) => None,
        };
        let all = [number, given, family, swapped, birth, contact];
        all.into_iter().flatten().collect()
    }
}

const fn given(name: Names) -> Option<Reason> {
    Some(match name {
        Names::Exact => Reason::GivenSame,
        Names::Spelling => Reason::GivenSpelling,
        Names::Short => Reason::GivenShort,
        Names::Misspelt | Names::Slip => Reason::GivenSimilar,
        Names::Part => Reason::GivenPart,
        Names::Sound => Reason::GivenSound,
        Names::Different => Reason::GivenDifferent,
        Names::Missing => return None,
    })
}

const fn family(name: Names) -> Option<Reason> {
    Some(match name {
        Names::Exact => Reason::FamilySame,
        Names::Spelling | Names::Short => Reason::FamilySpelling,
        Names::Misspelt | Names::Slip => Reason::FamilySimilar,
        Names::Part => Reason::FamilyPart,
        Names::Sound => Reason::FamilySound,
        Names::Different => Reason::FamilyDifferent,
        Names::Missing => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_said_of_what_both_have_and_of_nothing_else() {
        let mut evidence = Evidence {
            number: Number::Missing,
            given: Names::Slip,
            family: Names::Exact,
            swapped: Swapped::No,
            birth: Births::Swapped,
            corroborated: true,
            home_near: true,
        };
        let codes = |evidence: &Evidence| {
            let reasons = evidence.reasons();
            let codes: Vec<&str> = reasons.iter().map(|reason| reason.code()).collect();
            codes.join(" ")
        };
        assert_eq!(
            codes(&evidence),
            "given-similar family-same birth-day-month-swapped same-contact"
        );
        evidence.swapped = Swapped::Near;
        evidence.birth = Births::Missing;
        evidence.corroborated = false;
        assert_eq!(codes(&evidence), "names-swapped similar-home");
        evidence.home_near = false;
        assert_eq!(codes(&evidence), "names-swapped");
        evidence.swapped = Swapped::No;
        (evidence.given, evidence.family) = (Names::Missing, Names::Missing);
        assert_eq!(codes(&evidence), "");
    }
}
