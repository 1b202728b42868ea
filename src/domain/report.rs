//! The report that she asks for (`domain.md` 3.11): what is held about her, who was told what, when,
//! why and on what ground, in words that need no training.
//!
//! A pure function of what its reader may see. It never names a worker unless that was decided, a
//! refuge or a by-and-for service unless her own solicitor takes it, or who was turned down. It
//! holds no address, no free text and no word of ours: it may be found by whom she fears.

mod assembled;
mod figures;
mod held;
mod sheet;
mod words;

pub use assembled::{Assembled, PartAnswer, Said};
pub use figures::{Counting, Figures, Flow, Kinds, Reviewed, Row, SMALL, Shown, Table, figures};
pub use held::{Held, hers};

use std::collections::BTreeMap;

use super::audit::{Reach, Reading, Side, SomeOrganisation, Viewer, VisibleEntry};
use super::clock::CodeClock;
use super::codes::{ConsentDecision, HandedTo, OrgKind, StaffNamesReason};
use super::consent::{Consent, Tombstone};
use super::id::OrgId;
use super::organisation::Organisation;
use super::time::When;
use sheet::{Sheet, capital};
use words::{Deed, deed};

/// Entries of one report, the newest; more would not be read by anyone.
pub const REPORT_ENTRIES_MAX: usize = 2_000;

/// What was settled before the report was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    pub handed_to: HandedTo,
    /// Why workers are named; `None`: they are not.
    pub staff_names: Option<StaffNamesReason>,
    /// Organisations that have given her their own part of the answer.
    pub answered: Vec<OrgId>,
    /// Somebody checked, in person, that it is she who asks. If not, nothing is shown.
    pub identity_checked: bool,
}

/// A report that was permitted: what to open, what is held, and on which terms.
#[derive(Clone, Debug)]
pub struct Commission {
    pub reading: Reading,
    pub held: Held,
    pub terms: Terms,
    /// All entries are in it, not only the newest.
    pub whole: bool,
    /// What others say of themselves, where she asked them all.
    pub assembled: Option<Assembled>,
}

/// An entry of the log with its time.
pub type Seen<'a> = (When, &'a VisibleEntry);

/// The report as text. `entries` come the newest first. `organisations` gives names and kinds; one that is missing is not named.
pub fn write(
    commission: &Commission,
    entries: &[Seen<'_>],
    organisations: &BTreeMap<OrgId, Organisation>,
    clock: &CodeClock,
    (said, made_at): (&Said, When),
) -> String {
    let told = entries
        .iter()
        .rev()
        .filter(|(_, entry)| commission.tells(entry));
    let mut oldest_first: Vec<Seen<'_>> = told.copied().collect();
    oldest_first.sort_by_key(|(at, _)| *at);
    let page = Page {
        commission,
        organisations,
        clock,
        entries: oldest_first,
        sheet: Sheet::default(),
    };
    page.write(said, made_at)
}

impl Commission {
    /// Whether an entry is told. Of who was asked for its part and has not answered, nothing that it
    /// did for her is; what was done without asking her, and who was turned down, always.
    fn tells(&self, entry: &VisibleEntry) -> bool {
        let Some(assembled) = &self.assembled else {
            return true;
        };
        match deed(entry) {
            Deed::Work(_) => match &entry.organisation {
                SomeOrganisation::Named(id) => assembled.has_answered(id),
                SomeOrganisation::Hidden => false,
            },
            Deed::Emergency | Deed::TurnedDown | Deed::HerWord | Deed::Watching | Deed::Nothing => {
                true
            }
        }
    }
}

struct Page<'a> {
    commission: &'a Commission,
    organisations: &'a BTreeMap<OrgId, Organisation>,
    clock: &'a CodeClock,
    entries: Vec<Seen<'a>>,
    sheet: Sheet,
}

impl Page<'_> {
    fn write(mut self, said: &Said, made_at: When) -> String {
        self.head(made_at);
        self.held();
        self.answers(said);
        self.told();
        self.emergencies();
        self.turned_down();
        self.her_word();
        self.watched();
        self.missing();
        self.complain();
        self.sheet.text()
    }

    fn viewer(&self) -> &Viewer {
        &self.commission.reading.viewer
    }

    fn head(&mut self, made_at: When) {
        self.sheet.head("WHAT WE HOLD ABOUT YOU");
        let maker = self.maker();
        let day = self.day(made_at);
        self.sheet.line(&format!("Made on {day} by {maker}."));
        self.sheet.line(match self.commission.terms.handed_to {
            HandedTo::Herself => {
                "To be given to you in person. Nobody may post it, email it or leave it for you. \
                 Keep it only where it is safe. You can ask us to keep it for you."
            }
            HandedTo::HerSolicitor => {
                "To be given to your solicitor in person. Nobody may post it or email it. It names \
                 services that can tell where you get help. Keep it only where it is safe."
            }
        });
        self.sheet.line(
            "Services that help people use a shared system. With it they ask each other to help \
             you. The system writes down each time someone uses it about you. This page says what \
             is written there. It does not say where you live. It does not say what you told \
             anyone.",
        );
    }

    fn held(&mut self) {
        self.sheet.title("What is held about you");
        let held = &self.commission.held;
        let (referrals, assessments) = (held.referrals.clone(), held.assessments.clone());
        if held.is_empty() {
            self.sheet
                .line("We found no file about you. We found only the lines below.");
            return;
        }
        for (at, organisation, sent) in referrals {
            let (who, day) = (self.name_of(&organisation), self.day(at));
            let what = if sent {
                "asked a service to help you"
            } else {
                "was asked to help you"
            };
            self.sheet.item(&format!("{who} {what}, on {day}."));
        }
        for (at, organisation) in assessments {
            let (who, day) = (self.name_of(&organisation), self.day(at));
            self.sheet.item(&format!(
                "{who} wrote down answers you gave about your safety and your needs, on {day}. \
                 They are locked. Ask {who} to read them with you."
            ));
        }
    }

    fn told(&mut self) {
        self.sheet.title("Who did what, and who was told something");
        let mut any = false;
        for (at, entry) in self.entries.clone() {
            let Deed::Work(what) = deed(entry) else {
                continue;
            };
            any = true;
            let (day, who) = (self.day(at), self.who(entry));
            self.sheet.item(&format!("{day}: {who} {what}"));
            self.details(entry);
        }
        if !any {
            self.sheet.line("Nobody was told anything about you.");
        }
    }

    /// What was told, why, and by which right.
    fn details(&mut self, entry: &VisibleEntry) {
        let classes = words::told(entry);
        if !classes.is_empty() {
            self.sheet
                .under(&format!("It was told: {}.", words::list(&classes)));
        }
        if let Some(why) = words::purpose(&entry.purpose) {
            self.sheet.under(&format!("Why: {why}."));
        }
        if let Some(basis) = words::right(entry) {
            self.sheet
                .under(&format!("What gave it the right: {basis}."));
        }
    }

    fn emergencies(&mut self) {
        self.sheet.title("Emergencies");
        let mut any = false;
        for (at, entry) in self.entries.clone() {
            if deed(entry) != Deed::Emergency {
                continue;
            }
            any = true;
            let (day, who) = (self.day(at), self.who(entry));
            self.sheet.item(&format!(
                "{day}: {who} opened some of your details without asking you first."
            ));
            let why = entry.reason.as_deref().and_then(words::emergency);
            if let Some(why) = why {
                self.sheet.under(&format!("It said: {why}."));
            }
            self.details(entry);
            self.sheet.under(
                "This is only for danger. Someone else must check each time, within three days, \
                 if it was right.",
            );
        }
        if !any {
            self.sheet
                .line("Nobody opened your details in an emergency.");
        }
    }

    /// By kind, never by name: who was turned down may be looking for her.
    fn turned_down(&mut self) {
        self.sheet.title("Who asked and was told nothing");
        let mut kinds: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        for (at, entry) in self.entries.clone() {
            if deed(entry) == Deed::TurnedDown {
                let day = self.day(at);
                let days = kinds.entry(self.kind(entry)).or_default();
                if !days.contains(&day) {
                    days.push(day);
                }
            }
        }
        if kinds.is_empty() {
            self.sheet.line("Nobody.");
        }
        for (kind, days) in kinds {
            let days: Vec<&str> = days.iter().map(String::as_str).collect();
            self.sheet
                .item(&format!("{}: {}.", capital(kind), words::list(&days)));
        }
    }

    fn her_word(&mut self) {
        self.sheet.title("What you agreed to, and what you stopped");
        let held = self.commission.held.clone();
        for consent in &held.consents {
            self.consent(consent, &held.stops);
        }
        for stop in &held.stops {
            let (who, day) = (self.name_of(&stop.taken_by), self.day(stop.at));
            self.sheet.item(&format!(
                "{day}: you told {who} to stop {}. From that moment it was stopped.",
                words::stopped(stop)
            ));
        }
        if held.consents.is_empty() && held.stops.is_empty() {
            self.sheet.line("Nothing is written down here.");
        }
        self.sheet
            .line("You can change your mind at any time. You need no reason.");
    }

    fn consent(&mut self, consent: &Consent, stops: &[Tombstone]) {
        let who = capital(&self.name_of(&consent.recorded_by));
        let day = self.day(consent.given_at);
        if consent.decision == ConsentDecision::Deny {
            self.sheet.item(&format!(
                "{day}: you said no to sharing. {who} wrote it down."
            ));
            return;
        }
        let classes = consent.classes.iter();
        let what: Vec<&str> = classes
            .filter_map(|class| words::class(class.code()))
            .collect();
        let what = if what.is_empty() {
            "what is needed to help you".to_owned()
        } else {
            words::list(&what)
        };
        self.sheet.item(&format!(
            "{day}: you agreed to sharing {what}. {who} wrote it down."
        ));
        let until = self.day(consent.until);
        let stopped = consent.withdrawn_at.map(|at| self.day(at));
        let later = stops.iter().any(|stop| stop.at >= consent.given_at);
        self.sheet.under(&match stopped {
            Some(day) => format!("You stopped this on {day}."),
            None if later => format!("It ends on {until}, or where you stopped it: see below."),
            None => format!("It ends on {until}. You can stop it sooner."),
        });
    }

    /// Who looked at the record of all this, which is use of her data too.
    fn watched(&mut self) {
        let mut days: Vec<String> = Vec::new();
        for (at, entry) in self.entries.clone() {
            let day = self.day(at);
            if deed(entry) == Deed::Watching && !days.contains(&day) {
                days.push(day);
            }
        }
        if days.is_empty() {
            return;
        }
        self.sheet.title("Who checked this record");
        let days: Vec<&str> = days.iter().map(String::as_str).collect();
        self.sheet.line(&format!(
            "People whose job is to see that your details are used fairly looked at this record \
             on {}.",
            words::list(&days)
        ));
    }

    fn missing(&mut self) {
        self.sheet.title("What is not on this page");
        self.sheet.line(match self.commission.terms.staff_names {
            None => {
                "The names of workers are left out. You can ask for one, and say why you need it."
            }
            Some(_) => "Only workers of the service that made this page are named.",
        });
        if self.commission.terms.handed_to == HandedTo::Herself {
            self.sheet.line(
                "Some services are called 'a specialist service', so that nobody who finds this \
                 page can tell where you get help.",
            );
        }
        // Where each was asked, that is said above.
        let unanswered = match self.commission.assembled {
            Some(_) => Vec::new(),
            None => self.unanswered(),
        };
        for name in unanswered {
            self.sheet.line(&format!(
                "{} has its own file. It has not answered.",
                capital(&name)
            ));
        }
        match self.viewer().reach() {
            Reach::All => {}
            Reach::OwnAndConcerned | Reach::Own => self.sheet.line(
                "Others may hold something about you too. This page cannot say who. You can ask \
                 each of them the same question.",
            ),
        }
        if !self.commission.whole {
            self.sheet
                .line("There is more. Only the newest lines are on this page.");
        }
        self.sheet.line(
            "Counts are made from this system, such as how many people asked for help. \
                   Nobody can see you in them.",
        );
    }

    fn complain(&mut self) {
        self.sheet.title("If you think something is wrong");
        let first = self.maker();
        self.sheet.item(&format!(
            "Tell {first} first. It must tell you within 30 days that it has your complaint."
        ));
        self.sheet.item(
            "You can also tell the Information Commissioner's Office. It checks how people's \
             details are used, and it is free. Phone 0303 123 1113, or see \
             ico.org.uk/make-a-complaint.",
        );
        self.sheet
            .item("You can ask a support worker or a solicitor to do this for you.");
    }

    /// Who is on this page, other than its maker, and has not given her its own answer.
    fn unanswered(&self) -> Vec<String> {
        let own = &self.viewer().organisation;
        let mut named: Vec<OrgId> = Vec::new();
        let mut hidden = false;
        for (_, entry) in &self.entries {
            if !matches!(deed(entry), Deed::Work(_) | Deed::Emergency) {
                continue;
            }
            let concerned = entry.decided.iter().flat_map(|decided| &decided.concerned);
            for organisation in std::iter::once(&entry.organisation).chain(concerned) {
                match organisation {
                    SomeOrganisation::Named(id) => named.push(id.clone()),
                    SomeOrganisation::Hidden => hidden = true,
                }
            }
        }
        let held = &self.commission.held;
        named.extend(held.referrals.iter().map(|(_, id, _)| id.clone()));
        named.extend(held.assessments.iter().map(|(_, id)| id.clone()));
        named.extend(held.consents.iter().map(|one| one.recorded_by.clone()));
        named.extend(held.stops.iter().map(|stop| stop.taken_by.clone()));
        named.retain(|id| id != own && !self.commission.terms.answered.contains(id));
        let mut names: Vec<String> = named.iter().map(|id| self.name_of(id)).collect();
        if hidden {
            names.push(words::SPECIALIST.to_owned());
        }
        names.sort();
        names.dedup();
        names
    }

    fn who(&self, entry: &VisibleEntry) -> String {
        if entry.side == Side::Operator {
            return OPERATOR_WORDS.to_owned();
        }
        let name = capital(&self.some(&entry.organisation));
        let named = self.commission.terms.staff_names.is_some() && entry.side == Side::Asking;
        if named {
            format!("{name} (worker {})", entry.user)
        } else {
            name
        }
    }

    fn maker(&self) -> String {
        let own = &self.viewer().organisation;
        match self.organisations.get(own) {
            Some(found) if !self.hides(found.kind) => found.name.clone(),
            Some(_) | None => "the service that gave you this page".to_owned(),
        }
    }

    fn some(&self, organisation: &SomeOrganisation) -> String {
        match organisation {
            SomeOrganisation::Named(id) => self.name_of(id),
            SomeOrganisation::Hidden => words::SPECIALIST.to_owned(),
        }
    }

    fn name_of(&self, id: &OrgId) -> String {
        match self.organisations.get(id) {
            None => "an organisation".to_owned(),
            Some(found) if self.hides(found.kind) => words::SPECIALIST.to_owned(),
            Some(found) => found.name.clone(),
        }
    }

    fn hides(&self, kind: OrgKind) -> bool {
        self.commission.terms.handed_to == HandedTo::Herself
            && matches!(kind, OrgKind::Refuge | OrgKind::ByAndFor)
    }

    fn kind(&self, entry: &VisibleEntry) -> &'static str {
        match &entry.organisation {
            SomeOrganisation::Hidden => words::SPECIALIST,
            SomeOrganisation::Named(id) => self
                .organisations
                .get(id)
                .map_or("an organisation", |found| words::kind(found.kind)),
        }
    }

    fn day(&self, at: When) -> String {
        self.clock.date(at).map_or_else(
            |_| "an unknown day".to_owned(),
            |date| date.strftime("%-d %B %Y").to_string(),
        )
    }
}

const OPERATOR_WORDS: &str = "The people who run the shared system";

#[cfg(test)]
mod tests;
