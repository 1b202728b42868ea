//! A session after a second factor: a value that only the certificate's own key can use again.
//!
//! It keeps nothing in the store: the value carries when it began and was last used, under a
//! keyed hash with the certificate's key and the person's name. It never stands for the
//! certificate: chain, revocation and enrolment are checked on every request besides (P1).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::attempt::UserName;
use super::peer::Peer;
use super::time::When;

/// Not used for this long, a session ends.
pub const SESSION_IDLE_MINUTES: i64 = 10;
/// However much it is used, a session ends after this long (NIST SP 800-63B, AAL2: 12 hours).
pub const SESSION_HOURS_MAX: i64 = 12;
/// Another node's clock may be ahead by this much (`design.md` 6).
const AHEAD_MILLIS_MAX: i64 = 2_000;

/// Began, last used, keyed hash.
const VALUE_BYTES: usize = 8 + 8 + 32;

/// Makes and checks `Firedoor-Session` values.
pub struct Session;

impl Session {
    /// The value for a session that begins now, in 64 characters of URL-safe base64.
    pub fn issue(key: &[u8; 32], peer: &Peer, user: &UserName, now: When) -> String {
        write(key, peer, user, now, now)
    }

    /// Whether `value` was given to this key and person, and has neither idled nor run out.
    pub fn check(key: &[u8; 32], peer: &Peer, user: &UserName, now: When, value: &str) -> bool {
        live_since(key, peer, user, now, value).is_some()
    }

    /// The value for the next ten minutes, if this one still holds.
    pub fn renew(
        key: &[u8; 32],
        peer: &Peer,
        user: &UserName,
        now: When,
        value: &str,
    ) -> Option<String> {
        let began = live_since(key, peer, user, now, value)?;
        Some(write(key, peer, user, began, now))
    }
}

fn write(key: &[u8; 32], peer: &Peer, user: &UserName, began: When, used: When) -> String {
    let mut value = Vec::with_capacity(VALUE_BYTES);
    value.extend_from_slice(&began.millis().to_be_bytes());
    value.extend_from_slice(&used.millis().to_be_bytes());
    value.extend_from_slice(&mac(key, peer, user, began, used).finalize().into_bytes());
    URL_SAFE_NO_PAD.encode(value)
}

/// When the session began, if it is one and still holds.
fn live_since(
    key: &[u8; 32],
    peer: &Peer,
    user: &UserName,
    now: When,
    value: &str,
) -> Option<When> {
    let bytes: [u8; VALUE_BYTES] = URL_SAFE_NO_PAD.decode(value).ok()?.try_into().ok()?;
    let (began, rest) = bytes.split_first_chunk()?;
    let (used, hash) = rest.split_first_chunk()?;
    let (began, used) = (instant(began), instant(used));
    // In constant time.
    mac(key, peer, user, began, used).verify_slice(hash).ok()?;
    let holds = began <= used
        && used <= now.plus_millis(AHEAD_MILLIS_MAX)
        && now < used.plus_millis(SESSION_IDLE_MINUTES * 60_000)
        && now < began.plus_hours(SESSION_HOURS_MAX);
    holds.then_some(began)
}

fn instant(bytes: &[u8; 8]) -> When {
    When::from_millis(i64::from_be_bytes(*bytes))
}

fn mac(key: &[u8; 32], peer: &Peer, user: &UserName, began: When, used: When) -> Hmac<Sha256> {
    // HMAC pads its key to the block with zeros (RFC 2104).
    let mut block = [0; 64];
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    let mut mac = Hmac::<Sha256>::new(&block.into());
    let name = peer.name();
    let parts: [&[u8]; 7] = [
        b"firedoor session v1",
        peer.spki_sha256(),
        name.organisation.as_str().as_bytes(),
        name.team.as_str().as_bytes(),
        user.as_str().as_bytes(),
        &began.millis().to_be_bytes(),
        &used.millis().to_be_bytes(),
    ];
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::peer::SpiffeName;
    use proptest::prelude::*;

    const KEY: [u8; 32] = [7; 32];

    fn peer(spki: u8) -> Peer {
        let uri = "spiffe://firedoor.example/org/haven/team/ig/user/ig1";
        Peer::for_tests(
            SpiffeName::parse(uri, "firedoor.example").unwrap(),
            [spki; 32],
        )
    }

    fn user(name: &str) -> UserName {
        UserName::parse(name).unwrap()
    }

    fn at(minutes: i64) -> When {
        When::from_millis(1_750_000_000_000 + minutes * 60_000)
    }

    #[test]
    fn a_session_is_bound_to_the_key_and_the_person() {
        let value = Session::issue(&KEY, &peer(1), &user("ig1"), at(0));
        assert_eq!(value.len(), 64);
        assert!(Session::check(&KEY, &peer(1), &user("ig1"), at(0), &value));
        assert!(!Session::check(&KEY, &peer(2), &user("ig1"), at(0), &value));
        assert!(!Session::check(&KEY, &peer(1), &user("ig2"), at(0), &value));
        assert!(!Session::check(
            &[8; 32],
            &peer(1),
            &user("ig1"),
            at(0),
            &value
        ));
    }

    #[test]
    fn a_session_ends_after_ten_idle_minutes() {
        let value = Session::issue(&KEY, &peer(1), &user("ig1"), at(0));
        assert!(Session::check(&KEY, &peer(1), &user("ig1"), at(9), &value));
        assert!(!Session::check(
            &KEY,
            &peer(1),
            &user("ig1"),
            at(10),
            &value
        ));
        assert!(!Session::check(
            &KEY,
            &peer(1),
            &user("ig1"),
            at(-1),
            &value
        ));
    }

    #[test]
    fn a_session_in_use_goes_on_for_twelve_hours_at_most() {
        let mut value = Session::issue(&KEY, &peer(1), &user("ig1"), at(0));
        for minutes in (5..12 * 60).step_by(5) {
            value = Session::renew(&KEY, &peer(1), &user("ig1"), at(minutes), &value).unwrap();
        }
        assert_eq!(
            Session::renew(&KEY, &peer(1), &user("ig1"), at(720), &value),
            None
        );
    }

    proptest! {
        #[test]
        fn nothing_else_is_a_session(value in "[A-Za-z0-9_-]{0,80}", any: String) {
            prop_assert!(!Session::check(&KEY, &peer(1), &user("ig1"), at(0), &value));
            prop_assert!(!Session::check(&KEY, &peer(1), &user("ig1"), at(0), &any));
        }

        #[test]
        fn no_bit_may_change(bit in 0..VALUE_BYTES * 8) {
            let value = Session::issue(&KEY, &peer(1), &user("ig1"), at(0));
            let mut bytes = URL_SAFE_NO_PAD.decode(value).unwrap();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let changed = URL_SAFE_NO_PAD.encode(bytes);
            prop_assert!(!Session::check(&KEY, &peer(1), &user("ig1"), at(0), &changed));
        }
    }
}
