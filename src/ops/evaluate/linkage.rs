//! `firedoor evaluate linkage`: runs the real matcher over a table of people, so that anyone can
//! measure it on people of their own. Records find each other by their keys and are compared by
//! their tokens, as in the gateway, under a key that everybody knows: no token leaves the process.
//!
//! All records of a table are settled together ([`settle`]): a pair may be linked through a third
//! record, and where a second person comes as close, a tier is lowered.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, BufRead, Write};

use jiff::civil::Date;

use super::bad_line;
use super::table::{Table, quoted};
use crate::domain::person::{
    Person, PncId, RawFields, RawIdentifier, TaggedToken, Tier, Token, TokenKeys, keys_of,
    resolve_known, settle,
};

/// One person of a table, as the gateway compares her.
pub struct Candidate {
    pub id: String,
    pub person: Person,
    /// Who made the record, and where the name is from, for the tables of figures.
    pub agency: Option<String>,
    pub origin: Option<String>,
    /// Which of the tables.
    pub table: usize,
}

/// The people of one table or of two, and how many fields could not be read.
pub struct People {
    pub all: Vec<Candidate>,
    tables: usize,
    keys: TokenKeys,
    on: Date,
    unread: BTreeMap<&'static str, u64>,
}

impl People {
    /// `on` is today: no date of birth lies after it.
    pub fn new(link_key: &[u8; 32], on: Date) -> Self {
        Self {
            all: Vec::new(),
            tables: 0,
            keys: TokenKeys::derive(link_key),
            on,
            unread: BTreeMap::new(),
        }
    }

    /// Adds a table: `record_id`, and any of `given_name`, `family_name`, `birth_date`,
    /// `address_line`, `postcode`, `phone`, `email`, `nhs_number`, `pnc_id`. Of other columns only
    /// `agency` and `origin` are kept, as labels. A field that cannot be read counts as not known.
    pub fn read(&mut self, input: impl BufRead) -> io::Result<()> {
        let mut table = Table::open(input)?;
        let id = table.required("record_id")?;
        let columns = [
            "given_name",
            "family_name",
            "birth_date",
            "nhs_number",
            "phone",
            "email",
            "address_line",
            "postcode",
            "pnc_id",
        ];
        let columns = columns.map(|name| table.column(name));
        let labels = ["agency", "origin"].map(|name| table.column(name));
        let mut seen = HashSet::new();
        while let Some(row) = table.next_row()? {
            let Some(id) = row.get(id) else {
                return Err(bad_line(row.line, "has no record_id"));
            };
            if !seen.insert(id.to_owned()) {
                return Err(bad_line(row.line, "repeats a record_id"));
            }
            let fields = columns.map(|column| row.get(column).map(str::to_owned));
            let person = self.person(fields);
            let [agency, origin] = labels.map(|column| row.get(column).map(str::to_owned));
            self.all.push(Candidate {
                id: id.to_owned(),
                person,
                agency,
                origin,
                table: self.tables,
            });
        }
        self.tables += 1;
        Ok(())
    }

    fn person(&mut self, fields: [Option<String>; 9]) -> Person {
        let [
            given,
            family,
            birth,
            nhs,
            phone,
            email,
            address,
            postcode,
            pnc,
        ] = fields;
        let mut raw = RawFields::default();
        raw.given_name = given;
        raw.family_name = family;
        raw.birth_date = birth;
        raw.nhs_number = nhs;
        raw.phone = phone.into_iter().collect();
        raw.email = email.into_iter().collect();
        raw.address_line = address;
        raw.postcode = postcode;
        let (person, errors) = resolve_known(RawIdentifier::new(raw), &self.keys, self.on);
        for error in errors {
            *self.unread.entry(error.field).or_default() += 1;
        }
        match pnc.map(|text| PncId::parse(&text)) {
            None => person,
            Some(Ok(number)) => person.with_police_number(&number, &self.keys),
            Some(Err(_)) => {
                *self.unread.entry("pnc_id").or_default() += 1;
                person
            }
        }
    }

    /// Each pair that shares a key, by the places of both in `all`: of one table all pairs, of two
    /// those across them.
    pub fn candidates(&self, mut each: impl FnMut(usize, usize)) {
        let across = self.tables > 1;
        let mut holders: HashMap<Token, Vec<usize>> = HashMap::new();
        for (place, candidate) in self.all.iter().enumerate() {
            let tokens = candidate.person.tokens();
            let found = keys_of(tokens).filter_map(|key| holders.get(&key));
            let mut others: Vec<usize> = found.flatten().copied().collect();
            others.sort_unstable();
            others.dedup();
            for other in others {
                let before = self.all.get(other);
                if !across || before.is_some_and(|before| before.table != candidate.table) {
                    each(other, place);
                }
            }
            for key in keys_of(tokens) {
                holders.entry(key).or_default().push(place);
            }
        }
    }

    /// The pairs that are linked or may be, by the places of both in `all`.
    pub fn pairs(&self) -> Vec<(usize, usize, Tier)> {
        let mut compared = Vec::new();
        self.candidates(|one, other| compared.push((one, other)));
        let records: Vec<&[TaggedToken]> = self.all.iter().map(|one| one.person.tokens()).collect();
        let table = |place: usize| self.all.get(place).map(|one| one.table);
        let pairs = settle(&records, compared).into_iter();
        let across = |(one, other)| self.tables < 2 || table(one) != table(other);
        let pairs = pairs.filter(|(pair, _)| across(*pair));
        let told = pairs.filter(|(_, tier)| match tier {
            Tier::Automatic | Tier::NameAndBirth | Tier::Possible => true,
            Tier::Never | Tier::Quarantine => false,
        });
        told.map(|((one, other), tier)| (one, other, tier))
            .collect()
    }

    /// The pairs as CSV: `record_id_1`, `record_id_2`, `tier` (`auto`, `name_dob`, `possible`).
    pub fn write_pairs(&self, mut output: impl Write) -> io::Result<()> {
        writeln!(output, "record_id_1,record_id_2,tier")?;
        let id = |place: usize| self.all.get(place).map(|one| quoted(&one.id));
        for (one, other, tier) in self.pairs() {
            let (one, other) = id(one).zip(id(other)).unwrap_or_default();
            writeln!(output, "{one},{other},{}", tier.word())?;
        }
        output.flush()
    }

    /// How many fields could not be read and count as not known, by column.
    pub fn unread(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.unread.iter().map(|(field, count)| (*field, *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn pairs(tables: &[&str]) -> io::Result<(String, Vec<(&'static str, u64)>)> {
        let mut people = People::new(&[7; 32], date(2026, 11, 20));
        for table in tables {
            people.read(table.as_bytes())?;
        }
        let mut output = Vec::new();
        people.write_pairs(&mut output)?;
        let unread = people.unread().collect();
        Ok((String::from_utf8(output).unwrap(), unread))
    }

    const ONE: &str = "record_id,given_name,family_name,birth_date,postcode,nhs_number,pnc_id,odd\n\
        1,Amina,Khan,1990-05-02,E8 1DY,,,x\n\
        2,amina,KHAN,1990-05-02,e81dy,,,\n\
        \"3,a\",Amina,Khan,1990-05-02,,,,\n\
        4,Aisha,Khan,1990-05-02,E8 1DY,,,\n\
        5,,,,,999 000 0018,,\n\
        6,Zoe,Bell,,nowhere,9990000018,2012/0052494Q,\n\
        7,Zoe,Ball,soon,,,2012/52494q,\n";

    #[test]
    fn pairs_of_one_table_have_their_tier_and_what_is_unread_is_counted() {
        let (found, unread) = pairs(&[ONE]).unwrap();
        insta::assert_snapshot!(found, @r#"
        record_id_1,record_id_2,tier
        1,2,auto
        1,"3,a",name_dob
        2,"3,a",name_dob
        5,6,auto
        5,7,auto
        6,7,auto
        "#);
        assert_eq!(unread, [("birth_date", 1), ("postcode", 1)]);
    }

    #[test]
    fn of_two_tables_only_pairs_across_them_count() {
        let two = "record_id,given_name,family_name,birth_date\n1,Amina,Khan,1990-05-02\n";
        let (found, _) = pairs(&[ONE, two]).unwrap();
        insta::assert_snapshot!(found, @r#"
        record_id_1,record_id_2,tier
        1,1,name_dob
        2,1,name_dob
        "3,a",1,name_dob
        "#);
    }

    #[test]
    fn a_bad_table_is_named_by_its_line_and_not_repeated() {
        for (table, told) in [
            (
                "given_name\nAmina\n",
                "line 1 must name the column 'record_id'",
            ),
            ("record_id\n1\n2\n1\n", "line 4 repeats a record_id"),
            ("record_id,given_name\n,Amina\n", "line 2 has no record_id"),
        ] {
            assert_eq!(pairs(&[table]).unwrap_err().to_string(), told);
        }
    }
}
