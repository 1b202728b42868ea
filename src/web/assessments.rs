//! "Has she been assessed before?": asked in three steps, each with her word (`domain.md` 3.2), and
//! what was done with the answer.

pub mod card;
pub mod own;
pub mod record;

use maud::{Markup, html};
use serde_json::{Value, json};

use super::form::{Errors, Field};
use super::her;
use super::page::{self, Page, form};
use super::table::{For, Pages};
use super::visit::{Reply, Stop, Visit};
use super::words::{options, pairs};
use crate::domain::codes::ReassessReason;

const WHOM: For = For::Roles(her::SUPPORT);
const HEADING: &str = "Ask what was assessed before";

pub fn pages(pages: Pages) -> Pages {
    let pages = pages
        .get("/ask", WHOM, begin)
        .post("/ask", WHOM, ask)
        .get("/ask/{id}", WHOM, begin)
        .post("/ask/{id}", WHOM, ask)
        .post("/ask/used", WHOM, used)
        .post("/ask/{id}/used", WHOM, used);
    own::pages(record::pages(pages))
}

/// How far is asked. Each step needs her word anew.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Exists,
    Cards,
    Answers,
}

impl Step {
    fn of(code: &str) -> Self {
        match code {
            "cards" => Self::Cards,
            "answers" => Self::Answers,
            _ => Self::Exists,
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Exists => "exists",
            Self::Cards => "cards",
            Self::Answers => "answers",
        }
    }

    /// The name of the field in which her word for this step is said.
    const fn field(self) -> &'static str {
        match self {
            Self::Exists => "agrees_exists",
            Self::Cards => "agrees_cards",
            Self::Answers => "agrees_answers",
        }
    }

    const fn question(self) -> &'static str {
        match self {
            Self::Exists => "Does she agree that you ask whether there is anything?",
            Self::Cards => "Does she agree that you see a summary of each (its card)?",
            Self::Answers => "Does she agree that you read her answers?",
        }
    }

    const fn button(self) -> &'static str {
        match self {
            Self::Exists => "Ask whether there is anything",
            Self::Cards => "Show the summary",
            Self::Answers => "Show her answers",
        }
    }
}

/// The path of the form, with or without her reference.
fn path(visit: &Visit, rest: &str) -> Result<String, Stop> {
    if visit.id().is_empty() {
        return Ok(format!("/ask{rest}"));
    }
    Ok(format!("/ask/{}{rest}", her::id(visit)?))
}

async fn begin(visit: Visit) -> Result<Page, Stop> {
    asks_first(&visit, &html! {}, &Errors::default()).await
}

/// The first step, or the first again with what was wrong.
async fn asks_first(visit: &Visit, above: &Markup, errors: &Errors) -> Result<Page, Stop> {
    let notice = her::read_to_her(visit, "earlier-assessment", true).await?;
    let names_her = visit.id().is_empty();
    let fields = html! {
        @if names_her {
            h2 { "Who is she?" }
            (her::who(visit.form(), errors))
        }
        (notice)
        (step_fields(visit, Step::Exists, errors))
    };
    let body = html! {
        (above)
        h1 { (HEADING) }
        p { "You can ask about somebody whom another service sent to you and whom you have accepted." }
        (form(visit, &path(visit, "")?, &fields))
    };
    Ok(Page::new("Ask", body))
}

/// Her word for one step, and its button.
fn step_fields(visit: &Visit, step: Step, errors: &Errors) -> Markup {
    let said = visit.form();
    let agrees = Field {
        name: step.field(),
        label: step.question(),
        hint: "She may say no to any of this, and you still help her.",
        ..Field::default()
    };
    let options = [
        ("now", "She agrees"),
        ("no", "She does not want this"),
        ("before", "She agreed before, and we recorded it"),
    ];
    let rule = Field {
        name: "onward_rule_accepted",
        label: "We do not pass this on for immigration purposes",
        ..Field::default()
    };
    let card = Field {
        name: "card_code",
        label: "A question code of her card",
        hint: "12 letters and digits. Only if nobody sent her to you: she came to you herself.",
        width: 20,
        longest: 24,
        ..Field::default()
    };
    let has_card = said.said("card_code").is_some() || errors.of("card_code").is_some();
    html! {
        input type="hidden" name="step" value=(step.code());
        (agrees.radios(said, errors, &options))
        @if Step::of(said.get("step")) != step { (her::how_she_says_it_now(said)) }
        @else { (her::how_she_said_it(said, errors)) }
        (rule.tick(said, errors))
        @if step == Step::Exists {
            details open[has_card] {
                summary { "She gave you a code of her card" }
                (card.text(said, errors))
            }
        } @else {
            (her::carried(said))
            @if let Some(words) = said.said("consent.notice_version") {
                input type="hidden" name="consent.notice_version" value=(words);
            }
            @if has_card { input type="hidden" name="card_code" value=(said.get("card_code")); }
        }
        button { (step.button()) }
    }
}

async fn ask(visit: Visit) -> Result<Page, Stop> {
    let step = Step::of(visit.form().get("step"));
    let agrees = visit.form().get(step.field());
    if agrees == "no" {
        return refused_by_her(&visit).await;
    }
    if !matches!(agrees, "now" | "before") {
        let mut errors = Errors::default();
        errors.add(step.field(), "Say whether she agrees");
        return Ok(again(&visit, step, &page::summary(&errors), &errors)
            .await?
            .status(422));
    }
    let mut body = json!({
        "step": step.code(),
        "onward_rule_accepted": visit.form().get("onward_rule_accepted") == "yes",
    });
    her::name_her(&visit, &mut body);
    if agrees == "now" {
        let mut word = her::her_word(visit.form(), "permit");
        her::put(&mut word, "depth", json!(step.code()));
        her::put(&mut body, "consent", word);
    }
    if let Some(code) = visit.form().said("card_code") {
        her::put(&mut body, "card_code", json!(code));
    }
    if step == Step::Answers {
        let Some(chosen) = visit.form().said("assessment") else {
            let mut errors = Errors::default();
            errors.add("assessment", "Choose one");
            let above = page::summary(&errors);
            return Ok(again(&visit, step, &above, &errors).await?.status(422));
        };
        her::put(&mut body, "assessment", json!(chosen));
    }
    let reply = visit.post("/v1/assessments/query", &body).await?;
    if !reply.is_ok() {
        let errors = her::errors(&reply);
        let above = her::above(&reply, &errors);
        return Ok(again(&visit, step, &above, &errors)
            .await?
            .status(reply.status));
    }
    if reply.body.get("replayed").is_some() {
        let body = html! {
            h1 { "This was asked already" }
            p { "What was shown is not shown again by the same form. If you need it, begin anew." }
            p { a href=(path(&visit, "")?) { (HEADING) } }
        };
        return Ok(Page::new("Ask", body));
    }
    Ok(Page::new("Ask", shown(&visit, step, &reply)?))
}

/// The same step once more. What was shown before it is not on this page, but for what there is to
/// choose from.
async fn again(visit: &Visit, step: Step, above: &Markup, errors: &Errors) -> Result<Page, Stop> {
    if step == Step::Exists {
        return asks_first(visit, above, errors).await;
    }
    let fields = html! {
        @if step == Step::Answers {
            (which(visit, &visit.form().all("choice").map(str::to_owned).collect::<Vec<_>>(), errors))
        }
        (step_fields(visit, step, errors))
    };
    let body = html! { (above) h1 { (HEADING) } (form(visit, &path(visit, "")?, &fields)) };
    Ok(Page::new("Ask", body))
}

/// What the API said, and the step after it.
fn shown(visit: &Visit, step: Step, reply: &Reply) -> Result<Markup, Stop> {
    if reply.is_nothing() {
        return Ok(html! { (her::warning(reply)) h1 { (HEADING) } (page::nothing(reply)) });
    }
    let path = path(visit, "")?;
    Ok(match step {
        Step::Exists => {
            let is_sure = reply.body.pointer("/identity_confirmed") == Some(&json!(true));
            html! {
                (her::warning(reply))
                h1 { (HEADING) }
                div.good { p { (reply.text("/says")) } }
                @if is_sure {
                    h2 { "Ask her again before you see a summary" }
                    (form(visit, &path, &step_fields(visit, Step::Cards, &Errors::default())))
                }
            }
        }
        Step::Cards => {
            let list = reply.list("/assessments");
            html! {
                (her::warning(reply))
                h1 { "What was assessed before" }
                (card::read_aloud(reply))
                (card::banner(reply))
                @for one in list { (card::card(one, &used_form(visit, one)?)) }
                @if let Some(most) = reply.body.get("shown_at_most").and_then(Value::as_str) {
                    p.hint { (most) }
                }
                (answers_form(visit, &path, list))
            }
        }
        Step::Answers => {
            let found = reply.body.get("assessment").unwrap_or(&Value::Null);
            html! {
                (her::warning(reply))
                h1 { "What she answered" }
                (card::read_aloud(reply))
                (card::card(found, &used_form(visit, found)?))
                (card::items(found))
            }
        }
    })
}

/// Which one she is asked about; each choice is an id and a title. They go along with the form, so that
/// it can come back.
fn which(visit: &Visit, choices: &[String], errors: &Errors) -> Markup {
    let options: Vec<(&str, &str)> = choices
        .iter()
        .filter_map(|choice| choice.split_once(' '))
        .collect();
    let which = Field {
        name: "assessment",
        label: "Of which one do you need the answers?",
        ..Field::default()
    };
    html! {
        (which.radios(visit.form(), errors, &options))
        @for choice in choices { input type="hidden" name="choice" value=(choice); }
    }
}

fn answers_form(visit: &Visit, path: &str, list: &[Value]) -> Markup {
    let choices: Vec<String> = list
        .iter()
        .map(|one| format!("{} {}", card::text(one, "id"), card::title(one)))
        .collect();
    let none = Errors::default();
    let fields = html! {
        (which(visit, &choices, &none))
        (step_fields(visit, Step::Answers, &none))
    };
    html! {
        details {
            summary { "You need to read her answers too" }
            p { "Ask her once more first." }
            (form(visit, path, &fields))
        }
    }
}

/// "Relied on this", or why she was asked again. Of what one's own organisation recorded nothing is
/// noted.
fn used_form(visit: &Visit, one: &Value) -> Result<Markup, Stop> {
    if one.get("own") == Some(&Value::Bool(true)) {
        return Ok(html! {});
    }
    let id = card::text(one, "id");
    let reasons = options(ReassessReason::ALL.iter().map(|one| one.code()));
    let name = format!("because-{id}");
    let because = Field {
        name: &name,
        label: "I assessed her again, because",
        ..Field::default()
    };
    let fields = html! {
        (her::carried(visit.form()))
        input type="hidden" name="assessment" value=(id);
        div.buttons { button name="used" value="relied" { "Relied on this, no need to ask her again" } }
        details {
            summary { "I assessed her again" }
            (because.select(visit.form(), &Errors::default(), &pairs(&reasons)))
            button.second name="used" value="again" { "Say that I assessed her again" }
        }
    };
    Ok(form(visit, &path(visit, "/used")?, &fields))
}

async fn used(visit: Visit) -> Result<Page, Stop> {
    let assessment = her::plain(visit.form().get("assessment"))?;
    let mut body = json!({});
    her::name_her(&visit, &mut body);
    if visit.form().get("used") == "again" {
        let on_card = visit.form().said(&format!("because-{assessment}"));
        let because = on_card.unwrap_or_else(|| visit.form().get("reassessed_because"));
        her::put(&mut body, "reassessed_because", json!(because));
    }
    let reply = visit
        .post(&format!("/v1/assessments/{assessment}/relied-on"), &body)
        .await?;
    if !reply.is_ok() {
        let body = asks_why(&visit, assessment, &reply)?;
        return Ok(Page::new("Ask", body).status(reply.status));
    }
    let notice = her::read_to_her(&visit, "assessment-read", false).await?;
    let again = path(&visit, "")?;
    let body = html! {
        @if reply.is_nothing() { h1 { (HEADING) } (page::nothing(&reply)) }
        @else {
            h1 { "Noted" }
            p { "Thank you: it is counted how often women need not say it again. Nobody is named." }
            (notice)
            p { a href=(again) { "Ask again" } }
        }
    };
    Ok(Page::new("Ask", body))
}

/// Why she was assessed again, once more.
fn asks_why(visit: &Visit, assessment: &str, reply: &Reply) -> Result<Markup, Stop> {
    let errors = her::errors(reply);
    let reasons = options(ReassessReason::ALL.iter().map(|one| one.code()));
    let because = Field {
        name: "reassessed_because",
        label: "I assessed her again, because",
        ..Field::default()
    };
    let fields = html! {
        (her::carried(visit.form()))
        input type="hidden" name="assessment" value=(assessment);
        input type="hidden" name="used" value="again";
        (because.select(visit.form(), &errors, &pairs(&reasons)))
        button { "Say that I assessed her again" }
    };
    Ok(html! {
        (her::above(reply, &errors))
        h1 { "I assessed her again" }
        (form(visit, &path(visit, "/used")?, &fields))
    })
}

/// She said no: nothing is asked; her refusal is recorded where it has a place.
async fn refused_by_her(visit: &Visit) -> Result<Page, Stop> {
    let by_person = !visit.id().is_empty();
    // A no to a further step takes nothing back of what she agreed to before it.
    let is_first = Step::of(visit.form().get("step")) == Step::Exists;
    let records = by_person && is_first;
    if records {
        let mut word = her::her_word(visit.form(), "deny");
        her::put(&mut word, "opens", json!("query"));
        her::put(&mut word, "purposes", json!(["prior_assessment"]));
        let body = json!({ "person": her::id(visit)?, "consent": word });
        let reply = visit.post("/v1/consents", &body).await?;
        if !reply.is_ok() {
            let step = Step::of(visit.form().get("step"));
            let errors = her::errors(&reply);
            let above = her::above(&reply, &errors);
            return Ok(again(visit, step, &above, &errors)
                .await?
                .status(reply.status));
        }
        if reply.is_nothing() {
            let body = html! { h1 { (HEADING) } (page::nothing(&reply)) };
            return Ok(Page::new("Ask", body));
        }
    }
    let body = html! {
        h1 { "Nothing was asked" }
        p { "She does not want this. Go on helping her without it." }
        @if records { p { "Her answer is recorded." } }
        @if !is_first { p { "What she agreed to before stays." } }
    };
    Ok(Page::new("Ask", body))
}
