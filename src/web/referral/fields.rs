//! The fields of a referral, in the order in which they are asked (3.1).

use maud::{Markup, html};
use serde_json::Value;

use super::{consent, contact, held, person};
use crate::domain::codes::{
    Article6, Grade, Instrument, Need, OffenceGroup, OrgKind, PartyRole, PriorityCategory,
    ReportedToPolice, WorkerGender,
};
use crate::web::form::{Errors, Field, Form};
use crate::web::visit::text;
use crate::web::words::referral::{borough, boroughs};
use crate::web::words::{Options, options, pairs, say};

/// Tools that grade a risk.
const RISK_TOOLS: [Instrument; 4] = [
    Instrument::SafelivesDash24,
    Instrument::Dash27,
    Instrument::Dara,
    Instrument::DashYe,
];

const URGENCIES: [(&str, &str); 3] = [
    ("high", "High: a service should answer within the hour"),
    ("standard", "Standard: within one working day"),
    ("low", "Low: it can wait some days"),
];

/// Bases other than her word, for offences where that is not what is relied on.
const BASES: [(&str, &str); 5] = [
    ("public_task", "Our public task"),
    ("legal_obligation", "A law obliges us"),
    ("vital", "A life is at risk"),
    (
        "recognised_li",
        "Safeguarding, as a recognised legitimate interest",
    ),
    ("legitimate", "Our legitimate interest"),
];

/// A service to choose: its name, what it is, and where.
pub fn service(service: &Value) -> String {
    let family = say(text(service, "family")).to_lowercase();
    let area = text(service, "area");
    let near = if area.is_empty() {
        String::new()
    } else {
        format!(", {}", borough(area))
    };
    format!("{} ({family}{near})", text(service, "name"))
}

fn field<'a>(name: &'a str, label: &'a str, hint: &'a str) -> Field<'a> {
    Field {
        name,
        label,
        hint,
        ..Field::default()
    }
}

/// The whole form.
pub fn all(
    form: &Form,
    errors: &Errors,
    services: &[(&str, &str)],
    kind: Option<OrgKind>,
) -> Markup {
    html! {
        (what_happened(form, errors))
        (what_she_needs(form, errors))
        (her_word(form, errors, kind))
        h2 { "Which service" }
        (field("service", "Service", "Only services that take referrals today are listed.")
            .select(form, errors, services))
        (field(
            "consent.widely",
            "She agrees that another service of the same kind may be asked, if this one cannot take her",
            "",
        ).tick(form, errors))
        h2 { "Who she is" }
        p.hint { "The service sees this only when it accepts her." }
        (person::fields(form, errors))
        (person::crime_reference(form, errors))
        h2 { "How it is safe to reach her" }
        p.hint { "For domestic abuse, sexual offences and the like this must be answered." }
        (contact::fields(form, errors))
        details open[opens(form, errors, "other_party.")] {
            summary { "Whom she is to be kept safe from" }
            p.hint {
                "The name is told to nobody. It keeps this person away from what is hers. The service \
                 that accepts her is told the rest, if it may be."
            }
            (person::other_party_fields(form, errors))
        }
        h2 { "Note" }
        (held::field(form, errors))
        div.buttons {
            button name="do" value="send" { "Send the referral" }
            button.second name="do" value="check" { "Check the words first" }
            button.second name="do" value="keep" { "Keep for later" }
        }
    }
}

/// A part that is closed at first is open if anything in it was filled in or is wrong.
fn opens(form: &Form, errors: &Errors, prefix: &str) -> bool {
    form.holds(prefix) || errors.0.iter().any(|(field, _)| field.starts_with(prefix))
}

fn what_happened(form: &Form, errors: &Errors) -> Markup {
    let offences = options(OffenceGroup::ALL.iter().map(|one| one.code()));
    let reported = options(ReportedToPolice::ALL.iter().map(|one| one.code()));
    let parties = options(PartyRole::ALL.iter().map(|one| one.code()));
    let tools = options(RISK_TOOLS.iter().map(|one| one.code()));
    let grades = options(Grade::ALL.iter().map(|one| one.code()));
    html! {
        h2 { "What happened" }
        (field("offence_group", "Kind of offence", "").select(form, errors, &pairs(&offences)))
        (field("party_role", "She is", "A victim, if you choose nothing.")
            .select(form, errors, &pairs(&parties)))
        (field("reported_to_police", "Was it reported to police?", "")
            .select(form, errors, &pairs(&reported)))
        (field(
            "reported_at",
            "When was it reported?",
            "The day from which the Victims' Code counts. Leave it empty if it was today.",
        ).date(form, errors))
        (field("area", "Borough she lives in", "").select(form, errors, boroughs()))
        (Field { width: 10, longest: 9, ..field(
            "area_other",
            "Code of the district, if she lives outside London",
            "For example, E06000043 for Brighton and Hove. Leave it empty if you do not know it.",
        ) }.text(form, errors))
        h3 { "Risk" }
        (field("risk_summary.instrument", "Tool that was used", "Leave it empty if none was.")
            .select(form, errors, &pairs(&tools)))
        (field("risk_summary.grade", "Result", "").select(form, errors, &pairs(&grades)))
        (field("risk_summary.assessed_at", "When?", "").date(form, errors))
        (field("priority_category", "Does any of these hold?", "The Victims' Code gives these people more.")
            .boxes(form, errors, &pairs(&priorities())))
    }
}

fn priorities() -> Options {
    PriorityCategory::ALL
        .iter()
        .map(|one| {
            let words = match one {
                PriorityCategory::MostSerious => "Victim of one of the most serious crimes",
                PriorityCategory::PersistentlyTargeted => "Targeted again and again",
                PriorityCategory::Vulnerable => "Vulnerable",
                PriorityCategory::Intimidated => "Intimidated",
            };
            (one.code(), words.to_owned())
        })
        .collect()
}

fn what_she_needs(form: &Form, errors: &Errors) -> Markup {
    let needs = options(Need::ALL.iter().map(|one| one.code()));
    let workers: Vec<(&str, &str)> = WorkerGender::ALL
        .iter()
        .map(|one| {
            let words = match one {
                WorkerGender::Any => "No preference",
                WorkerGender::Woman => "A woman",
                WorkerGender::Man => "A man",
            };
            (one.code(), words)
        })
        .collect();
    html! {
        h2 { "What she needs" }
        (field("needs", "Tick what she asked for", "").boxes(form, errors, &pairs(&needs)))
        (field("urgency", "How soon must she be called?", "Standard, if you choose nothing.")
            .radios(form, errors, &URGENCIES))
        (field("preferences.worker_gender", "Whom would she like to speak to?", "")
            .select(form, errors, &workers))
    }
}

fn her_word(form: &Form, errors: &Errors, kind: Option<OrgKind>) -> Markup {
    // Only those that a body of this kind can have.
    let is_open = |code: &str| {
        let basis = Article6::parse(code);
        basis
            .zip(kind)
            .is_some_and(|(basis, kind)| basis.open_to(kind))
    };
    let bases = BASES.iter().copied().filter(|(code, _)| is_open(code));
    let bases: Vec<(&str, &str)> = bases.collect();
    html! {
        h2 { "Her word" }
        (consent::decision(
            form,
            errors,
            "Does she agree that this service is told about her?",
            "The service you choose is told who she is when it accepts her, and nobody else is.",
            "Nothing is passed on. Her name is needed to record this, and is not sent to anybody.",
        ))
        (consent::how(form, errors))
        (field(
            "consent.stop_future_offers",
            "If she does not want this: she wants future offers about her stopped too",
            "",
        ).tick(form, errors))
        details open[opens(form, errors, "child_of")] {
            summary { "She is a child, and a parent spoke for her" }
            (consent::child_of_fields(form, errors))
        }
        details open[opens(form, errors, "legal_basis.")] {
            summary { "You do not rely on her word" }
            p.hint {
                "Not for domestic abuse, sexual offences or the bereaved: there you need her word."
            }
            (field("legal_basis.art6", "What do you rely on?", "").select(form, errors, &bases))
        }
    }
}
