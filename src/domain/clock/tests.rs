//! The clock against the calendar of England and Wales, as shipped in `policies/clock`.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;

const RULES: &str = include_str!("../../../policies/clock/vcop2021.toml");
const HOLIDAYS: &str = include_str!("../../../policies/clock/bank-holidays-england-and-wales.toml");

fn clock() -> CodeClock {
    CodeClock::parse(RULES, HOLIDAYS).unwrap()
}

fn at(text: &str) -> When {
    When::parse(text).unwrap()
}

fn due_date(reported: &str) -> String {
    clock().due(at(reported)).unwrap().date.to_string()
}

#[test]
fn an_hour_runs_while_the_service_is_open() {
    let clock = clock();
    // Thursday before Good Friday; the next working day is the Tuesday after Easter.
    for (asked, working) in [
        ("2026-04-02T09:30:00Z", "2026-04-02T10:30:00Z"),
        ("2026-04-02T05:00:00Z", "2026-04-02T09:00:00Z"),
        ("2026-04-02T15:00:00Z", "2026-04-02T16:00:00Z"),
        ("2026-04-02T15:30:00Z", "2026-04-07T08:30:00Z"),
        ("2026-04-02T20:10:00Z", "2026-04-07T09:00:00Z"),
        ("2026-04-04T12:00:00Z", "2026-04-07T09:00:00Z"),
        // In winter London is on GMT.
        ("2026-01-05T16:30:00Z", "2026-01-06T09:30:00Z"),
    ] {
        let by = |hours| clock.answer_by(Urgency::High, at(asked), hours).unwrap();
        assert_eq!(by(Hours::Working), at(working), "{asked}");
        assert_eq!(by(Hours::Always), at(asked).plus_hours(1), "{asked}");
        for urgency in [Urgency::Standard, Urgency::Low] {
            let days = clock.contact_by(urgency, at(asked)).unwrap();
            for hours in [Hours::Always, Hours::Working] {
                assert_eq!(clock.answer_by(urgency, at(asked), hours), Ok(days));
            }
        }
    }
}

#[test]
fn two_working_days_run_from_the_day_after_the_report() {
    // Thursday before Easter; Christmas Eve; Friday; Saturday.
    assert_eq!(due_date("2026-04-02T12:00:00+01:00"), "2026-04-08");
    assert_eq!(due_date("2026-12-24T12:00:00Z"), "2026-12-30");
    assert_eq!(due_date("2026-11-20T12:00:00Z"), "2026-11-24");
    assert_eq!(due_date("2026-11-21T12:00:00Z"), "2026-11-24");
}

#[test]
fn twenty_working_days_pass_over_two_may_holidays() {
    let end = clock().working_days_after(date(2026, 4, 22), 20).unwrap();
    assert_eq!(end, date(2026, 5, 21));
}

#[test]
fn a_deadline_names_its_rule_and_ends_with_the_london_day() {
    let clock = clock();
    let due = clock.due(at("2026-04-02T12:00:00+01:00")).unwrap();
    assert_eq!(
        (due.rule, due.calendar),
        ("vcop2021.r4", "england-and-wales")
    );
    assert_eq!(due.at.rfc3339(), "2026-04-08T22:59:59.999Z");
    let winter = clock.due(at("2026-11-20T12:00:00Z")).unwrap();
    assert_eq!(winter.at.rfc3339(), "2026-11-24T23:59:59.999Z");
}

#[test]
fn the_day_of_a_report_is_the_day_in_london() {
    // 23:30 in UTC on Sunday is half past midnight on Monday in summer time.
    assert_eq!(due_date("2026-06-14T22:30:00Z"), "2026-06-16");
    assert_eq!(due_date("2026-06-14T23:30:00Z"), "2026-06-17");
    assert_eq!(due_date("2026-11-15T23:30:00Z"), "2026-11-17");
}

#[test]
fn an_offer_is_answered_by_its_urgency() {
    let clock = clock();
    let offered = at("2026-11-20T15:00:00Z");
    let by = |urgency| clock.contact_by(urgency, offered).unwrap().rfc3339();
    assert_eq!(by(Urgency::High), "2026-11-20T16:00:00.000Z");
    assert_eq!(by(Urgency::Standard), "2026-11-23T23:59:59.999Z");
    assert_eq!(by(Urgency::Low), "2026-11-27T23:59:59.999Z");
}

#[test]
fn a_year_without_holidays_has_no_deadlines() {
    let clock = clock();
    assert_eq!(clock.last_year(), Some(2028));
    assert!(clock.due(at("2028-12-27T12:00:00Z")).is_ok());
    for reported in ["2028-12-28T12:00:00Z", "2029-03-01T12:00:00Z"] {
        let error = clock.due(at(reported)).unwrap_err();
        assert_eq!(error, ClockError::YearNotLoaded { year: 2029 });
        assert_eq!(
            error.to_string(),
            "no bank holidays are loaded for 2029; add them from gov.uk/bank-holidays.json"
        );
    }
    assert_eq!(
        clock.working_days_after(date(2020, 12, 31), 1),
        Err(ClockError::YearNotLoaded { year: 2020 })
    );
}

#[test]
fn a_report_from_before_the_code_has_no_rule() {
    let clock = clock();
    let eve = at("2021-03-31T22:59:59Z");
    assert_eq!(clock.due(eve), Err(ClockError::NoRule));
    assert!(clock.due(at("2021-03-31T23:00:00Z")).is_ok());
    assert_eq!(
        clock.due(When::from_millis(i64::MAX)),
        Err(ClockError::OutsideCalendar)
    );
}

#[test]
fn a_new_code_leaves_old_reports_on_their_clock() {
    let newer = RULES
        .replace("vcop2021.r4", "vcop2027.r4")
        .replace("2021-04-01", "2027-01-01")
        .replace(
            "details_passed_working_days = 2",
            "details_passed_working_days = 1",
        );
    let clock = CodeClock::parse(&format!("{RULES}\n{newer}"), HOLIDAYS).unwrap();
    let old = clock.due(at("2026-12-31T12:00:00Z")).unwrap();
    assert_eq!((old.rule, old.date), ("vcop2021.r4", date(2027, 1, 5)));
    let new = clock.due(at("2027-01-04T12:00:00Z")).unwrap();
    assert_eq!((new.rule, new.date), ("vcop2027.r4", date(2027, 1, 5)));
}

#[test]
fn files_that_someone_mistyped_are_refused() {
    let rules = |from: &str, to: &str| {
        assert!(RULES.contains(from), "{from}");
        CodeClock::parse(&RULES.replace(from, to), HOLIDAYS).err()
    };
    let holidays = |from: &str, to: &str| {
        assert!(HOLIDAYS.contains(from), "{from}");
        CodeClock::parse(RULES, &HOLIDAYS.replace(from, to)).err()
    };
    let told: Vec<String> = [
        CodeClock::parse("", HOLIDAYS).err(),
        rules("valid_from = 2021-04-01", ""),
        rules("valid_from = 2021-04-01", "valid_from = \"2021-04-01\""),
        rules("working_days = 2", "working_days = 0"),
        rules("working_days = 2", "working_days = 251"),
        rules("details_passed", "details_pased"),
        rules("england-and-wales", "scotland"),
        rules("low = ", "lowest = "),
        rules("{ minutes = 60 }", "{ minutes = 60, working_days = 1 }"),
        CodeClock::parse(&format!("{RULES}\n{RULES}"), HOLIDAYS).err(),
        holidays("2028]", "2028, 2029]"),
        holidays("date = 2028-12-26", "date = 2028-12-25"),
        holidays("date = 2028-12-26", "date = 2028-12-24"),
        holidays("date = 2028-12-26", "date = 2029-12-26"),
        holidays("date = 2028-12-26", "day = 2028-12-26"),
        holidays("2027, 2028]", "2027]"),
    ]
    .into_iter()
    .map(|error| error.unwrap().to_string())
    .collect();
    insta::assert_snapshot!(told.join("\n"), @"
    the clock rules cannot be used: `rule` is missing
    the clock rules cannot be used: `valid_from` must be a date such as 2026-12-25, without quotes
    the clock rules cannot be used: `valid_from` must be a date such as 2026-12-25, without quotes
    the clock rules cannot be used: `details_passed_working_days` must be a number from 1 to 250
    the clock rules cannot be used: `details_passed_working_days` must be a number from 1 to 250
    the clock rules cannot be used: `details_pased_working_days` is not known; expected id, title, valid_from, calendar, details_passed_working_days, contact_by
    the clock rules cannot be used: vcop2021.r4 counts in scotland, but the holidays are of england-and-wales
    the clock rules cannot be used: `lowest` is not known; expected high, standard, low
    the clock rules cannot be used: `high` must be either in minutes or in working_days
    the clock rules cannot be used: two rules are valid from 2021-04-01
    the bank holidays cannot be used: 2029 has fewer than 8 holidays; copy the year whole
    the bank holidays cannot be used: 2028-12-25 is there twice
    the bank holidays cannot be used: 2028-12-24 is on a weekend; give the substitute day
    the bank holidays cannot be used: 2029-12-26 is in a year that `years` does not name
    the bank holidays cannot be used: `day` is not known; expected date, title, notes
    the bank holidays cannot be used: 2028-01-03 is in a year that `years` does not name
    ");
    assert!(matches!(
        rules("[[rule]]", "[[rule"),
        Some(ClockError::Rules(_))
    ));
}

#[test]
fn too_many_days_are_not_counted() {
    let counted = clock().working_days_after(date(2026, 1, 2), WORKING_DAYS_MAX + 1);
    assert_eq!(counted, Err(ClockError::TooManyDays));
    assert_eq!(
        clock().working_days_after(date(2026, 11, 21), 0),
        Ok(date(2026, 11, 21))
    );
}

#[test]
fn every_urgency_reads_back() {
    for urgency in Urgency::ALL {
        assert_eq!(Urgency::parse(urgency.code()), Some(urgency));
    }
    assert_eq!(Urgency::parse("urgent"), None);
}

/// Any instant from the start of the Code to the last that has a deadline.
fn reports() -> impl Strategy<Value = When> {
    let (first, last) = (at("2021-03-31T23:00:00Z"), at("2028-12-27T23:59:59.999Z"));
    (first.millis()..=last.millis()).prop_map(When::from_millis)
}

proptest! {
    #[test]
    fn a_deadline_is_the_second_working_day_after_the_report(reported in reports()) {
        let clock = clock();
        let due = clock.due(reported).unwrap();
        prop_assert!(due.at > reported);
        prop_assert!(clock.is_working_day(due.date).unwrap());
        prop_assert_eq!(clock.date(due.at).unwrap(), due.date);
        prop_assert_eq!(clock.date(due.at.plus_millis(1)).unwrap(), due.date.tomorrow().unwrap());
        let mut day = clock.date(reported).unwrap();
        let mut working = 0;
        while day < due.date {
            day = day.tomorrow().unwrap();
            working += u32::from(clock.is_working_day(day).unwrap());
        }
        prop_assert_eq!(working, 2);
    }

    #[test]
    fn a_later_report_is_never_due_earlier(one in reports(), other in reports()) {
        let clock = clock();
        let due = |at| clock.due(at).unwrap().at;
        prop_assert!((one <= other) == (due(one) <= due(other)) || due(one) == due(other));
    }

    #[test]
    fn urgent_offers_are_due_first(offered in reports()) {
        let clock = clock();
        if let Ok(low) = clock.contact_by(Urgency::Low, offered) {
            let high = clock.contact_by(Urgency::High, offered).unwrap();
            let standard = clock.contact_by(Urgency::Standard, offered).unwrap();
            prop_assert!(offered < high && high < standard && standard < low);
        }
    }
}

#[test]
fn a_month_begins_and_ends_at_midnight_in_london() {
    let clock = clock();
    let month = |text: &str| {
        let (from, to) = clock.month(text)?;
        Some((from.rfc3339(), to.rfc3339()))
    };
    let october = ("2026-09-30T23:00:00.000Z", "2026-11-01T00:00:00.000Z");
    let october = (october.0.to_owned(), october.1.to_owned());
    assert_eq!(month("2026-10"), Some(october));
    for bad in ["2026-13", "2026-1", "2026-10-01", "26-10", "", "october"] {
        assert_eq!(month(bad), None, "{bad}");
    }
}
