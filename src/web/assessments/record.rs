//! Recording an assessment: the questions in the order of the paper form, made from the tool's own
//! data; the grade and its reasons apart from the ticks; and with whom she allows it to be shared.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::card::ANSWERS;
use super::card::text;
use crate::domain::codes::{GradeBasis, JudgementReason, Need, ServiceFamily};
use crate::web::form::{Errors, Field, Form, element};
use crate::web::her;
use crate::web::page::{Page, form};
use crate::web::table::{For, Pages};
use crate::web::visit::{Reply, Stop, Visit, list};
use crate::web::words::{options, pairs, say, today};

const WHOM: For = For::Roles(her::SUPPORT);
const HEADING: &str = "Record an assessment";

pub fn pages(pages: Pages) -> Pages {
    pages
        .get("/record", WHOM, show)
        .post("/record", WHOM, record)
        .get("/record/{id}", WHOM, show)
        .post("/record/{id}", WHOM, record)
}

fn path(visit: &Visit) -> Result<String, Stop> {
    if visit.id().is_empty() {
        return Ok("/record".to_owned());
    }
    Ok(format!("/record/{}", her::id(visit)?))
}

/// A tool in one of its versions, as the form needs it.
struct Tool<'a> {
    whole: &'a Value,
    version: &'a str,
}

impl<'a> Tool<'a> {
    fn find(codes: &'a Reply, tool: &str, version: &str) -> Option<Self> {
        let tools = codes.list("/instruments").iter();
        let whole = tools
            .into_iter()
            .find(|one| text(one, "instrument") == tool)?;
        let versions = list(whole, "versions").iter().filter_map(Value::as_str);
        let version = versions.into_iter().find(|one| *one == version)?;
        Some(Self { whole, version })
    }

    /// Code and label of each question of this version.
    fn questions(&self) -> Vec<(&'a str, &'a str)> {
        let all = list(self.whole, "questions").iter();
        let is_in = |question: &&Value| {
            let versions = list(question, "versions");
            versions
                .iter()
                .any(|one| one.as_str() == Some(self.version))
        };
        all.filter(is_in)
            .map(|question| (text(question, "code"), text(question, "label")))
            .collect()
    }

    fn code(&self) -> &'a str {
        text(self.whole, "instrument")
    }
}

/// The tools to choose from, or the form of the one that was chosen.
async fn show(visit: Visit) -> Result<Page, Stop> {
    let codes = visit.get("/v1/codes").await?;
    let query = visit.query();
    match Tool::find(&codes, query.get("tool"), query.get("version")) {
        Some(tool) => asks(&visit, &tool, &html! {}, &Errors::default()).await,
        None => tools(&visit, &codes),
    }
}

fn tools(visit: &Visit, codes: &Reply) -> Result<Page, Stop> {
    let path = path(visit)?;
    let body = html! {
        h1 { (HEADING) }
        p { "Which form did you use? The questions come in the order of the paper form; have it beside you, \
             because only the matter of each question is given here." }
        ul.places {
            @for tool in codes.list("/instruments") {
                @let versions = list(tool, "versions");
                @for version in versions.iter().rev().filter_map(Value::as_str) {
                    @let code = text(tool, "instrument");
                    li {
                        a href=(format!("{path}?tool={code}&version={version}")) {
                            (text(tool, "name"))
                            @if versions.len() > 1 { ", " (version) }
                        }
                    }
                }
            }
        }
    };
    Ok(Page::new("Record", body))
}

fn question(form: &Form, code: &str, label: &str) -> Markup {
    let name = format!("item-{code}");
    let id = element(&name);
    let mut letters = label.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    let label: String = first.into_iter().chain(letters).collect();
    html! {
        fieldset.field.across {
            legend { span.number { (code.to_uppercase()) } " " (label) }
            div.options {
                @for (place, (value, words)) in ANSWERS.iter().enumerate() {
                    @let each = format!("{id}-{place}");
                    div.choice {
                        input id=(each) type="radio" name=(name) value=(value)
                            checked[form.has(&name, value)];
                        label for=(each) { (words) }
                    }
                }
            }
        }
    }
}

async fn asks(
    visit: &Visit,
    tool: &Tool<'_>,
    above: &Markup,
    errors: &Errors,
) -> Result<Page, Stop> {
    let said = visit.form();
    let notice = her::read_to_her(visit, "sharing-an-assessment", true).await?;
    let day = Field {
        name: "assessed_at",
        label: "When was she assessed?",
        hint: "Leave this empty if it was just now.",
        ..Field::default()
    };
    let trained = Field {
        name: "assessor_trained",
        label: "I am trained in this tool",
        ..Field::default()
    };
    let questions = tool.questions();
    let fields = html! {
        input type="hidden" name="tool" value=(tool.code());
        input type="hidden" name="version" value=(tool.version);
        @if visit.id().is_empty() { h2 { "Who is she?" } (her::who(said, errors)) }
        (day.date(said, errors))
        h2 { "What she said" }
        p.hint { "In the order of the form. What you leave empty counts as not asked." }
        @if let Some(message) = errors.of("items") { p.error id="items" { (message) } }
        @for (code, label) in &questions { (question(said, code, label)) }
        (trained.tick(said, errors))
        (judgement(said, errors, tool))
        (helps(said, errors))
        (sharing(said, errors, &notice))
        button { "Record it" }
    };
    let body = html! {
        (above)
        h1 { (HEADING) }
        p { b { (text(tool.whole, "name")) ", " (tool.version) } " - "
            a href=(path(visit)?) { "use another form" } }
        p { "Do not write anything about immigration. It is never needed and never shared." }
        (form(visit, &path(visit)?, &fields))
    };
    Ok(Page::new("Record", body))
}

/// The grade is the assessor's: no sum makes it.
fn judgement(said: &Form, errors: &Errors, tool: &Tool<'_>) -> Markup {
    let grades: Vec<(&str, String)> = list(tool.whole, "grades")
        .iter()
        .filter_map(Value::as_str)
        .map(|code| (code, say(code)))
        .collect();
    let grades: Vec<(&str, &str)> = grades
        .iter()
        .map(|(code, words)| (*code, words.as_str()))
        .collect();
    let bases = [
        (GradeBasis::Score.code(), "The number of ticks"),
        (
            GradeBasis::ProfessionalJudgement.code(),
            "My professional judgement",
        ),
        (GradeBasis::Escalation.code(), "It is getting worse"),
        (
            GradeBasis::SpecialistReview.code(),
            "A specialist looked at it",
        ),
    ];
    let reasons = options(JudgementReason::ALL.iter().map(|one| one.code()));
    let grade = Field {
        name: "grade",
        label: "How high is the risk, or the need?",
        hint: "Your grade, not the sum of the ticks.",
        ..Field::default()
    };
    let basis = Field {
        name: "basis",
        label: "On what does your grade rest?",
        ..Field::default()
    };
    let codes = Field {
        name: "judgement_codes",
        label: "Why did you grade it so?",
        hint: "Needed unless it rests on the ticks alone.",
        ..Field::default()
    };
    let words = Field {
        name: "judgement_reasons",
        label: "Why, in your own words",
        hint: "Short lines, each up to 200 characters, at most ten. The next service reads them.",
        longest: 2_100,
        ..Field::default()
    };
    html! {
        h2 { "Your judgement" }
        (grade.radios(said, errors, &grades))
        (basis.radios(said, errors, &bases))
        (codes.boxes(said, errors, &pairs(&reasons)))
        (words.area(said, errors, 3))
    }
}

fn helps(said: &Form, errors: &Errors) -> Markup {
    let all = options(Need::ALL.iter().map(|one| one.code()));
    let needs = Field {
        name: "needs",
        label: "What does she need?",
        ..Field::default()
    };
    let adjustments = Field {
        name: "adjustments",
        label: "What helps her take part?",
        hint: "For example: a quiet room, large print. Short lines.",
        longest: 2_100,
        ..Field::default()
    };
    let not_told = Field {
        name: "do_not_tell",
        label: "Who must not be told or let in?",
        hint: "One a line. Shown in an emergency only.",
        longest: 2_100,
        ..Field::default()
    };
    let safe = Field {
        name: "safe_person",
        label: "Who is safe to call?",
        hint: "Shown in an emergency only.",
        width: 20,
        longest: 200,
        ..Field::default()
    };
    let phone = Field {
        name: "safe_person_phone",
        label: "That person's number",
        inputmode: "tel",
        width: 20,
        longest: 32,
        ..Field::default()
    };
    html! {
        h2 { "What she needs" }
        (needs.boxes(said, errors, &pairs(&all)))
        (adjustments.area(said, errors, 2))
        h2 { "To keep her safe" }
        (not_told.area(said, errors, 2))
        (safe.text(said, errors))
        (phone.text(said, errors))
    }
}

/// Whom she allows to see a record of ours, and how much of it.
pub fn recipients(said: &Form, errors: &Errors) -> Markup {
    let families = [
        (ServiceFamily::Accommodation, "Refuges and safe housing"),
        (
            ServiceFamily::Community,
            "Advocates, counselling and recovery in the community",
        ),
        (ServiceFamily::OpenAccess, "Helplines and drop-in services"),
        (
            ServiceFamily::BehaviourChange,
            "Services that work with those who harm",
        ),
        (ServiceFamily::Prevention, "Prevention and awareness"),
    ];
    let families = families.map(|(family, words)| (family.code(), words));
    let kinds = Field {
        name: "consent.recipients",
        label: "Which kinds of service may see it?",
        hint: "Only one that takes her on ever does.",
        ..Field::default()
    };
    let names = Field {
        name: "consent.recipients.organisations",
        label: "Or which services, by their short names",
        hint: "One a line, as in your list of services.",
        longest: 600,
        ..Field::default()
    };
    html! {
        (kinds.boxes(said, errors, &families))
        (names.area(said, errors, 2))
    }
}

/// How far she lets it be seen.
pub fn depth(said: &Form, errors: &Errors) -> Markup {
    let depth = Field {
        name: "consent.depth",
        label: "How much may they see?",
        ..Field::default()
    };
    depth.radios(
        said,
        errors,
        &[
            ("exists", "Only that there is something"),
            ("cards", "A summary too"),
            ("answers", "Her answers too"),
        ],
    )
}

/// With whom she lets a record be shared, for the API.
pub fn named(said: &Form) -> Value {
    let families: Vec<&str> = said.all("consent.recipients").collect();
    let names = her::lines(said.get("consent.recipients.organisations"));
    json!({ "families": families, "organisations": names })
}

fn sharing(said: &Form, errors: &Errors, notice: &Markup) -> Markup {
    let shares = Field {
        name: "shares",
        label: "Does she allow other services to see it?",
        ..Field::default()
    };
    let options = [
        ("yes", "She agrees"),
        ("no", "She does not want this"),
        ("", "She was not asked yet"),
    ];
    html! {
        h2 { "With whom it may be shared" }
        (notice)
        (shares.radios(said, errors, &options))
        (recipients(said, errors))
        (depth(said, errors))
        (her::how_she_said_it(said, errors))
    }
}

/// What was filled in, for the API.
fn body(visit: &Visit, tool: &Tool<'_>) -> Value {
    let said = visit.form();
    let items: Vec<Value> = tool
        .questions()
        .iter()
        .filter_map(|(code, _)| {
            let answer = said.said(&format!("item-{code}"))?;
            Some(json!({ "code": code, "answer": answer }))
        })
        .collect();
    let all = |name: &'static str| said.all(name).collect::<Vec<_>>();
    let mut body = json!({
        "instrument": tool.code(),
        "instrument_version": tool.version,
        "items": items,
        "grade": said.get("grade"),
        "basis": said.get("basis"),
        "judgement_codes": all("judgement_codes"),
        "judgement_reasons": her::lines(said.get("judgement_reasons")),
        "assessor_trained": said.get("assessor_trained") == "yes",
        "assessed_at": at(visit),
        "needs": all("needs"),
        "adjustments": her::lines(said.get("adjustments")),
        "do_not_tell": her::lines(said.get("do_not_tell")),
    });
    for name in ["safe_person", "safe_person_phone"] {
        if let Some(value) = said.said(name) {
            her::put(&mut body, name, json!(value));
        }
    }
    her::name_her(visit, &mut body);
    let word = match said.get("shares") {
        "yes" => {
            let mut word = her::her_word(said, "permit");
            her::put(&mut word, "recipients", named(said));
            her::put(&mut word, "depth", json!(said.get("consent.depth")));
            Some(word)
        }
        "no" => Some(her::her_word(said, "deny")),
        _ => None,
    };
    if let Some(word) = word {
        her::put(&mut body, "consents", json!([word]));
    }
    body
}

/// Noon of the day that was given, or now if it was today: nobody writes down the minute.
fn at(visit: &Visit) -> String {
    let now = visit.now();
    match visit.form().date("assessed_at") {
        Some(day) if day != today(now) => format!("{day}T12:00:00Z"),
        Some(_) | None => now.rfc3339(),
    }
}

async fn record(visit: Visit) -> Result<Page, Stop> {
    let codes = visit.get("/v1/codes").await?;
    let said = visit.form();
    let Some(tool) = Tool::find(&codes, said.get("tool"), said.get("version")) else {
        return tools(&visit, &codes);
    };
    let reply = visit.post("/v1/assessments", &body(&visit, &tool)).await?;
    if !reply.is_ok() {
        let errors = her::errors(&reply);
        let above = her::above(&reply, &errors);
        return Ok(asks(&visit, &tool, &above, &errors)
            .await?
            .status(reply.status));
    }
    if reply.is_nothing() {
        let body = html! { h1 { (HEADING) } (crate::web::page::nothing(&reply)) };
        return Ok(Page::new("Record", body));
    }
    let ticks = reply.body.get("ticks").and_then(Value::as_u64);
    let shown = html! {
        (her::warning(&reply))
        h1 { "Recorded" }
        div.good {
            @if let Some(ticks) = ticks { p { "Ticks: " b { (ticks) } ". Your grade stands beside them." } }
            p { "She need not say it again: a service that she allows can ask for it." }
        }
        @if !visit.id().is_empty() {
            (her::acts(visit.role(), her::id(&visit)?))
        } @else { p { a href="/record" { "Record another" } } }
    };
    Ok(Page::new("Record", shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_questions_are_those_of_the_version_in_the_order_of_the_form() {
        let codes = Reply {
            status: 200,
            body: json!({ "instruments": [{
                "instrument": "dash", "name": "Dash", "versions": ["1", "2"], "questions": [
                    { "code": "q2", "label": "second", "versions": ["1", "2"] },
                    { "code": "q1", "label": "first", "versions": ["1"] },
                ],
            }] }),
        };
        let questions = |version| Tool::find(&codes, "dash", version).map(|tool| tool.questions());
        assert_eq!(
            questions("1"),
            Some(vec![("q2", "second"), ("q1", "first")])
        );
        assert_eq!(questions("2"), Some(vec![("q2", "second")]));
        assert_eq!(questions("3"), None);
    }

    #[test]
    fn an_answer_that_was_given_comes_back_with_the_form() {
        let form = Form::parse(b"item-q1=declined");
        let shown = question(&form, "q1", "injury").0;
        assert!(shown.contains("value=\"declined\" checked"), "{shown}");
        assert!(shown.contains("Injury"), "{shown}");
        assert_eq!(shown.matches("checked").count(), 1);
    }
}
