//! Figures as pictures, drawn on the server: bars in an SVG, with their table beside them, so that
//! nothing is told by a picture alone (WCAG 2.2, 1.1.1 and 1.4.1).

use std::cmp::Ordering;

use maud::{Markup, html};

/// A count as it may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Number(u64),
    /// More than none, and too few to tell.
    Few,
}

impl Ord for Count {
    fn cmp(&self, other: &Self) -> Ordering {
        // Above none, and in lists below every number that is told.
        let place = |count: &Self| match count {
            Self::Number(0) => (0, 0),
            Self::Few => (1, 0),
            Self::Number(number) => (2, *number),
        };
        place(self).cmp(&place(other))
    }
}

impl PartialOrd for Count {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Count {
    const fn number(self) -> u64 {
        match self {
            Self::Number(number) => number,
            Self::Few => 0,
        }
    }

    pub fn text(self) -> String {
        match self {
            Self::Number(number) => thousands(number),
            Self::Few => "fewer than 5".to_owned(),
        }
    }
}

/// What a chart shows: for each row one count of each series.
pub struct Chart<'a> {
    /// Of its elements; one word, different for each chart of a page.
    pub id: &'a str,
    pub title: &'a str,
    /// What the rows are, for the head of the table.
    pub rows_are: &'a str,
    /// One or two.
    pub series: &'a [&'a str],
    pub rows: Vec<(String, Vec<Count>)>,
}

const WIDTH: u64 = 480;
const LEFT: u64 = 190;
/// Room for the number behind a bar.
const RIGHT: u64 = 70;
const BAR: u64 = 16;
const GAP: u64 = 10;
const CLASSES: [&str; 2] = ["bar-a", "bar-b"];
/// The longest label that fits before its bar.
const LABEL_CHARS: usize = 23;

impl Chart<'_> {
    /// The picture, its table, and one sentence where there is nothing to draw.
    pub fn draw(&self) -> Markup {
        let counts = self.rows.iter().flat_map(|(_, counts)| counts);
        let most = counts.map(|count| count.number()).max().unwrap_or(0);
        html! {
            figure.two {
                figcaption { h3 { (self.title) } }
                @if self.rows.is_empty() { p { "Nothing was counted." } }
                @else {
                    (self.picture(most))
                    (self.table())
                }
            }
        }
    }

    fn picture(&self, most: u64) -> Markup {
        let step = BAR * self.series.len() as u64 + GAP;
        let key = if self.series.len() > 1 { 26 } else { 0 };
        let height = key + step * self.rows.len() as u64 + GAP;
        let (title, desc) = (format!("{}-title", self.id), format!("{}-desc", self.id));
        html! {
            svg.chart role="img" viewBox=(format!("0 0 {WIDTH} {height}"))
                aria-labelledby=(format!("{title} {desc}")) {
                title id=(title) { (self.title) }
                desc id=(desc) { (self.says()) " The table that follows has every number." }
                @if key > 0 {
                    @for (place, (name, class)) in self.series.iter().zip(CLASSES).enumerate() {
                        @let x = place as u64 * (WIDTH / 2);
                        rect class=(class) x=(x) y="4" width="14" height="14" {}
                        text x=(x + 20) y="16" { (name) }
                    }
                }
                line.axis x1=(LEFT) x2=(LEFT) y1=(key) y2=(height) {}
                @for (row, (label, counts)) in self.rows.iter().enumerate() {
                    @let top = key + GAP / 2 + step * row as u64;
                    text x=(LEFT - 8) y=(top + 12) text-anchor="end" { (short(label)) }
                    @for (place, (count, class)) in counts.iter().zip(CLASSES).enumerate() {
                        @let y = top + BAR * place as u64;
                        @let wide = width(count.number(), most);
                        @if wide > 0 {
                            rect class=(class) x=(LEFT) y=(y) width=(wide) height=(BAR - 2) {}
                        }
                        text x=(LEFT + wide + 5) y=(y + 12) { (label_of(*count)) }
                    }
                }
            }
        }
    }

    fn table(&self) -> Markup {
        html! {
            div.table tabindex="0" role="region" aria-label=(self.title) {
                table {
                    caption.away { (self.title) }
                    thead { tr {
                        th scope="col" { (self.rows_are) }
                        @for name in self.series { th.number scope="col" { (name) } }
                    } }
                    tbody {
                        @for (label, counts) in &self.rows {
                            tr {
                                th scope="row" { (label) }
                                @for count in counts { td.number { (count.text()) } }
                            }
                        }
                    }
                }
            }
        }
    }

    /// What stands out, for somebody who hears the picture: no more than its table tells.
    fn says(&self) -> String {
        let firsts = self.rows.iter().filter_map(|(label, counts)| {
            let first = counts.first().copied()?;
            Some((label.as_str(), first))
        });
        let firsts: Vec<(&str, Count)> = firsts.collect();
        let series = self.series.first().copied().unwrap_or_default();
        let most = firsts.iter().map(|(_, count)| *count).max();
        let with = |most: Count| firsts.iter().filter(move |(_, count)| *count == most);
        let stands_out = match most {
            None => String::new(),
            Some(Count::Number(0)) => format!("{series}: 0 in each."),
            // Exact small counts of one's own may stand beside hidden ones.
            Some(Count::Few | Count::Number(1..5))
                if firsts.iter().any(|(_, one)| *one == Count::Few) =>
            {
                format!("{series}: fewer than 5 in each.")
            }
            Some(most) if with(most).count() > 1 => {
                format!(
                    "Most {series}: {}, in {} rows.",
                    most.text(),
                    with(most).count()
                )
            }
            Some(most) => {
                let label = with(most).map(|(label, _)| *label).next();
                format!(
                    "Most {series}: {}, {}.",
                    label.unwrap_or_default(),
                    most.text()
                )
            }
        };
        let rows = match self.rows.len() {
            1 => "1 row".to_owned(),
            many => format!("{many} rows"),
        };
        format!("Bars of {rows}. {stands_out}")
    }
}

fn label_of(count: Count) -> String {
    match count {
        Count::Number(number) => thousands(number),
        Count::Few => "<5".to_owned(),
    }
}

/// Of the room there is; what is not none is seen.
fn width(number: u64, most: u64) -> u64 {
    let room = u128::from(WIDTH - LEFT - RIGHT);
    let wide = u128::from(number) * room / u128::from(most.max(1));
    let wide = u64::try_from(wide).unwrap_or(WIDTH - LEFT - RIGHT);
    if number > 0 { wide.max(2) } else { 0 }
}

fn short(label: &str) -> String {
    if label.chars().count() <= LABEL_CHARS {
        return label.to_owned();
    }
    let head: String = label.chars().take(LABEL_CHARS - 1).collect();
    format!("{}…", head.trim_end())
}

/// `12,345`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(rows: Vec<(&str, Vec<Count>)>) -> String {
        let rows = rows.into_iter();
        let chart = Chart {
            id: "c",
            title: "Accesses",
            rows_are: "Day",
            series: &["Accesses", "Refusals"],
            rows: rows
                .map(|(label, counts)| (label.to_owned(), counts))
                .collect(),
        };
        chart.draw().0
    }

    #[test]
    fn without_anything_to_draw_it_says_so_in_words() {
        let drawn = chart(Vec::new());
        assert!(drawn.contains("Nothing was counted."), "{drawn}");
        assert!(!drawn.contains("<svg"), "{drawn}");
    }

    #[test]
    fn rows_of_none_have_no_bar_and_a_number() {
        let none = Count::Number(0);
        let drawn = chart(vec![("Monday", vec![none, none])]);
        // The two of the key, and no bar.
        assert_eq!(drawn.matches("<rect").count(), 2, "{drawn}");
        assert_eq!(drawn.matches("<td class=\"number\">0</td>").count(), 2);
    }

    #[test]
    fn huge_counts_stay_within_the_picture_and_small_ones_are_seen_beside_them() {
        assert_eq!(width(u64::MAX, u64::MAX), WIDTH - LEFT - RIGHT);
        assert_eq!(width(1, u64::MAX), 2);
        assert_eq!(width(0, u64::MAX), 0);
        let one = Count::Number(1);
        let drawn = chart(vec![
            ("All", vec![Count::Number(u64::MAX), one]),
            ("One", vec![one, one]),
        ]);
        assert!(drawn.contains("18,446,744,073,709,551,615"), "{drawn}");
    }

    #[test]
    fn a_picture_has_its_name_its_words_and_its_table() {
        let drawn = chart(vec![("1 May", vec![Count::Number(12_345), Count::Few])]);
        for part in [
            "role=\"img\"",
            "aria-labelledby=\"c-title c-desc\"",
            "<title id=\"c-title\">Accesses</title>",
            "Most Accesses: 1 May, 12,345.",
            "<th scope=\"row\">1 May</th>",
            "<td class=\"number\">fewer than 5</td>",
        ] {
            assert!(drawn.contains(part), "{part} in {drawn}");
        }
        assert!(!drawn.contains("style="), "{drawn}");
    }

    #[test]
    fn words_of_a_picture_say_no_other_than_its_table() {
        let few = chart(vec![
            ("1 May", vec![Count::Few, Count::Few]),
            ("2 May", vec![Count::Number(0), Count::Few]),
        ]);
        assert!(
            few.contains("Bars of 2 rows. Accesses: fewer than 5 in each."),
            "{few}"
        );
        let none = chart(vec![("1 May", vec![Count::Number(0), Count::Few])]);
        assert!(
            none.contains("Bars of 1 row. Accesses: 0 in each."),
            "{none}"
        );
        let ten = Count::Number(10);
        let even = chart(vec![
            ("1 May", vec![ten, Count::Few]),
            ("2 May", vec![Count::Few, ten]),
            ("3 May", vec![ten, ten]),
        ]);
        assert!(even.contains("Most Accesses: 10, in 2 rows."), "{even}");
    }

    #[test]
    fn a_label_of_any_length_and_letters_is_shown_and_never_run() {
        let label = "<script>alert(1)</script> of a very long organisation's name";
        let drawn = chart(vec![(label, vec![Count::Number(1), Count::Few])]);
        assert!(!drawn.contains("<script>"), "{drawn}");
        assert_eq!(
            short("日本語の長い名前日本語の長い名前日本語の長い名前日本")
                .chars()
                .count(),
            LABEL_CHARS
        );
        assert_eq!(short(&"é".repeat(60)).chars().count(), LABEL_CHARS);
    }

    #[test]
    fn numbers_are_read_in_thousands() {
        let read = [0, 999, 1_000, 1_234_567].map(thousands);
        assert_eq!(read, ["0", "999", "1,000", "1,234,567"]);
    }
}
