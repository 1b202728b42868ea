//! Steps 1 to 5: what she wants passed on is passed on, and nothing else.

use std::io::Write;

use serde_json::{Value, json};

use super::Story;
use crate::domain::codes::Role;
use crate::ops::demo::DemoError;
use crate::ops::demo::borough::{CHARITY, SERVICE};
use crate::ops::demo::people::{
    DO_NOT_TELL, FAMILY_NAME, GIVEN_NAME, HER_PHONE, NEUTRAL_NOTE, NHS_NUMBER, NOTE, assessment,
    consent_to_ask, her, referral,
};

impl<W: Write> Story<'_, W> {
    /// 1: the words are held, the woman is not.
    pub(super) async fn refer(&mut self) -> Result<(), DemoError> {
        self.begin("An officer refers a woman, and writes too much")?;
        self.told.does(
            "PC Ward, Metropolitan Police, meets Amina Karim. She agrees to be referred to \
             \"Service 14\". He sends the referral with a note:",
        )?;
        self.told.row(&format!("\"{NOTE}\""))?;
        let mut officer = self.client("met", None).await?;
        let reported = self.started.plus_hours(-2);
        let body = referral(SERVICE, &her(), reported, Some(NOTE));
        let said = officer.post("/v1/referrals", &body).await?;
        self.note("pc-ward", "offer_referral", &said);
        self.sent = said.text("/id").unwrap_or_default().to_owned();
        let reference = said.text("/reference").unwrap_or("none").to_owned();
        let made = said.status == 201 && said.result() == "offered" && !self.sent.is_empty();
        self.told.so(
            made,
            &format!("The offer went on at once, without the note. Reference {reference}."),
        )?;
        let held = said.text("/held/says").unwrap_or_default();
        self.told.sees("PC Ward", held)?;
        let words = said.list("/held/words");
        let named = words.iter().filter_map(Value::as_str);
        let named = named.into_iter().any(|words| words.contains("visa"));
        self.told.so(
            named,
            "He is shown the words that were found; nobody else is.",
        )?;
        let neutral = said.text("/held/suggestion").unwrap_or_default();
        self.told.sees("PC Ward", neutral)?;
        self.told.so(
            !neutral.is_empty(),
            "And he is told how to say what she needs.",
        )?;
        Ok(())
    }

    /// 2: the note, so worded.
    pub(super) async fn reword(&mut self) -> Result<(), DemoError> {
        self.begin("He sends the note again, in neutral words")?;
        let mut officer = self.client("met", None).await?;
        self.told
            .does(&format!("PC Ward writes: \"{NEUTRAL_NOTE}\""))?;
        let path = format!("/v1/referrals/{}/note", self.sent);
        let said = officer
            .post(&path, &json!({ "note": NEUTRAL_NOTE }))
            .await?;
        self.note("pc-ward", "add_note", &said);
        let taken =
            said.status == 200 && said.result() == "noted" && said.text("/held/says").is_none();
        self.told
            .so(taken, "This note is taken, and nothing is held.")?;
        self.receipt = said.text("/receipt").unwrap_or_default().to_owned();
        self.told.so(
            !self.receipt.is_empty(),
            "He has a receipt: proof that what he did is in the log (step 12 checks it).",
        )?;
        let said = officer.get(&format!("/v1/referrals/{}", self.sent)).await?;
        self.note("pc-ward", "read_referral_status", &said);
        let due = said.text("/referral/pass_on_by/date").unwrap_or_default();
        self.told.so(
            due.len() == 10 && said.text("/referral/status") == Some("recorded"),
            &format!("The Victims' Code deadline stands beside it: pass on by the end of {due}."),
        )?;
        Ok(())
    }

    /// 3: an offer without a name.
    pub(super) async fn look(&mut self) -> Result<(), DemoError> {
        self.begin("The charity sees the offer, and no identity in it")?;
        let mut desk = self
            .client("larkfield", Some(("r-osei", Role::Triage)))
            .await?;
        self.told
            .does("R. Osei at the charity behind \"Service 14\" opens the inbox.")?;
        let said = desk.get("/v1/inbox").await?;
        self.note("r-osei", "read_inbox", &said);
        let offers = said.list("/offers");
        let one = offers.len() == 1;
        let offer = offers.first().cloned().unwrap_or_default();
        let text = |name: &str| offer.get(name).and_then(Value::as_str).unwrap_or_default();
        self.offer = text("id").to_owned();
        let needs: Vec<&str> = offer
            .get("needs")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let row = format!(
            "One offer: {}, urgency {}, needs {}, area {}.",
            text("offence_group").replace('_', " "),
            text("urgency"),
            needs.join(" and ").replace('_', " "),
            text("area"),
        );
        self.told.sees("R. Osei", &row)?;
        let whole = String::from_utf8_lossy(&said.bytes).into_owned();
        let secrets = [
            GIVEN_NAME,
            FAMILY_NAME,
            NHS_NUMBER,
            "999 000 0018",
            "900123",
            "visa",
            "legal advice",
            "\"ur\"",
        ];
        let clean = secrets.iter().all(|secret| !whole.contains(secret));
        self.told.so(
            one && clean,
            "No name, no number, no language, no note, and no trace of the words of step 1.",
        )?;
        self.told.so(
            !self.offer.is_empty() && self.offer != self.sent,
            "The charity knows the referral by another name than the police do.",
        )?;
        Ok(())
    }

    /// 4: identity and safe contact, on acceptance.
    pub(super) async fn accept(&mut self) -> Result<(), DemoError> {
        self.begin("The charity accepts: now it learns who she is and how to reach her safely")?;
        let mut desk = self
            .client("larkfield", Some(("r-osei", Role::Triage)))
            .await?;
        self.told
            .does("R. Osei accepts, and agrees never to pass this on for immigration purposes.")?;
        let path = format!("/v1/referrals/{}/accept", self.offer);
        let body = json!({ "worker": "r-osei", "onward_rule_accepted": true });
        let said = desk.post(&path, &body).await?;
        self.note("r-osei", "accept_referral", &said);
        self.person = said.text("/person").unwrap_or_default().to_owned();
        let at = |pointer: &str| said.text(pointer).unwrap_or_default();
        let name = format!(
            "{} {}",
            at("/released/identity/given_name"),
            at("/released/identity/family_name")
        );
        let row = format!(
            "{name}. Call {}, {}; {}; say \"{}\".",
            at("/released/safe_contact/number"),
            at("/released/safe_contact/hours"),
            at("/released/safe_contact/who_may_answer"),
            at("/released/safe_contact/code_word"),
        );
        self.told.sees("R. Osei", &row)?;
        let number: String = HER_PHONE.chars().filter(char::is_ascii_digit).collect();
        let shown: String = at("/released/safe_contact/number")
            .chars()
            .filter(char::is_ascii_digit)
            .collect();
        // A number may be written with its country code.
        let tail = number.get(1..).unwrap_or_default();
        self.told.so(
            name == format!("{GIVEN_NAME} {FAMILY_NAME}") && shown.ends_with(tail),
            "Identity and safe contact are released, to the service that accepted and no other.",
        )?;
        self.told.so(
            at("/released/note") == NEUTRAL_NOTE,
            "With them the note, as the officer reworded it.",
        )?;
        let mut officer = self.client("met", None).await?;
        let said = officer.get(&format!("/v1/referrals/{}", self.sent)).await?;
        self.note("pc-ward", "read_referral_status", &said);
        let seen = said.text("/referral/status").unwrap_or_default();
        let whole = String::from_utf8_lossy(&said.bytes).into_owned();
        self.told.so(
            seen == "with_a_service" && !whole.contains(CHARITY),
            "The officer sees three words, \"with a service\", and not which.",
        )?;
        Ok(())
    }

    /// 5: told once.
    pub(super) async fn tell_once(&mut self) -> Result<(), DemoError> {
        self.begin("She tells it once: the hospital writes it down, the charity is shown it")?;
        let mut ward = self.client("st-hildas", None).await?;
        self.told.does(
            "Dr Adeyemi at St Hilda's assesses her risk with her. She agrees that the charity may \
             be shown it.",
        )?;
        let body = assessment(self.started.plus_hours(-1), CHARITY);
        let said = ward.post("/v1/assessments", &body).await?;
        self.note("dr-adeyemi", "record_assessment", &said);
        self.told.so(
            said.status == 201 && said.result() == "assessment-recorded",
            "The assessment is recorded, once.",
        )?;
        let mut desk = self.client("larkfield", None).await?;
        self.told
            .does("R. Osei asks, with her consent: has she been assessed before?")?;
        let path = "/v1/assessments/query";
        let ask = |step: &str| json!({ "person": self.person, "step": step, "onward_rule_accepted": true });
        let mut body = ask("exists");
        if let Value::Object(map) = &mut body {
            map.insert("consent".to_owned(), consent_to_ask(self.started));
        }
        let (cards, answers) = (ask("cards"), ask("answers"));
        let said = desk.post(path, &body).await?;
        self.note("r-osei", "query_assessments", &said);
        self.told
            .sees("R. Osei", said.text("/says").unwrap_or_default())?;
        let whole = String::from_utf8_lossy(&said.bytes).into_owned();
        self.told.so(
            said.result() == "assessment-exists" && !whole.contains("grade"),
            "First only that there is one: not whose, not what it says.",
        )?;
        let said = desk.post(path, &cards).await?;
        self.note("r-osei", "query_assessments", &said);
        let whole = String::from_utf8_lossy(&said.bytes).into_owned();
        let cards = said.list("/assessments");
        let card = cards.first().cloned().unwrap_or_default();
        let text = |name: &str| card.get(name).and_then(Value::as_str).unwrap_or_default();
        let row = format!(
            "One assessment: {}, graded {}, by a {} ({}).",
            text("instrument").replace('_', " "),
            text("grade"),
            text("assessor_role").replace('_', " "),
            text("assessor_service").replace('_', " "),
        );
        self.told.sees("R. Osei", &row)?;
        self.told.so(
            said.result() == "assessments" && cards.len() == 1 && text("grade") == "high",
            "Two organisations recorded her wish, so the charity is shown the assessment.",
        )?;
        self.told.so(
            !whole.contains(DO_NOT_TELL) && !whole.contains("900456"),
            "Not whom to keep from her, nor who is safe: that is for an emergency.",
        )?;
        let id = text("id").to_owned();
        let mut body = answers;
        if let Value::Object(map) = &mut body {
            map.insert("assessment".to_owned(), json!(id));
        }
        let said = desk.post(path, &body).await?;
        self.note("r-osei", "query_assessments", &said);
        self.told.so(
            said.result() == "assessment-answers" && said.list("/assessment/items").len() == 24,
            "Then, because she agreed to that too, each answer. Three questions, three entries.",
        )?;
        let path = format!("/v1/assessments/{id}/relied-on");
        let said = desk.post(&path, &json!({ "person": self.person })).await?;
        self.note("r-osei", "rely_on_assessment", &said);
        self.told.so(
            said.result() == "relied-on",
            "The charity relies on it. She was asked once, not twice.",
        )?;
        Ok(())
    }
}
