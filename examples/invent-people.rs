//! Invents people by origin of their names, each recorded by two agencies with the slips that names
//! of that origin suffer, and the truth: for the table in `src/domain/person/README.md`.
//!
//! `cargo run --example invent-people -- people.csv truth.csv`, then
//! `firedoor evaluate linkage-figures people.csv truth.csv`. The same every time: no clock, one seed.
//! Nobody here exists. The slips are guesses, informed by what agencies say, not measured.

use std::error::Error;
use std::fmt::{self, Write};
use std::{env, fs};

use firedoor::domain::person::NhsNumber;

/// The people, by origin of the name: `examples/invent-people.tsv` says what each column is.
const ORIGINS: &str = include_str!("invent-people.tsv");

const PEOPLE_EACH: usize = 600;

fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<String> = env::args().skip(1).collect();
    let [people_path, truth_path] = paths.as_slice() else {
        return Err("give two paths: the people and the truth".into());
    };
    let (people, truth) = invent()?;
    fs::write(people_path, people)?;
    fs::write(truth_path, truth)?;
    Ok(())
}

/// A share of a hundred.
type Percent = u64;

/// What befalls names of one origin.
#[derive(Clone, Copy)]
struct Slips {
    /// Another spelling of the given name, of those given with it.
    respelt: Percent,
    /// Family name first.
    swapped: Percent,
    /// No family name in one record.
    no_family: Percent,
    /// 1 January in one record.
    year_only: Percent,
    /// One of two family names left out.
    half_family: Percent,
}

struct Origin<'t> {
    name: &'t str,
    slips: Slips,
    /// Spellings of each given name, the first the usual one.
    given: Vec<Vec<&'t str>>,
    family: Vec<&'t str>,
}

fn origins() -> Vec<Origin<'static>> {
    let mut origins = Vec::new();
    for row in ORIGINS.lines().filter(|row| !row.starts_with('#')) {
        let cells: Vec<&str> = row.split('\t').collect();
        let [name, slips, given, family] = cells.as_slice() else {
            continue;
        };
        let shares: Vec<Percent> = slips
            .split(' ')
            .filter_map(|one| one.parse().ok())
            .collect();
        let [respelt, swapped, no_family, year_only, half_family] = shares.as_slice() else {
            continue;
        };
        origins.push(Origin {
            name,
            slips: Slips {
                respelt: *respelt,
                swapped: *swapped,
                no_family: *no_family,
                year_only: *year_only,
                half_family: *half_family,
            },
            given: given
                .split(' ')
                .map(|spellings| spellings.split('/').collect())
                .collect(),
            family: family.split(' ').collect(),
        });
    }
    origins
}

/// SplitMix64 (Steele and others, 2014).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit.max(1)).unwrap_or(1);
        usize::try_from(self.next() % limit).unwrap_or_default()
    }

    fn percent(&mut self, share: Percent) -> bool {
        self.next() % 100 < share
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let place = self.below(all.len());
        all.get(place)
    }
}

struct Record {
    given: String,
    family: String,
    birth: (u64, u64, u64),
    postcode: String,
    phone: String,
    nhs_number: String,
}

fn invent() -> Result<(String, String), fmt::Error> {
    let mut chance = Chance(20_261_122);
    let mut people =
        "record_id,agency,origin,given_name,family_name,birth_date,postcode,phone,nhs_number\n"
            .to_owned();
    let mut truth = "record_id,person_id\n".to_owned();
    let mut number = 0;
    for origin in origins() {
        for _ in 0..PEOPLE_EACH {
            number += 1;
            let (first, second) = two_records(&origin, &mut chance);
            let agencies = [
                ("police", "charity"),
                ("police", "health"),
                ("health", "charity"),
            ];
            let (one, other) = chance.pick(&agencies).copied().unwrap_or_default();
            for (record, agency, half) in [(first, one, 'a'), (second, other, 'b')] {
                let (year, month, day) = record.birth;
                // Who writes down what: as in the brief of the linkage study.
                let postcode = if agency == "charity" {
                    ""
                } else {
                    &record.postcode
                };
                let phone = if agency == "health" {
                    ""
                } else {
                    &record.phone
                };
                let nhs = if agency == "health" {
                    &record.nhs_number
                } else {
                    ""
                };
                writeln!(
                    people,
                    "{number}{half},{agency},{},{},{},{year:04}-{month:02}-{day:02},{postcode},{phone},{nhs}",
                    origin.name, record.given, record.family,
                )?;
                writeln!(truth, "{number}{half},{number}")?;
            }
        }
    }
    Ok((people, truth))
}

fn two_records(origin: &Origin<'_>, chance: &mut Chance) -> (Record, Record) {
    let none = Vec::new();
    let spellings = chance.pick(&origin.given).unwrap_or(&none).clone();
    let usual = spellings.first().copied().unwrap_or_default();
    let family = chance.pick(&origin.family).copied().unwrap_or_default();
    // Two family names, as in Portuguese and Spanish, are given as one cell with a plus.
    let family = family.replace('+', " ");
    let year = 1950 + chance.next() % 55;
    let birth = (year, 1 + chance.next() % 12, 1 + chance.next() % 28);
    let letters = ["A", "B", "D", "E", "F", "G", "H", "J", "L", "N", "P", "R"];
    let letter = |chance: &mut Chance| chance.pick(&letters).copied().unwrap_or("A");
    let (district, sector) = (1 + chance.next() % 20, chance.next() % 10);
    let postcode = format!("E{district} {sector}{}{}", letter(chance), letter(chance));
    let phone = format!("07700 900{:03}", chance.next() % 1_000);
    let first = Record {
        given: usual.to_owned(),
        family: family.clone(),
        birth,
        postcode: postcode.clone(),
        phone: phone.clone(),
        nhs_number: nhs_number(chance),
    };
    let mut second = Record {
        given: usual.to_owned(),
        family,
        birth,
        postcode,
        phone,
        nhs_number: first.nhs_number.clone(),
    };
    let slips = origin.slips;
    if chance.percent(slips.respelt) {
        let other = chance.pick(spellings.get(1..).unwrap_or_default());
        second.given = other.copied().unwrap_or(usual).to_owned();
    } else if chance.percent(4) {
        second.given = misspelt(&second.given, chance);
    }
    if chance.percent(4) {
        second.family = misspelt(&second.family, chance);
    }
    if chance.percent(slips.half_family)
        && let Some((one, other)) = second.family.clone().split_once(' ')
    {
        second.family = if chance.percent(50) { one } else { other }.to_owned();
    }
    if chance.percent(slips.swapped) {
        std::mem::swap(&mut second.given, &mut second.family);
    }
    if chance.percent(slips.no_family) {
        second.family.clear();
    }
    if chance.percent(slips.year_only) {
        second.birth = (year, 1, 1);
    } else if chance.percent(3) {
        second.birth.2 = 1 + chance.next() % 28;
    }
    // She moved, or changed her number.
    if chance.percent(30) {
        second.postcode = format!("N{district} {sector}{}{}", letter(chance), letter(chance));
    }
    if chance.percent(30) {
        second.phone = format!("07700 900{:03}", chance.next() % 1_000);
    }
    (first, second)
}

/// One letter left out, doubled or changed with its neighbour.
fn misspelt(name: &str, chance: &mut Chance) -> String {
    let mut letters: Vec<char> = name.chars().collect();
    let place = chance.below(letters.len());
    match chance.below(3) {
        0 if letters.len() > 2 => {
            letters.remove(place);
        }
        1 => {
            let letter = letters.get(place).copied();
            letters.insert(place, letter.unwrap_or_default());
        }
        _ => letters.swap(place, place.saturating_sub(1)),
    }
    letters.into_iter().collect()
}

/// From the range 999, which is never issued. Of one in eleven heads no digit makes a number.
fn nhs_number(chance: &mut Chance) -> String {
    loop {
        let head = format!("999{:06}", chance.next() % 1_000_000);
        let mut numbers = (0..10).map(|check| format!("{head}{check}"));
        if let Some(number) = numbers.find(|number| NhsNumber::parse(number).is_ok()) {
            return number;
        }
    }
}
