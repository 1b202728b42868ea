//! `firedoor evaluate linkage-figures`: how well the matcher does on people of whom somebody has
//! said which records are one person's, as the tables of `src/domain/person/README.md`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, BufRead, Write};

use super::bad_line;
use super::linkage::{Candidate, People};
use super::table::Table;
use crate::domain::person::Tier;

/// Pairs of places in [`People::all`] that are one person, the lower first.
pub struct Truth(HashSet<(usize, usize)>);

impl Truth {
    /// Reads `record_id` and `person_id`, or `record_id_1` and `record_id_2`. A record that is not
    /// among `people` is an error.
    pub fn read(input: impl BufRead, people: &People) -> io::Result<Self> {
        let places = people.all.iter().enumerate();
        let places: HashMap<&str, usize> = places
            .map(|(place, one)| (one.id.as_str(), place))
            .collect();
        let mut table = Table::open(input)?;
        let mut pairs = HashSet::new();
        let by_person = table.has("person_id");
        let names = if by_person {
            ["record_id", "person_id"]
        } else {
            ["record_id_1", "record_id_2"]
        };
        let [first, second] = names;
        let columns = [table.required(first)?, table.required(second)?];
        let mut records: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        while let Some(row) = table.next_row()? {
            let [Some(first), Some(second)] = columns.map(|column| row.get(column)) else {
                return Err(bad_line(row.line, "says nothing of one of its columns"));
            };
            let place = |id: &str| {
                let place = places.get(id).copied();
                place.ok_or_else(|| bad_line(row.line, "names a record that is not in the table"))
            };
            let one = place(first)?;
            if by_person {
                records.entry(second.to_owned()).or_default().push(one);
            } else {
                let other = place(second)?;
                pairs.insert((one.min(other), one.max(other)));
            }
        }
        for all in records.values() {
            for (place, one) in all.iter().enumerate() {
                for other in all.iter().skip(place + 1) {
                    pairs.insert((*one.min(other), *one.max(other)));
                }
            }
        }
        pairs.retain(|(one, other)| one != other);
        Ok(Self(pairs))
    }
}

/// Pairs of one group, by the surest tier that tells them.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    one_person: usize,
    /// Right and false pairs at `auto`, at `name_dob`, at `possible`.
    told: [[usize; 2]; 3],
}

impl Counts {
    fn add(&mut self, tier: Tier, right: bool) {
        let [auto, name_and_birth, possible] = &mut self.told;
        let told = match tier {
            Tier::Automatic => auto,
            Tier::NameAndBirth => name_and_birth,
            Tier::Possible => possible,
            Tier::Never | Tier::Quarantine => return,
        };
        let [hits, misses] = told;
        *if right { hits } else { misses } += 1;
    }

    /// Of a tier and the surer ones.
    fn up_to(&self, tiers: usize) -> (usize, usize) {
        let told = self.told.iter().take(tiers);
        told.fold((0, 0), |(all, wrong), [hits, misses]| {
            (all + hits, wrong + misses)
        })
    }

    fn recall(&self, tiers: usize) -> f64 {
        self.up_to(tiers).0 as f64 / self.one_person.max(1) as f64
    }

    fn precision(&self, tiers: usize) -> f64 {
        let (right, wrong) = self.up_to(tiers);
        right as f64 / (right + wrong).max(1) as f64
    }
}

/// Writes the tables, in Markdown: by tier; by pair of agencies and by origin of the name where the
/// people have columns `agency` and `origin`.
pub fn write(people: &People, truth: &Truth, mut output: impl Write) -> io::Result<()> {
    let mut all = Counts::default();
    let mut agencies: BTreeMap<String, Counts> = BTreeMap::new();
    let mut origins: BTreeMap<String, Counts> = BTreeMap::new();
    let mut each = |pair: (usize, usize), count: &dyn Fn(&mut Counts)| {
        let (Some(one), Some(other)) = (people.all.get(pair.0), people.all.get(pair.1)) else {
            return;
        };
        count(&mut all);
        if let Some(label) = of_both(one, other, |one| one.agency.as_deref(), true) {
            count(agencies.entry(label).or_default());
        }
        if let Some(label) = of_both(one, other, |one| one.origin.as_deref(), false) {
            count(origins.entry(label).or_default());
        }
    };
    for pair in &truth.0 {
        each(*pair, &|counts| counts.one_person += 1);
    }
    for (one, other, tier) in people.pairs() {
        let right = truth.0.contains(&(one, other));
        each((one, other), &|counts| counts.add(tier, right));
    }
    writeln!(output, "| tiers | right | false | precision | recall |")?;
    writeln!(output, "|---|---|---|---|---|")?;
    let named = ["auto", "auto, name_dob", "auto, name_dob, possible"];
    for (name, tiers) in named.into_iter().zip(1..) {
        let (right, wrong) = all.up_to(tiers);
        let (precision, recall) = (all.precision(tiers), all.recall(tiers));
        writeln!(
            output,
            "| {name} | {right} | {wrong} | {precision:.4} | {recall:.4} |"
        )?;
    }
    groups(&mut output, "agencies", &agencies)?;
    groups(&mut output, "origin of the name", &origins)?;
    output.flush()
}

/// The label of a pair: of agencies both, of origins the one, or `mixed`.
fn of_both<'a>(
    one: &'a Candidate,
    other: &'a Candidate,
    label: impl Fn(&'a Candidate) -> Option<&'a str>,
    both: bool,
) -> Option<String> {
    let (one, other) = (label(one)?, label(other)?);
    let (first, second) = (one.min(other), one.max(other));
    Some(match (both, first == second) {
        (true, _) => format!("{first}, {second}"),
        (false, true) => first.to_owned(),
        (false, false) => "mixed".to_owned(),
    })
}

fn groups(
    output: &mut impl Write,
    what: &str,
    groups: &BTreeMap<String, Counts>,
) -> io::Result<()> {
    if groups.is_empty() {
        return Ok(());
    }
    let best = groups.values().map(|counts| counts.recall(3));
    let best = best.fold(0.0, f64::max);
    writeln!(
        output,
        "\n| {what} | pairs of one person | recall auto | + name_dob | + possible | points below \
         the best | precision of all |"
    )?;
    writeln!(output, "|---|---|---|---|---|---|---|")?;
    for (label, counts) in groups {
        if counts.one_person == 0 {
            let (_, wrong) = counts.up_to(3);
            writeln!(output, "| {label} | 0 | | | | | {wrong} false pairs |")?;
            continue;
        }
        writeln!(
            output,
            "| {label} | {} | {:.3} | {:.3} | {:.3} | {:.1} | {:.4} |",
            counts.one_person,
            counts.recall(1),
            counts.recall(2),
            counts.recall(3),
            100.0 * (best - counts.recall(3)),
            counts.precision(3),
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    const PEOPLE: &str = "record_id,agency,origin,given_name,family_name,birth_date,postcode\n\
        1,police,bengali,Shirin,Begum,1990-05-02,E8 1DY\n\
        2,health,bengali,Shireen,Begum,1990-05-02,E8 1DY\n\
        3,police,bengali,Shirin,Begum,1990-05-02,E8 1DY\n\
        4,police,turkish,Can,Aydin,1980-03-04,\n\
        5,health,turkish,Can,Aydin,1980-03-04,\n";

    fn figures(truth: &str) -> io::Result<String> {
        let mut people = People::new(&[7; 32], date(2026, 11, 20));
        people.read(PEOPLE.as_bytes())?;
        let truth = Truth::read(truth.as_bytes(), &people)?;
        let mut output = Vec::new();
        write(&people, &truth, &mut output)?;
        Ok(String::from_utf8(output).unwrap())
    }

    #[test]
    fn figures_are_told_by_tier_agency_and_origin() {
        let table = figures("record_id,person_id\n1,a\n2,a\n3,a\n4,b\n5,c\n").unwrap();
        insta::assert_snapshot!(table, @"
        | tiers | right | false | precision | recall |
        |---|---|---|---|---|
        | auto | 1 | 0 | 1.0000 | 0.3333 |
        | auto, name_dob | 1 | 1 | 0.5000 | 0.3333 |
        | auto, name_dob, possible | 3 | 1 | 0.7500 | 1.0000 |

        | agencies | pairs of one person | recall auto | + name_dob | + possible | points below the best | precision of all |
        |---|---|---|---|---|---|---|
        | health, police | 2 | 0.000 | 0.000 | 1.000 | 0.0 | 0.6667 |
        | police, police | 1 | 1.000 | 1.000 | 1.000 | 0.0 | 1.0000 |

        | origin of the name | pairs of one person | recall auto | + name_dob | + possible | points below the best | precision of all |
        |---|---|---|---|---|---|---|
        | bengali | 3 | 0.333 | 0.333 | 1.000 | 0.0 | 1.0000 |
        | turkish | 0 | | | | | 1 false pairs |
        ");
        let pairs = "record_id_1,record_id_2\n1,2\n1,3\n3,2\n";
        assert_eq!(figures(pairs).unwrap(), table);
    }

    #[test]
    fn a_record_that_nobody_knows_is_named_by_its_line() {
        let told = figures("record_id,person_id\n1,a\nsecret,a\n").unwrap_err();
        assert_eq!(
            told.to_string(),
            "line 3 names a record that is not in the table"
        );
    }
}
