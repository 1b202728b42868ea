//! How a certificate is handed to a person: as one file, with a password that is said by telephone.

use hmac::Mac;
use zeroize::Zeroizing;

use super::attempt::{IdempotencyKey, UserName};
use super::peer::Peer;
use super::session::keyed;

/// How the file is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleForm {
    /// AES-256 with PBKDF2 and SHA-256: Windows since 10 version 1709, and NSS (Firefox, Chromium).
    Modern,
    /// Triple DES and SHA-1: older Windows, and what is reported to call a right password wrong in the
    /// modern form: macOS 13 and 14, iOS, Android 11.
    Legacy,
}

impl BundleForm {
    pub const ALL: [Self; 2] = [Self::Modern, Self::Legacy];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Modern => "modern",
            Self::Legacy => "legacy",
        }
    }

    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.code() == code)
    }
}

/// Sixteen signs that nobody confuses on the telephone: 80 bits of what is random.
pub fn password(random: &[u8; 16]) -> Zeroizing<String> {
    const SIGNS: &[u8; 32] = b"23456789abcdefghijkmnpqrstuvwxyz";
    let mut text = Zeroizing::new(String::with_capacity(19));
    for (at, byte) in random.iter().enumerate() {
        if at > 0 && at % 4 == 0 {
            text.push('-');
        }
        let sign = SIGNS.get(usize::from(byte % 32)).copied().unwrap_or(b'2');
        text.push(char::from(sign));
    }
    text
}

/// The password of the file that one request makes. It follows from the request's own key, under a key
/// of the gateway's: a page can show it before the file is made, and nothing keeps it in between.
pub fn password_of(
    key: &[u8; 32],
    peer: &Peer,
    user: &UserName,
    request: &IdempotencyKey,
) -> Zeroizing<String> {
    let parts = [request.as_str().as_bytes(), &[]];
    let hash = keyed(key, b"firedoor file password v1", peer, user, parts);
    let hash = Zeroizing::new(<[u8; 32]>::from(hash.finalize().into_bytes()));
    let mut random = Zeroizing::new([0; 16]);
    for (to, from) in random.iter_mut().zip(hash.iter()) {
        *to = *from;
    }
    password(&random)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::peer::SpiffeName;

    fn of(key: u8, spki: u8, user: &str, request: &str) -> String {
        let uri = "spiffe://firedoor.example/org/haven/team/office/user/ha1";
        let name = SpiffeName::parse(uri, "firedoor.example").unwrap();
        let peer = Peer::for_tests(name, [spki; 32]);
        let user = UserName::parse(user).unwrap();
        let request = IdempotencyKey::parse(request).unwrap();
        password_of(&[key; 32], &peer, &user, &request).to_string()
    }

    #[test]
    fn a_password_is_of_one_request_of_one_person_under_one_key() {
        let hers = of(7, 1, "ha1", "form-1");
        assert_eq!(hers, of(7, 1, "ha1", "form-1"));
        for other in [
            of(8, 1, "ha1", "form-1"),
            of(7, 2, "ha1", "form-1"),
            of(7, 1, "ha2", "form-1"),
            of(7, 1, "ha1", "form-2"),
        ] {
            assert_ne!(hers, other);
        }
    }

    #[test]
    fn a_password_is_sixteen_signs_that_can_be_said() {
        let said = of(7, 1, "ha1", "form-1");
        assert_eq!(said.len(), 19);
        assert!(said.split('-').all(|part| part.len() == 4), "{said}");
        // One is taken for l, zero for o.
        assert!(!said.contains(['0', '1', 'l', 'o']), "{said}");
        assert_eq!(*password(&[31; 16]), "zzzz-zzzz-zzzz-zzzz");
    }
}
