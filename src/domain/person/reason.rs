//! Why two records may be of one person, in codes and plain words, and whether they contradict each
//! other: what a worker at the holding agency is told who must decide.
//!
//! A reason names a kind of field and how it differs, never a value and never whose record it is.

use borsh::{BorshDeserialize, BorshSerialize};

use super::link::{Evidence, Said};

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
    NameAndBirthSame = "name-and-birth-same", "The names and the date of birth are the same.";
    GivenDifferent = "given-different", "The given name is another.";
    BirthDifferent = "birth-different", "The date of birth is another.";
    Corroborated = "corroborated",
        "A postcode, a telephone number, an e-mail address or a home is the same.";
}

impl Evidence {
    /// Each holds an official number, and these are two: two people, whatever anybody decides.
    pub fn two_numbers(&self) -> bool {
        self.nhs == Said::Different
    }

    /// Whether one person cannot be both without a mistake in one of the records.
    pub fn contradicts(&self) -> bool {
        [self.nhs, self.nhs_given, self.nhs_birth, self.name_birth].contains(&Said::Different)
    }

    /// What agrees and what differs, in a fixed order.
    pub fn reasons(&self) -> Vec<Reason> {
        let all = [
            (self.nhs == Said::Same, Reason::NumberSame),
            (self.name_birth == Said::Same, Reason::NameAndBirthSame),
            (self.nhs_given == Said::Different, Reason::GivenDifferent),
            (self.nhs_birth == Said::Different, Reason::BirthDifferent),
            (self.corroborated, Reason::Corroborated),
        ];
        let told = all.into_iter().filter(|(holds, _)| *holds);
        told.map(|(_, reason)| reason).collect()
    }
}
