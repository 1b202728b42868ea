//! What is written about the log: the report that a woman asks for about herself, end to end.

use firedoor::domain::codes::Role;
use firedoor::ops::clock::now;
use firedoor::ops::demo::borough::{CHARITY, SERVICE};
use firedoor::ops::demo::people::{assessment, consent_to_ask, emergency, her, nobody, referral};
use serde_json::{Value, json};

use super::town::{Desk, Said, Town, ago};

/// What the demonstration's story does: referred, accepted, assessed, asked about, told nothing,
/// an emergency, a withdrawal.
async fn story(town: &Town) {
    let done = |said: &Said| assert!(said.status < 300, "{}", said.body);
    let hospital = town.desk("st-hildas").await;
    done(
        &hospital
            .post("/v1/assessments", &assessment(ago(3), CHARITY))
            .await,
    );
    let police = town.desk("met").await;
    let sent = referral(SERVICE, &her(), ago(2), Some("Please call before noon."));
    done(&police.post("/v1/referrals", &sent).await);
    let charity = town.desk("larkfield").await.as_user("r-osei", Role::Triage);
    let inbox = charity.get("/v1/inbox").await;
    let offer = inbox.list("/offers")[0]["id"].as_str().unwrap().to_owned();
    let accept = json!({ "worker": "r-osei", "onward_rule_accepted": true });
    let accepted = charity
        .post(&format!("/v1/referrals/{offer}/accept"), &accept)
        .await;
    done(&accepted);
    let person = &accepted.body["person"];
    let adviser = town.desk("larkfield").await;
    let ask = json!({ "person": person, "consent": consent_to_ask(ago(1)) });
    let shown = adviser.post("/v1/assessments/query", &ask).await;
    assert_eq!(shown.result(), "assessments", "{}", shown.body);
    let council = town.desk("council-housing").await;
    let told = council
        .post("/v1/assessments/query", &json!({ "identity": her() }))
        .await;
    assert_eq!(told.result(), "nothing-to-show");
    let senior = town
        .desk("st-hildas")
        .await
        .as_user("sister-doyle", Role::EdSenior);
    let asked = senior.post("/v1/emergency", &emergency(false)).await;
    assert_eq!(asked.result(), "confirm-emergency", "{}", asked.body);
    done(&senior.post("/v1/emergency", &emergency(true)).await);
    let stop = json!({
        "identity": her(), "scope": "purpose", "purposes": ["prior_assessment"],
        "channel": "telephone",
    });
    done(
        &town
            .desk("harbour")
            .await
            .post("/v1/withdrawals", &stop)
            .await,
    );
}

async fn report(desk: &Desk, identity: &Value) -> Said {
    let body = json!({ "identity": identity, "identity_checked": true });
    let said = desk
        .post_bytes("/v1/audit/reports", &[], body.to_string())
        .await;
    assert_eq!(said.status, 200, "{}", said.body);
    said
}

fn undated(said: &Said) -> String {
    let text = said.text("/report").expect("a report");
    let year: i64 = now().rfc3339()[..4].parse().unwrap();
    let words: Vec<String> = text
        .lines()
        .map(|line| {
            let mut line = line.to_owned();
            for year in [year, year + 1] {
                let months = [
                    "January",
                    "February",
                    "March",
                    "April",
                    "May",
                    "June",
                    "July",
                    "August",
                    "September",
                    "October",
                    "November",
                    "December",
                ];
                for month in months {
                    let tail = format!(" {month} {year}");
                    while let Some(at) = line.find(&tail) {
                        let head = line[..at].trim_end_matches(|c: char| c.is_ascii_digit());
                        line = format!("{head}[day]{}", &line[at + tail.len()..]);
                    }
                }
            }
            line
        })
        .collect();
    words.join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn she_is_told_who_was_told_and_nobody_else_is_told_anything() {
    let town = Town::start().await;
    story(&town).await;
    let reviewer = town.signed_in("reviewer").await;
    insta::assert_snapshot!(undated(&report(&reviewer, &her()).await), @"");

    // The charity's own part: what its staff did, what others did to its people.
    let charity = town.signed_in("larkfield-ig").await;
    let own = report(&charity, &her()).await;
    let text = own.text("/report").unwrap();
    assert!(text.contains("Larkfield"), "{text}");
    assert!(!text.contains("r-osei"), "{text}");
    // The police learn what their own officer did, and nothing of what came of it.
    let police = town.signed_in("met-ig").await;
    let theirs = report(&police, &her()).await;
    let text = undated(&theirs);
    assert!(
        text.contains("Metropolitan Police asked a service to help you"),
        "{text}"
    );
    for other in ["Larkfield", "Hilda", "Harbour", "Lowmarsh", "pc-ward"] {
        assert!(!text.contains(other), "{other}: {text}");
    }

    // A stranger, her husband at the same telephone, and she herself where nobody checked that it is
    // she: one answer, in every byte outside the fields that P5 names.
    let husband = json!({
        "given_name": "Imran", "family_name": "Karim", "birth_date": "1988-01-20",
        "phone": ["07700 900123"],
    });
    let nothing = report(&reviewer, &nobody()).await;
    assert_eq!(nothing.result(), "nothing-to-show");
    let unchecked = json!({ "identity": her() }).to_string();
    let unchecked = reviewer
        .post_bytes("/v1/audit/reports", &[], unchecked)
        .await;
    let council = town.desk("council-housing").await;
    let asked = council
        .post("/v1/assessments/query", &json!({ "identity": nobody() }))
        .await;
    assert_eq!(asked.result(), "nothing-to-show");
    // The second time as the first: having looked leaves nothing that would tell.
    for other in [
        report(&reviewer, &husband).await,
        report(&reviewer, &husband).await,
        unchecked,
    ] {
        assert_eq!(other.silent(), nothing.silent());
        assert_eq!(other.bytes.len(), nothing.bytes.len());
    }
    // The reports themselves are in the log, and only their makers' offices see them.
    let entries = police.get("/v1/audit/entries?action=report_subject").await;
    assert_eq!(entries.list("/entries").len(), 1, "{}", entries.body);
    assert_eq!(entries.list("/entries")[0]["told"], "report");
    town.stop().await;
}
