//! Names of things: random 128-bit ids, and the short names of organisations, teams and users.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};

/// A 128-bit id. Outside it is 26 characters of Crockford base32, never sequential.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Id([u8; 16]);

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl Id {
    pub const ZERO: Self = Self([0; 16]);

    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// A random id, of 126 bits: in the name that an organisation is given of it, the first two say
    /// by which key that was made ([`super::alias`]).
    pub const fn drawn(mut bytes: [u8; 16]) -> Self {
        bytes[0] &= 0b0011_1111;
        Self(bytes)
    }

    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The first seven characters as people read them aloud: `7QF4-2KD`.
    pub fn short(&self) -> String {
        let text = self.to_string();
        let (head, rest) = text.split_at(4);
        let (tail, _) = rest.split_at(3);
        format!("{head}-{tail}")
    }

    /// Reads the 26 characters; `I`, `L` are 1 and `O` is 0, hyphens and case do not matter.
    pub fn parse(text: &str) -> Option<Self> {
        let mut value: u128 = 0;
        let mut count = 0_u32;
        for byte in text.bytes().filter(|byte| *byte != b'-') {
            let upper = match byte.to_ascii_uppercase() {
                b'I' | b'L' => b'1',
                b'O' => b'0',
                other => other,
            };
            let digit = CROCKFORD.iter().position(|symbol| *symbol == upper)?;
            // 26 symbols carry 130 bits: the first may only use three of its five.
            if count == 0 && digit > 7 {
                return None;
            }
            value = (value << 5) | digit as u128;
            count += 1;
        }
        (count == 26).then(|| Self(value.to_be_bytes()))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = u128::from_be_bytes(self.0);
        for place in (0..26).rev() {
            let digit = (value >> (place * 5)) as usize & 31;
            let symbol = CROCKFORD.get(digit).copied().unwrap_or(b'0');
            write!(f, "{}", char::from(symbol))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A short name is 2 to 32 of `a-z`, `0-9` and `-`, not beginning or ending with `-`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 2 to 32 of a-z, 0-9 and '-', and not begin or end with '-'")]
pub struct BadName;

fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    (2..=32).contains(&text.len())
        && text.bytes().all(allowed)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

macro_rules! short_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
        )]
        pub struct $name(String);

        impl $name {
            pub fn parse(text: &str) -> Result<Self, BadName> {
                if is_name(text) { Ok(Self(text.to_owned())) } else { Err(BadName) }
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

short_name!(
    /// An organisation, as its certificates name it.
    OrgId
);
short_name!(
    /// A team within an organisation: the team, not the organisation, is the recipient (F3).
    TeamId
);
short_name!(
    /// A person who works there, as her organisation names her. Opaque to everyone else.
    UserId
);
short_name!(
    /// A service that takes referrals, unique within the gateway.
    ServiceId
);

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize,
            BorshDeserialize,
        )]
        pub struct $name(pub Id);

        impl $name {
            pub const fn id(&self) -> Id {
                self.0
            }
        }
    };
}

random_id!(
    /// One organisation's own record of a person (P7). Never leaves the gateway: outside it is a
    /// `PersonRef`, an alias under that organisation's key.
    PersonId
);
random_id!(ReferralId);
random_id!(ConsentId);
random_id!(AssessmentId);
random_id!(ProposalId);
random_id!(
    /// An item that one agency's client sealed for another's.
    SealedItemId
);
random_id!(
    /// A withdrawal or a pause; also the item under which its tombstone lies.
    WithdrawalId
);
random_id!(
    /// That one holder is to stop using what it was shown.
    StopUseId
);
random_id!(
    /// A pair of records that may be of one person, as seen from one of them.
    LinkId
);
random_id!(
    /// That the glass was broken: the id of its entry in the log.
    EmergencyId
);
random_id!(
    /// A referral that somebody has begun and keeps for later.
    DraftId
);
random_id!(
    /// One thing that is counted for a quarter's return.
    LineId
);
random_id!(
    /// A request for what is held about a person, or what one who holds something is asked for it.
    SubjectAccessId
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_survives_its_text(bytes: [u8; 16]) {
            let id = Id::from_bytes(bytes);
            let text = id.to_string();
            prop_assert_eq!(text.len(), 26);
            prop_assert_eq!(Id::parse(&text), Some(id));
            prop_assert_eq!(Id::parse(&text.to_lowercase()), Some(id));
        }

        #[test]
        fn reading_an_id_never_panics(text: String) {
            let _ = Id::parse(&text);
        }
    }

    #[test]
    fn a_name_is_whole_and_plain() {
        for bad in ["", "a", "-ab", "ab-", "Ab", "a_b", "a b", &"a".repeat(33)] {
            assert!(OrgId::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(OrgId::parse("met-police").unwrap().as_str(), "met-police");
    }
}
