//! The sound of a name, coarse: equal for most spellings of one name in the languages of London.
//!
//! Codes such as Soundex and Metaphone hear English. Here letters are merged that stand for one
//! another when names are written down by ear or transliterated from Arabic, Bengali, Polish,
//! Somali or Turkish: `kh`, `gh`, `dh` and the like lose their `h`; `w` and `v`, `s` and `z`, `c`,
//! `q` and `k` are one. Vowels count only at the beginning, where they are one too. A sound alone
//! shows nothing about who someone is; it finds records, which are then compared.

/// Longest sound, in letters: what comes after is where long names differ by their endings.
const SOUNDS_MAX: usize = 8;

/// The sound of a folded name (`a-z` only; anything else is passed over).
pub(super) fn of(folded: &str) -> String {
    let letters = folded.as_bytes();
    let mut sound = String::with_capacity(SOUNDS_MAX);
    let mut last = None;
    let mut place = 0;
    while let Some((first, rest)) = letters.get(place..).and_then(<[u8]>::split_first) {
        let (heard, taken) = hear(*first, rest, place == 0);
        match heard {
            Some('a') if place > 0 => last = None,
            Some(letter) => {
                if last != Some(letter) && sound.len() < SOUNDS_MAX {
                    sound.push(letter);
                }
                last = Some(letter);
            }
            None => {}
        }
        place += taken;
    }
    sound
}

/// What one letter, or a group that is one sound, stands for, and how many letters it takes.
/// Every vowel is `a`; `None` is silent.
fn hear(first: u8, rest: &[u8], begins: bool) -> (Option<char>, usize) {
    let (sound, taken) = match (first, rest) {
        (b's', [b'c', b'h', ..]) => ('x', 3),
        (b's', [b'h' | b'z', ..]) | (b'c', [b'h' | b'z', ..]) => ('x', 2),
        (b't', [b'c', b'h', ..]) => ('x', 3),
        (b'p', [b'h', ..]) => ('f', 2),
        (b'c', [b'e' | b'i' | b'y', ..]) => ('s', 1),
        (b'c', [b'k', ..]) | (b'q', [b'u', ..]) => ('k', 2),
        (b'c' | b'q', _) => ('k', 1),
        (b'd', [b'j', ..]) => ('j', 2),
        (b'd', [b'z', ..]) | (b't', [b'z' | b's', ..]) => ('s', 2),
        (b'x', _) if begins => ('x', 1),
        (b'x', _) => ('k', 1),
        (b'z', _) => ('s', 1),
        (b'w', _) => ('v', 1),
        (b'a' | b'e' | b'i' | b'o' | b'u' | b'y', _) => ('a', 1),
        (b'h', _) => return (None, 1),
        (b'a'..=b'z', _) => (char::from(first), 1),
        _ => return (None, 1),
    };
    (Some(sound), taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_by_ear_sound_alike() {
        for alike in [
            &["mohammed", "muhammad", "mohamed", "mahmood"][..],
            &["aisha", "ayesha", "aysha", "aicha"],
            &["hussain", "hussein", "hosein"],
            &["khadija", "kadija", "khadeeja"],
            &["nowak", "novak"],
            &["szymon", "shimon"],
            &["philip", "filip"],
            &["catherine", "katharine"],
        ] {
            let sounds: Vec<String> = alike.iter().map(|name| of(name)).collect();
            assert!(sounds.iter().all(|sound| *sound == sounds[0]), "{sounds:?}");
        }
        assert_ne!(of("amina"), of("aisha"));
        assert_ne!(of("bob"), of("rob"));
    }

    proptest! {
        #[test]
        fn a_sound_is_short_and_never_panics(text: String) {
            prop_assert!(of(&text).len() <= SOUNDS_MAX);
        }
    }
}
