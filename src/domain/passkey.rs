//! Passkeys (WebAuthn Level 3), by the library `webauthn-rs`, which is named nowhere else.
//!
//! A ceremony has two halves. The first draws its challenge from the operating system, so it is made
//! outside a decision and handed in; the second is pure. Who the user is must be verified by the device
//! itself, each time. A counter that does not grow is refused, as the library advises: the key may
//! have been copied.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use webauthn_rs::prelude::{
    CredentialID, Passkey as Credential, PasskeyAuthentication, PasskeyRegistration,
    PublicKeyCredential, RegisterPublicKeyCredential, Url, Uuid, Webauthn, WebauthnBuilder,
};

use super::device::Ceremony;

/// Far more than a browser sends of a passkey.
pub const REPLY_CHARS_MAX: usize = 16 * 1024;

/// A passkey that is registered: its id, its public key, counter and whether it is backed up, in the
/// library's own form.
#[derive(Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Passkey(String);

/// It is of no use to a reader.
impl fmt::Debug for Passkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passkey(..)")
    }
}

impl Passkey {
    fn write(credential: &Credential) -> Option<Self> {
        serde_json::to_string(credential).ok().map(Self)
    }

    fn read(&self) -> Option<Credential> {
        serde_json::from_str(&self.0).ok()
    }
}

/// The place that passkeys are for: the host name by which people reach this gateway.
pub struct Site(Webauthn);

impl Site {
    /// `None` if it is no host name, such as an address: a passkey cannot be for one.
    pub fn new(host: &str) -> Option<Self> {
        let origin = Url::parse(&format!("https://{host}")).ok()?;
        // A host, and nothing that only looks like one. The port is not part of what a passkey is for, and
        // may be another outside than the one that is listened on.
        let plain = origin.domain() == Some(host);
        let builder = WebauthnBuilder::new(host, &origin).ok()?;
        let site = builder.allow_any_port(true).build().ok()?;
        plain.then_some(Self(site))
    }

    /// Asks for a new passkey, on a device that holds none of these.
    pub fn register<'a>(
        &self,
        handle: [u8; 16],
        name: &str,
        held: impl Iterator<Item = &'a Passkey>,
    ) -> Option<Ceremony> {
        let held: Vec<CredentialID> = held
            .filter_map(|one| Some(one.read()?.cred_id().clone()))
            .collect();
        let begun =
            self.0
                .start_passkey_registration(Uuid::from_bytes(handle), name, name, Some(held));
        let (options, state) = begun.ok()?;
        Some(Ceremony {
            options: serde_json::to_string(&options).ok()?,
            state: serde_json::to_string(&state).ok()?,
        })
    }

    /// The passkey that was made, if the reply is to this ceremony.
    pub fn registered(&self, ceremony: &Ceremony, reply: &str) -> Option<Passkey> {
        let state: PasskeyRegistration = serde_json::from_str(&ceremony.state).ok()?;
        let reply: RegisterPublicKeyCredential = serde_json::from_str(reply).ok()?;
        let made = self.0.finish_passkey_registration(&reply, &state).ok()?;
        Passkey::write(&made)
    }

    /// Asks for one of these; `None` if there are none.
    pub fn ask<'a>(&self, held: impl Iterator<Item = &'a Passkey>) -> Option<Ceremony> {
        let held: Vec<Credential> = held.filter_map(Passkey::read).collect();
        if held.is_empty() {
            return None;
        }
        let (options, state) = self.0.start_passkey_authentication(&held).ok()?;
        Some(Ceremony {
            options: serde_json::to_string(&options).ok()?,
            state: serde_json::to_string(&state).ok()?,
        })
    }

    /// Which of these answered, and as it is to be kept from now on, if the reply is to this ceremony.
    pub fn answered<'a>(
        &self,
        ceremony: &Ceremony,
        reply: &str,
        held: impl Iterator<Item = &'a Passkey>,
    ) -> Option<Used> {
        let state: PasskeyAuthentication = serde_json::from_str(&ceremony.state).ok()?;
        let reply: PublicKeyCredential = serde_json::from_str(reply).ok()?;
        let result = self.0.finish_passkey_authentication(&reply, &state).ok()?;
        let (before, mut credential) = held
            .filter_map(|one| Some((one.clone(), one.read()?)))
            .find(|(_, credential)| credential.cred_id() == result.cred_id())?;
        credential.update_credential(&result)?;
        let after = Passkey::write(&credential)?;
        Some(Used { before, after })
    }
}

/// A passkey that proved its person, as it was and as it is now.
pub struct Used {
    pub before: Passkey,
    pub after: Passkey,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passkey_is_for_a_host_name() {
        for host in ["localhost", "gateway.example.org"] {
            assert!(Site::new(host).is_some(), "{host}");
        }
        for host in [
            "",
            "127.0.0.1",
            "[::1]",
            "gateway.example.org:8443",
            "gateway.example.org/x",
            "me@gateway.example.org",
            "Gateway.example.org",
            "a b",
        ] {
            assert!(Site::new(host).is_none(), "{host}");
        }
    }

    #[test]
    fn nobody_is_asked_for_a_passkey_that_she_has_not() {
        let site = Site::new("localhost").unwrap();
        assert!(site.ask([].into_iter()).is_none());
    }

    #[test]
    fn what_is_no_reply_registers_nothing() {
        let site = Site::new("localhost").unwrap();
        let ceremony = site.register([7; 16], "haven/hi1", [].into_iter()).unwrap();
        for reply in ["", "{}", "null", "[]", &ceremony.options, &ceremony.state] {
            assert!(site.registered(&ceremony, reply).is_none(), "{reply}");
        }
    }

    #[test]
    fn who_she_is_must_be_verified_by_the_device() {
        let site = Site::new("localhost").unwrap();
        let ceremony = site.register([7; 16], "haven/hi1", [].into_iter()).unwrap();
        let told: serde_json::Value = serde_json::from_str(&ceremony.options).unwrap();
        let selection = &told["publicKey"]["authenticatorSelection"];
        assert_eq!(selection["userVerification"], "required");
        assert_eq!(told["publicKey"]["rp"]["id"], "localhost");
    }
}
