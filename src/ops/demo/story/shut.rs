//! Steps 6 to 10: the doors that stay shut, and the one that is opened in an emergency.

use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Story, find};
use crate::domain::codes::Role;
use crate::domain::policy::Policies;
use crate::domain::policy::Unproved;
use crate::ops::client::caller::Ask;
use crate::ops::demo::DemoError;
use crate::ops::demo::borough::{CHARITY, OTHER_SERVICE};
use crate::ops::demo::people::{
    DO_NOT_TELL, DUTY_LINE, FAMILY_NAME, NEUTRAL_NOTE, SAFE_PHONE, emergency, her, nobody,
    question, question_of, referral,
};

/// Replies leave at multiples of this (P5), in milliseconds.
const BOUNDARY_MS: u128 = 100;
/// A busy computer may push one of two replies over a boundary: they are compared this often.
const COMPARED_MAX: u32 = 4;

impl<W: Write> Story<'_, W> {
    /// 6: known or unknown, the same answer.
    pub(super) async fn ask_from_outside(&mut self) -> Result<(), DemoError> {
        self.begin("A housing team asks about her, and about a person nobody knows")?;
        let mut housing = self.client("council-housing", None).await?;
        self.told
            .does("K. Brandt in council housing asks about both, one after the other.")?;
        let path = "/v1/assessments/query";
        let mut compared = 0;
        let (about_her, about_nobody) = loop {
            let first = housing.post(path, &question(&her())).await?;
            let second = housing.post(path, &question(&nobody())).await?;
            compared += 1;
            if boundary(first.took) == boundary(second.took) || compared == COMPARED_MAX {
                break (first, second);
            }
        };
        self.note("k-brandt", "query_assessments", &about_her);
        self.note("k-brandt", "query_assessments", &about_nobody);
        self.told
            .sees("K. Brandt", about_her.text("/says").unwrap_or_default())?;
        self.nothing = about_her.bare();
        self.told.so(
            about_her.result() == "nothing-to-show" && about_her.bare() == about_nobody.bare(),
            "Both answers are the same, byte for byte, but for date, support code and receipt.",
        )?;
        self.told.so(
            about_her.bytes.len() == about_nobody.bytes.len(),
            &format!(
                "They have the same size: {} and {} bytes.",
                about_her.bytes.len(),
                about_nobody.bytes.len()
            ),
        )?;
        self.told.so(
            boundary(about_her.took) == boundary(about_nobody.took),
            &format!(
                "They took the same time: both left {} ms after the question had come.",
                boundary(about_her.took) * BOUNDARY_MS
            ),
        )?;
        let mut tainted = self.client("council-nrpf", None).await?;
        let said = tainted.post(path, &question(&her())).await?;
        self.note("d-quill", "query_assessments", &said);
        self.told.so(
            said.bare() == self.nothing,
            "So is the answer to the council's team that works with the Home Office.",
        )?;
        Ok(())
    }

    /// 7: her word counts now.
    pub(super) async fn withdraw(&mut self) -> Result<(), DemoError> {
        self.begin("She changes her mind, and that counts at once")?;
        let mut helpline = self.client("harbour", None).await?;
        self.told.does(
            "Amina Karim telephones another charity, Harbour Advocacy: nobody is to read earlier \
             assessments of her. J. Pell takes it down; no reason is asked.",
        )?;
        let body = json!({
            "identity": her(), "scope": "purpose", "purposes": ["prior_assessment"],
            "channel": "telephone",
        });
        let said = helpline.post("/v1/withdrawals", &body).await?;
        self.note("j-pell", "withdraw", &said);
        self.told
            .sees("J. Pell", said.text("/says").unwrap_or_default())?;
        self.told.so(
            said.status == 200 && said.result() == "withdrawn",
            "It is in force, whatever any service holds.",
        )?;
        let mut desk = self.client("larkfield", None).await?;
        self.told
            .does("R. Osei, who was shown the assessment in step 5, asks once more.")?;
        let said = desk
            .post("/v1/assessments/query", &question_of(&json!(self.person)))
            .await?;
        self.note("r-osei", "query_assessments", &said);
        self.told.so(
            said.bare() == self.nothing,
            "The answer is the one that housing got about a person nobody knows, byte for byte.",
        )?;
        Ok(())
    }

    /// 8: the emergency view, and who is told of it.
    pub(super) async fn break_the_glass(&mut self) -> Result<(), DemoError> {
        self.begin(
            "03:00 in the emergency department: she is unconscious, and the glass is broken",
        )?;
        let sister = Some(("sister-doyle", Role::EdSenior));
        let mut ward = self.client("st-hildas", sister).await?;
        self.told
            .does("Sister Doyle, in charge at St Hilda's, gives the reason.")?;
        let said = ward.post("/v1/emergency", &emergency(false)).await?;
        self.note("sister-doyle", "break_glass", &said);
        let told: Vec<&str> = said
            .list("/told")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        self.told.sees(
            "Sister Doyle",
            &format!("These will be told: {}.", told.join(", ")),
        )?;
        self.told.so(
            said.status == 428 && told.len() >= 3,
            "First she reads who will be told. Nothing is opened yet.",
        )?;
        self.told.does("She confirms.")?;
        let said = ward.post("/v1/emergency", &emergency(true)).await?;
        self.note("sister-doyle", "break_glass", &said);
        let whole = String::from_utf8_lossy(&said.bytes).into_owned();
        let grade = find(&said.body, "grade").unwrap_or_default();
        let safe = find(&said.body, "safe_person").unwrap_or_default();
        let phone = find(&said.body, "safe_person_phone").unwrap_or_default();
        let keep_from = said.text("/safety/0/do_not_tell/0").unwrap_or_default();
        let line = said.text("/service_lines/0").unwrap_or_default();
        let row = format!(
            "Risk {grade}. Do not tell or let in: {keep_from}. Safe: {safe}, {phone}. To call: \
             {line}."
        );
        self.told.sees("Sister Doyle", &row)?;
        let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
        let shown = grade == "high"
            && whole.contains(DO_NOT_TELL)
            && digits(&phone).ends_with(digits(SAFE_PHONE).get(1..).unwrap_or_default())
            && whole.contains(DUTY_LINE);
        self.told.so(
            said.result() == "emergency-view" && shown,
            "The emergency view: how high the risk is, whom to keep out, whom to call.",
        )?;
        let none = [
            NEUTRAL_NOTE,
            "visa",
            FAMILY_NAME,
            "postcode",
            CHARITY,
            "library card",
        ];
        self.told.so(
            none.iter().all(|secret| !whole.contains(secret)),
            "And nothing else: no address, no note, no name of a service.",
        )?;
        let mut informed = 0;
        for bundle in ["st-hildas-ig", "st-hildas-caldicott", "reviewer"] {
            let (_, said) = self.queue(bundle).await?;
            let opened =
                |item: &&Value| item.get("code").and_then(Value::as_str) == Some("btg.opened");
            informed += said.list("/items").iter().filter(opened).count().min(1);
        }
        self.told.so(
            informed == 3,
            "Three people find it on their desk: the IG officer, the Caldicott Guardian, the \
             independent reviewer.",
        )?;
        Ok(())
    }

    /// 9: who cannot come in.
    pub(super) async fn keep_out(&mut self) -> Result<(), DemoError> {
        self.begin("The Home Office cannot come in")?;
        self.told.does(
            "O. Bright, the operator, proposes a law centre. An organisation comes in only when a \
             person of another one approves: H. Lindqvist, IG officer at St Hilda's, does.",
        )?;
        let mut operator = self.signed_in("operator").await?;
        let centre = self.borough.law_centre()?;
        let body = json!({ "change": "enrol_organisation", "organisation": centre });
        let proposed = operator.post("/v1/proposals", &body).await?;
        self.note("o-bright", "propose", &proposed);
        let mut officer = self.signed_in("st-hildas-ig").await?;
        let listed = officer.get("/v1/proposals").await?;
        let waiting = listed
            .list("/proposals")
            .iter()
            .find(|proposal| proposal.to_string().contains("quayside"));
        let id = waiting
            .and_then(|proposal| proposal.get("id"))
            .and_then(Value::as_str)
            .unwrap_or_default();
        let approved = officer
            .post(&format!("/v1/approvals/{id}"), &json!({}))
            .await?;
        self.note("h-lindqvist", "approve", &approved);
        let mut centre = self.client("quayside", None).await?;
        let me = centre.get("/v1/me").await?;
        self.told.so(
            proposed.status == 201
                && approved.result() == "approved"
                && me.text("/organisation") == Some("quayside"),
            "Two people of two organisations agree: the law centre is in.",
        )?;
        self.told
            .does("O. Bright proposes \"Home Office, Immigration Enforcement\" in the same way.")?;
        let body = json!({ "change": "enrol_organisation", "organisation": {
            "id": "ie-liaison", "name": "Home Office, Immigration Enforcement",
            "kind": "local_authority", "teams": [{ "id": "liaison", "name": "Liaison" }],
        }});
        let said = operator.post("/v1/proposals", &body).await?;
        self.note("o-bright", "propose", &said);
        self.told
            .sees("O. Bright", said.text("/detail").unwrap_or_default())?;
        self.told.so(
            said.result() == "not-enrollable",
            "It is refused before anyone could approve it. There is no kind of organisation for it.",
        )?;
        self.told
            .does("Someone writes a policy that would let such an organisation read.")?;
        let why = match bad_policies() {
            Ok(()) => String::new(),
            Err(bad) => bad,
        };
        self.told.row(&why)?;
        self.told.so(
            why.contains("99-liaison.cedar"),
            "The set of policies does not load, and says which file is at fault.",
        )?;
        Ok(())
    }

    /// 10: three ways to find out where she is.
    pub(super) async fn press(&mut self) -> Result<(), DemoError> {
        self.begin("PC Ward is pressed: where is she? He tries three ways")?;
        let mut officer = self.client("met", None).await?;
        self.told
            .does("He refers her again, to another service, to see who has her already.")?;
        let reported = self.started.plus_hours(-2);
        let body = referral(OTHER_SERVICE, &her(), reported, None);
        let again = officer.post("/v1/referrals", &body).await?;
        self.note("pc-ward", "offer_referral", &again);
        let whole = String::from_utf8_lossy(&again.bytes).into_owned();
        self.told.so(
            again.status == 201
                && again.result() == "offered"
                && again.text("/status") == Some("recorded")
                && !whole.contains(CHARITY),
            "He is told what he is always told: recorded.",
        )?;
        self.told
            .does("He asks for her assessments, and says that it is to support her.")?;
        let body = question(&her()).to_string().into_bytes();
        let lie = officer
            .ask(Ask {
                path: "/v1/assessments/query",
                body: Some(body),
                purpose: Some("support"),
                ..Ask::default()
            })
            .await?;
        self.note("pc-ward", "query_assessments", &lie);
        self.told
            .sees("PC Ward", lie.text("/detail").unwrap_or_default())?;
        self.told
            .so(lie.status == 403, "Police never ask that, for any purpose.")?;
        self.told.does("He tries to break the glass.")?;
        let glass = officer.post("/v1/emergency", &emergency(true)).await?;
        self.note("pc-ward", "break_glass", &glass);
        self.told
            .sees("PC Ward", glass.text("/detail").unwrap_or_default())?;
        self.told
            .so(glass.status == 403, "Police never break it.")?;
        let desks = [
            ("met-ig", "the police's own IG officer"),
            ("larkfield-ig", "the charity's IG officer"),
            ("reviewer", "the independent reviewer"),
        ];
        let mut says = String::new();
        for (bundle, who) in desks {
            let (_, said) = self.queue(bundle).await?;
            let red: Vec<&Value> = said
                .list("/items")
                .iter()
                .filter(|item| item.get("severity").and_then(Value::as_str) == Some("red"))
                .collect();
            let item = red.first().copied().cloned().unwrap_or_default();
            let text = item.get("says").and_then(Value::as_str);
            text.unwrap_or_default().clone_into(&mut says);
            self.told.so(
                red.len() == 1 && says.contains("3 tries"),
                &format!("One red item for {who}."),
            )?;
        }
        self.told.sees("Each of them", &says)?;
        self.told.row("One organisation alone cannot bury it.")?;
        Ok(())
    }
}

/// In which tenth of a second after the question the answer left.
const fn boundary(took: Duration) -> u128 {
    took.as_millis() / BOUNDARY_MS
}

/// The shipped policies with one file more, which would let the Home Office read.
fn bad_policies() -> Result<(), String> {
    let (schema, shipped) = Policies::shipped_files();
    let mut files = shipped.to_vec();
    let bad = "@id(\"liaison.reads\")\n@says(\"Let the Home Office read.\")\npermit (principal, \
               action == Action::\"query_assessments\", resource)\nwhen { \
               principal.organisation.kind == OrgKind::\"immigration_enforcement\" };\n";
    files.push(("99-liaison.cedar", bad));
    match Unproved::load(schema, &files) {
        Ok(_) => Ok(()),
        Err(bad) => Err(bad.problems.first().cloned().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_lets_the_home_office_read_does_not_load() {
        let why = bad_policies().unwrap_err();
        assert!(why.contains("99-liaison.cedar"), "{why}");
    }

    #[test]
    fn a_reply_leaves_in_one_tenth_of_a_second_or_another() {
        assert_eq!(boundary(Duration::from_millis(101)), 1);
        assert_eq!(boundary(Duration::from_millis(199)), 1);
        assert_eq!(boundary(Duration::from_millis(200)), 2);
    }
}
