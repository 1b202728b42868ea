//! What a person proves herself with: authenticator apps and passkeys, each under a name of her own.
//!
//! She has at least one from the day she is enrolled, and one more when she wants a spare.

use borsh::{BorshDeserialize, BorshSerialize};

use super::organisation::TotpSecret;
use super::passkey::Passkey;
use super::time::When;

/// So many of one person.
pub const DEVICES_MAX: usize = 10;
/// The app may have to be installed first.
pub const APP_MINUTES: i64 = 30;
/// What a browser waits for a passkey, as the library asks it to.
pub const PASSKEY_MINUTES: i64 = 5;
/// Code points of the name of a device.
pub const NAME_CHARS_MAX: usize = 40;
/// The device that she was enrolled with.
const ENROLLED: &str = "Authenticator app";

/// One thing that she proves herself with.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Device {
    /// By which she names it to the gateway; used once.
    pub number: u32,
    pub name: String,
    pub added_at: When,
    pub used_at: Option<When>,
    pub proof: Proof,
}

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Proof {
    App {
        secret: TotpSecret,
        /// The last time step that was used, so that a code opens one session only.
        last_step: u64,
    },
    Passkey(Passkey),
}

impl Proof {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::App { .. } => "authenticator_app",
            Self::Passkey(_) => "passkey",
        }
    }
}

/// Something that was begun, by whom and until when it can be finished.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Begun<T> {
    /// The key of the certificate that began it.
    pub spki_sha256: [u8; 32],
    pub until: When,
    pub what: T,
}

impl<T> Begun<T> {
    /// What was begun, for the same key in time.
    pub fn of(&self, spki_sha256: &[u8; 32], now: When) -> Option<&T> {
        (self.spki_sha256 == *spki_sha256 && now < self.until).then_some(&self.what)
    }
}

/// A device that is not one of hers until it has shown that it works.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Adding {
    pub name: String,
    pub kind: AddingKind,
}

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum AddingKind {
    App(TotpSecret),
    Passkey(Ceremony),
}

/// A passkey is asked for: what its browser is told, and what the gateway keeps to check the reply.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Ceremony {
    /// JSON for `navigator.credentials`.
    pub options: String,
    pub state: String,
}

/// All that one person proves herself with.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Devices {
    list: Vec<Device>,
    /// How many there ever were.
    ever: u32,
    /// One more, which is being added.
    pub adding: Option<Begun<Adding>>,
    /// A sign-in with a passkey. It is gone once it has opened a session.
    pub asked: Option<Begun<Ceremony>>,
    /// She was told once that she has only one.
    pub told_of_spare: bool,
}

impl Devices {
    /// As she is enrolled: one authenticator app, in place of all that she had.
    pub fn enrolled(secret: TotpSecret, now: When) -> Self {
        let mut devices = Self::default();
        devices.add(
            ENROLLED.to_owned(),
            Proof::App {
                secret,
                last_step: 0,
            },
            now,
        );
        devices
    }

    pub fn list(&self) -> &[Device] {
        &self.list
    }

    pub fn list_mut(&mut self) -> &mut [Device] {
        &mut self.list
    }

    pub fn is_full(&self) -> bool {
        self.list.len() >= DEVICES_MAX
    }

    pub fn passkeys(&self) -> impl Iterator<Item = &Passkey> {
        self.list.iter().filter_map(|device| match &device.proof {
            Proof::Passkey(passkey) => Some(passkey),
            Proof::App { .. } => None,
        })
    }

    /// One more of hers; nothing is being added any longer.
    pub fn add(&mut self, name: String, proof: Proof, now: When) {
        self.ever = self.ever.saturating_add(1);
        self.list.push(Device {
            number: self.ever,
            name,
            added_at: now,
            used_at: None,
            proof,
        });
        self.adding = None;
    }

    /// Takes one away, unless there is no such device or it is her last.
    ///
    /// # Errors
    /// Why not.
    pub fn remove(&mut self, number: u32) -> Result<(), NotRemoved> {
        let at = self.list.iter().position(|device| device.number == number);
        let at = at.ok_or(NotRemoved::Unknown)?;
        if self.list.len() == 1 {
            return Err(NotRemoved::Last);
        }
        self.list.remove(at);
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRemoved {
    Unknown,
    Last,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: When = When::from_millis(1_750_000_000_000);

    fn app() -> Proof {
        Proof::App {
            secret: TotpSecret::new([1; 20]),
            last_step: 0,
        }
    }

    #[test]
    fn the_last_one_stays() {
        let mut devices = Devices::enrolled(TotpSecret::new([1; 20]), NOW);
        assert_eq!(devices.remove(1), Err(NotRemoved::Last));
        devices.add("Tablet".to_owned(), app(), NOW);
        assert_eq!(devices.remove(1), Ok(()));
        assert_eq!(devices.remove(2), Err(NotRemoved::Last));
        assert_eq!(devices.list().len(), 1);
    }

    #[test]
    fn a_number_is_used_once() {
        let mut devices = Devices::enrolled(TotpSecret::new([1; 20]), NOW);
        devices.add("Tablet".to_owned(), app(), NOW);
        devices.remove(2).unwrap();
        devices.add("Laptop".to_owned(), app(), NOW);
        assert_eq!(devices.remove(2), Err(NotRemoved::Unknown));
        assert_eq!(devices.list().last().unwrap().number, 3);
    }

    #[test]
    fn what_was_begun_is_for_the_same_key_in_time() {
        let begun = Begun {
            spki_sha256: [1; 32],
            until: NOW.plus_hours(1),
            what: (),
        };
        assert!(begun.of(&[1; 32], NOW).is_some());
        assert!(begun.of(&[2; 32], NOW).is_none());
        assert!(begun.of(&[1; 32], NOW.plus_hours(1)).is_none());
    }
}
