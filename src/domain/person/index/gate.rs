//! What a look-up reads of each candidate before it compares anything: one line of memory.
//!
//! Most who share a key share no more: the first letters of a name and a date of birth, or both
//! names and a year. Comparing all tokens of each is most of the work in a large index, and nearly
//! all of it comes to "never". So beside the place of its tokens each record has *prints*, 16 bits
//! of every token without which nobody is linked: those of the name or a number ([`CARRYING`]),
//! and those of the date of birth ([`DATING`]). If no print of either is among those of whom was
//! asked, no such token is either, and the pair is refused exactly as the comparison would have
//! refused it. Prints that agree decide nothing.

use super::super::link::{CARRYING, DATING, KindSet, NUMBERS};
use super::{Cut, Span};

/// As many prints as fit in a line with the place of the tokens.
const PRINTS: usize = 28;

/// The first of them: a full date of birth has so many.
const DATES: usize = 6;

/// No print: in a record only, so it agrees with nothing.
const NONE: u16 = 0;

/// In a record in place of prints that do not fit or are not known, and in everyone who is asked:
/// these agree always.
const ALWAYS: u16 = u16::MAX;

/// A record before it is compared: where its tokens lie, and its prints, first of the date.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(super) struct Entry {
    pub(super) span: Span,
    prints: [u16; PRINTS],
}

impl Entry {
    pub(super) fn of(span: Span, cut: &[Cut]) -> Self {
        let mut prints = [NONE; PRINTS];
        let (dates, names) = prints.split_at_mut(DATES);
        fill(dates, prints_of(cut, DATING));
        // Without a full date it may be anybody's of that name.
        if dates.first() == Some(&NONE) {
            dates.fill(ALWAYS);
        }
        fill(names, prints_of(cut, CARRYING));
        Self { span, prints }
    }

    /// Overwritten: nothing is left of whoever it was.
    pub(super) fn clear(&mut self) {
        self.span.keys = 0;
        self.span.count = 0;
        self.prints = [NONE; PRINTS];
    }

    /// Something to read, so that the line of memory is there when it is needed.
    pub(super) fn touch(&self) -> u32 {
        self.span.start
    }
}

/// All that there are, or that they do not fit. A name of 13 letters with a number fits, unless it
/// has short forms.
fn fill(places: &mut [u16], prints: impl Iterator<Item = u16>) {
    let mut free = places.iter_mut();
    for print in prints {
        match free.next() {
            Some(place) => *place = print,
            None => return places.fill(ALWAYS),
        }
    }
}

/// The prints of whom was asked for.
pub(super) struct Asked {
    carrying: Vec<u16>,
    numbers: Vec<u16>,
    /// None if no full date is known.
    dates: Vec<u16>,
}

impl Asked {
    pub(super) fn of(cut: &[Cut]) -> Self {
        let prints = |kinds| {
            let mut prints: Vec<u16> = prints_of(cut, kinds).collect();
            if !prints.is_empty() {
                prints.push(ALWAYS);
            }
            prints
        };
        Self {
            carrying: prints(CARRYING),
            numbers: prints(NUMBERS),
            dates: prints(DATING),
        }
    }

    /// `false` only if the two share no token that could link them. Without a branch for each
    /// pair of prints: the processor compares a whole line of them with one at a time.
    pub(super) fn may_link(&self, entry: &Entry) -> bool {
        let (dates, names) = entry.prints.split_at(DATES);
        let dated = self.dates.is_empty() || share(&self.dates, dates);
        share(&self.carrying, names) && (dated || share(&self.numbers, names))
    }
}

fn share(asked: &[u16], held: &[u16]) -> bool {
    let among = |asked: &u16| {
        let same = held.iter().map(|print| u16::from(print == asked));
        same.fold(0, |all, one| all | one)
    };
    asked.iter().fold(0, |all, asked| all | among(asked)) != 0
}

/// Tokens of two kinds may give one print; that costs a comparison and changes nothing.
fn prints_of(cut: &[Cut], kinds: KindSet) -> impl Iterator<Item = u16> {
    let of_kinds = cut.iter().filter(move |cut| kinds.has(**cut));
    of_kinds.map(|cut| cut.print().clamp(NONE + 1, ALWAYS - 1))
}

#[cfg(test)]
mod tests {
    use super::super::super::token::TokenKind;
    use super::super::TOKEN_BITS;
    use super::*;
    use proptest::prelude::*;

    const NOWHERE: Span = Span {
        start: 0,
        keys: 0,
        count: 0,
    };

    fn cut(kind: TokenKind, print: u16) -> Cut {
        Cut(u64::from(kind as u8) << TOKEN_BITS | u64::from(print))
    }

    /// Kinds and prints, so many that they do not always fit.
    fn some() -> impl Strategy<Value = Vec<(usize, u16)>> {
        proptest::collection::vec((0..TokenKind::ALL.len(), any::<u16>()), 0..200)
    }

    fn cuts(some: &[(usize, u16)]) -> Vec<Cut> {
        let cuts = some.iter();
        cuts.map(|(kind, print)| cut(TokenKind::ALL[*kind], *print))
            .collect()
    }

    #[test]
    fn an_entry_is_one_line_of_memory() {
        assert_eq!((size_of::<Entry>(), align_of::<Entry>()), (64, 64));
    }

    #[test]
    fn who_has_more_prints_than_fit_is_always_compared() {
        let many: Vec<Cut> = (1..=(PRINTS - DATES) as u16 + 1)
            .map(|place| cut(TokenKind::GivenEdit, place))
            .collect();
        let stranger = Asked::of(&[cut(TokenKind::Given, 900)]);
        assert!(stranger.may_link(&Entry::of(NOWHERE, &many)));
        let (_, fitting) = many.split_last().unwrap();
        assert!(!stranger.may_link(&Entry::of(NOWHERE, fitting)));
        assert!(Asked::of(fitting).may_link(&Entry::of(NOWHERE, fitting)));
    }

    #[test]
    fn who_has_the_name_and_another_date_is_refused_unless_a_number_brings_them_together() {
        let named = |kinds: &[(TokenKind, u16)]| {
            let all = [(TokenKind::Given, 12)].iter().chain(kinds);
            all.map(|(kind, print)| cut(*kind, *print))
                .collect::<Vec<Cut>>()
        };
        let date = |print| (TokenKind::BirthSwap, print);
        let compared = |one: &[Cut], other: &[Cut]| {
            let there = Asked::of(one).may_link(&Entry::of(NOWHERE, other));
            let back = Asked::of(other).may_link(&Entry::of(NOWHERE, one));
            assert_eq!(there, back);
            there
        };
        let her = named(&[date(1), (TokenKind::Nhs, 5)]);
        assert!(!compared(&her, &named(&[date(2)])));
        assert!(!compared(&her, &named(&[date(2), (TokenKind::Nhs, 6)])));
        assert!(compared(&her, &named(&[date(2), (TokenKind::Nhs, 5)])));
        assert!(compared(&her, &named(&[date(1)])));
        assert!(compared(
            &her,
            &named(&[date(2), (TokenKind::BirthSlip, 1)])
        ));
        assert!(compared(&her, &named(&[])));
        assert!(compared(&her, &named(&[(TokenKind::BirthYear, 3)])));
    }

    #[test]
    fn a_print_is_never_one_of_the_two_that_have_a_meaning() {
        for print in [0, u16::MAX] {
            let her = [cut(TokenKind::Given, print)];
            assert!(Asked::of(&her).may_link(&Entry::of(NOWHERE, &her)));
            assert!(!Asked::of(&her).may_link(&Entry::of(NOWHERE, &[])));
            assert!(!Asked::of(&[]).may_link(&Entry::of(NOWHERE, &her)));
        }
    }

    #[test]
    fn strangers_are_refused_and_the_removed_are_too() {
        let her = [cut(TokenKind::Given, 12), cut(TokenKind::Birth, 34)];
        let other = [cut(TokenKind::Given, 13), cut(TokenKind::Birth, 34)];
        let mut entry = Entry::of(NOWHERE, &her);
        assert!(Asked::of(&her).may_link(&entry));
        assert!(!Asked::of(&other).may_link(&entry));
        assert!(!Asked::of(&[]).may_link(&entry));
        entry.clear();
        assert!(!Asked::of(&her).may_link(&entry));
    }

    proptest! {
        #[test]
        fn whoever_shares_a_token_that_may_link_is_compared(
            one in some(),
            other in some(),
            shared in (0..TokenKind::ALL.len(), any::<u16>()),
        ) {
            let (one, other) = ([one, vec![shared]].concat(), [vec![shared], other].concat());
            let undated = |some: &[(usize, u16)]| !cuts(some).iter().any(|cut| DATING.has(*cut));
            let carries = cuts(&[shared]).into_iter().all(|shared| CARRYING.has(shared));
            if carries && (undated(&one) || undated(&other)) {
                let entry = Entry::of(NOWHERE, &cuts(&other));
                prop_assert!(Asked::of(&cuts(&one)).may_link(&entry));
            }
        }
    }
}
