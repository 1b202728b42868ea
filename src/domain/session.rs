//! A session after a second factor, and the mark of a form that a page gave out: values that only the
//! certificate's own key can use again.
//!
//! A session keeps nothing in the store: the value carries when it began and was last used, under a
//! keyed hash with the certificate's key and the person's name. It never stands for the
//! certificate: chain, revocation and enrolment are checked on every request besides (P1).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::attempt::{IdempotencyKey, UserName};
use super::id::Id;
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

/// Random, given out, keyed hash.
const TOKEN_BYTES: usize = 16 + 8 + 32;

/// The hidden value of a form: that a page gave it to this person, lately, and which form it was.
///
/// It keeps another site's form out (CSRF), beside `SameSite`, `Origin` and `Sec-Fetch-Site`; and as an
/// idempotency key it makes one act of a form that is sent twice.
pub struct FormToken;

impl FormToken {
    /// For a form that is given out now, in 75 characters of URL-safe base64; `id` is random.
    pub fn issue(key: &[u8; 32], peer: &Peer, user: &UserName, now: When, id: Id) -> String {
        let mut value = Vec::with_capacity(TOKEN_BYTES);
        value.extend_from_slice(id.bytes());
        value.extend_from_slice(&now.millis().to_be_bytes());
        let mac = token_mac(key, peer, user, now, id);
        value.extend_from_slice(&mac.finalize().into_bytes());
        URL_SAFE_NO_PAD.encode(value)
    }

    /// The idempotency key of the form that `value` stands for, if it was given to this key and person
    /// within the longest session.
    pub fn check(
        key: &[u8; 32],
        peer: &Peer,
        user: &UserName,
        now: When,
        value: &str,
    ) -> Option<IdempotencyKey> {
        let bytes: [u8; TOKEN_BYTES] = URL_SAFE_NO_PAD.decode(value).ok()?.try_into().ok()?;
        let (id, rest) = bytes.split_first_chunk()?;
        let (given, hash) = rest.split_first_chunk()?;
        let (id, given) = (Id::from_bytes(*id), instant(given));
        let mac = token_mac(key, peer, user, given, id);
        // In constant time.
        mac.verify_slice(hash).ok()?;
        let holds =
            given <= now.plus_millis(AHEAD_MILLIS_MAX) && now < given.plus_hours(SESSION_HOURS_MAX);
        let key = holds.then(|| IdempotencyKey::parse(&format!("form-{id}")))?;
        key.ok()
    }
}

fn token_mac(key: &[u8; 32], peer: &Peer, user: &UserName, given: When, id: Id) -> Hmac<Sha256> {
    let (given, id) = (given.millis().to_be_bytes(), id.bytes());
    keyed(key, b"firedoor form v1", peer, user, [&given, id])
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
    let (began, used) = (began.millis().to_be_bytes(), used.millis().to_be_bytes());
    keyed(key, b"firedoor session v1", peer, user, [&began, &used])
}

/// A hash under a key of the gateway's with the certificate's key and the person's name in it.
pub(super) fn keyed(
    key: &[u8; 32],
    label: &[u8],
    peer: &Peer,
    user: &UserName,
    [first, second]: [&[u8]; 2],
) -> Hmac<Sha256> {
    // HMAC pads its key to the block with zeros (RFC 2104).
    let mut block = [0; 64];
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    let mut mac = Hmac::<Sha256>::new(&block.into());
    let name = peer.name();
    let parts: [&[u8]; 7] = [
        label,
        peer.spki_sha256(),
        name.organisation.as_str().as_bytes(),
        name.team.as_str().as_bytes(),
        user.as_str().as_bytes(),
        first,
        second,
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

    #[test]
    fn a_form_is_its_readers_own_for_twelve_hours_and_always_the_same_act() {
        let id = Id::from_bytes([5; 16]);
        let value = FormToken::issue(&KEY, &peer(1), &user("ig1"), at(0), id);
        assert_eq!(value.len(), 75);
        let check = |spki, name, minutes| {
            let taken = FormToken::check(&KEY, &peer(spki), &user(name), at(minutes), &value);
            taken.map(|key| key.as_str().to_owned())
        };
        let key = check(1, "ig1", 0);
        assert!(key.is_some());
        assert_eq!(check(1, "ig1", 719), key);
        assert_eq!(check(1, "ig1", 720), None);
        assert_eq!(check(1, "ig1", -1), None);
        assert_eq!(check(2, "ig1", 0), None);
        assert_eq!(check(1, "ig2", 0), None);
    }

    proptest! {
        #[test]
        fn nothing_else_is_a_form(value in "[A-Za-z0-9_-]{0,80}", any: String) {
            prop_assert!(FormToken::check(&KEY, &peer(1), &user("ig1"), at(0), &value).is_none());
            prop_assert!(FormToken::check(&KEY, &peer(1), &user("ig1"), at(0), &any).is_none());
        }

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
