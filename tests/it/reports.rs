//! What is written about the log: the report that a woman asks for about herself, end to end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::fs;
use std::process::Command;

use firedoor::domain::codes::Role;
use firedoor::domain::receipt::Receipt;
use firedoor::ops::clock::now;
use firedoor::ops::demo::borough::{CHARITY, SERVICE};
use firedoor::ops::demo::people::{
    FAMILY_NAME, GIVEN_NAME, NHS_NUMBER, assessment, consent_to_ask, emergency, her, nobody,
    question, referral,
};
use serde_json::{Value, json};

use super::pages::Visitor;
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
    let ask = json!({
        "person": person, "consent": consent_to_ask(ago(1)), "step": "cards", "onward_rule_accepted": true,
    });
    let shown = adviser.post("/v1/assessments/query", &ask).await;
    assert_eq!(shown.result(), "assessments", "{}", shown.body);
    let council = town.desk("council-housing").await;
    let told = council
        .post("/v1/assessments/query", &question(&her()))
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
    // Where a line ends depends on the length of today's date.
    words.join("\n").replace("\n  ", " ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn she_is_told_who_was_told_and_nobody_else_is_told_anything() {
    let town = Town::start().await;
    story(&town).await;
    let reviewer = town.signed_in("reviewer").await;
    insta::assert_snapshot!(undated(&report(&reviewer, &her()).await), @"
    WHAT WE HOLD ABOUT YOU

    Made on [day] by Independent reviewer.

    To be given to you in person. Nobody may post it, email it or leave it
    for you. Keep it only where it is safe. You can ask us to keep it for
    you.

    Services that help people use a shared system. With it they ask each
    other to help you. The system writes down each time someone uses it
    about you. This page says what is written there. It does not say where
    you live. It does not say what you told anyone.


    What is held about you
    ----------------------

    * Metropolitan Police asked a service to help you, on [day].
    * A specialist service was asked to help you, on [day].
    * St Hilda's Hospital wrote down answers you gave about your safety and your needs, on [day]. They are locked. Ask St Hilda's Hospital to read them with you.


    Who did what, and who was told something
    ----------------------------------------

    * [day]: St Hilda's Hospital wrote down answers you gave about your safety and your needs. Why: to support you. What gave it the right: you agreed.
    * [day]: Metropolitan Police asked a service to help you. It did not say who you are. Why: to find you help. What gave it the right: you agreed.
    * [day]: A specialist service agreed to help you. It was told: your name and date of birth, how to reach you safely, which language you want to speak and a note. Why: to support you. What gave it the right: you agreed.
    * [day]: A specialist service read in short what others had found, so that you need not say it all again. It was told: answers about your health and safety. Why: to support you. What gave it the right: you agreed.


    Emergencies
    -----------

    * [day]: St Hilda's Hospital opened some of your details without asking you first. It said: you could not be asked, and you might have been hurt. It was told: what kind of help you need, how to reach you safely, answers about your health and safety and which language you want to speak. Why: someone may have been in danger. What gave it the right: the law lets it when someone is in danger. This is only for danger. Someone else must check each time, within three days, if it was right.


    Who asked and was told nothing
    ------------------------------

    * A council: [day].


    What you agreed to, and what you stopped
    ----------------------------------------

    * [day]: you agreed to sharing what kind of help you need and answers about your health and safety. St Hilda's Hospital wrote it down. It ends on [day], or where you stopped it: see below.
    * [day]: you agreed to sharing what kind of help you need, your name and date of birth, how to reach you safely, which language you want to speak and a note. Metropolitan Police wrote it down. It ends on [day], or where you stopped it: see below.
    * [day]: you agreed to sharing what kind of help you need and answers about your health and safety. A specialist service wrote it down. It ends on [day], or where you stopped it: see below.
    * [day]: you told Harbour Advocacy to stop sharing that is done so that you need not say it all again. From that moment it was stopped.

    You can change your mind at any time. You need no reason.


    What is not on this page
    ------------------------

    The names of workers are left out. You can ask for one, and say why you
    need it.

    Some services are called 'a specialist service', so that nobody who
    finds this page can tell where you get help.

    Harbour Advocacy has its own file. It has not answered.

    Metropolitan Police has its own file. It has not answered.

    St Hilda's Hospital has its own file. It has not answered.

    A specialist service has its own file. It has not answered.

    Counts are made from this system, such as how many people asked for
    help. Nobody can see you in them.


    If you think something is wrong
    -------------------------------

    * Tell Independent reviewer first. It must tell you within 30 days that it has your complaint.
    * You can also tell the Information Commissioner's Office. It checks how people's details are used, and it is free. Phone 0303 123 1113, or see ico.org.uk/make-a-complaint.
    * You can ask a support worker or a solicitor to do this for you.
    ");

    // The charity's own part: what its staff did, what others did to its people.
    let charity = town.signed_in("larkfield-ig").await;
    let own = report(&charity, &her()).await;
    let text = own.text("/report").unwrap();
    assert!(
        text.contains("by the service that gave you this page"),
        "{text}"
    );
    assert!(
        !text.contains("Larkfield") && !text.contains("r-osei"),
        "{text}"
    );
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
        .post("/v1/assessments/query", &question(&nobody()))
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

/// A command of the shell, as an IG officer types it.
async fn command(town: &Town, bundle: &str, args: &[&str]) -> (bool, String) {
    let url = format!("https://localhost:{}", town.address().port());
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedoor"));
    command.arg("audit").args(args).args(["--url", &url]);
    command.arg("--bundle").arg(town.bundle(bundle));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), format!("{said}{wrong}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_officer_finds_what_she_looks_for_and_hands_it_on_with_its_proofs() {
    let town = Town::start().await;
    story(&town).await;
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);

    // By organisation, purpose and identity; the person by the name that entries give her.
    let reviewer = town.signed_in("reviewer").await;
    let of = async |filter: &str| {
        let said = reviewer.get(&format!("/v1/audit/entries?{filter}")).await;
        assert_eq!(said.status, 200, "{}", said.body);
        said.list("/entries").to_vec()
    };
    let police = of("organisation=met").await;
    assert!(!police.is_empty() && police.iter().all(|entry| entry["organisation"] == "met"));
    let asserted = of("identity=asserted").await;
    assert!(
        asserted
            .iter()
            .all(|entry| entry["identity"] == "asserted by system")
    );
    let proved = of("identity=proved").await;
    assert!(!proved.is_empty() && !asserted.is_empty());
    assert!(
        proved
            .iter()
            .all(|entry| entry["identity"] == "proved person")
    );
    let worker = of("organisation=larkfield&user=r-osei").await;
    assert!(worker.len() >= 3 && worker.iter().all(|entry| entry["user"] == "r-osei"));
    let person = police[0]["decided"]["person"].as_str().unwrap();
    let about = of(&format!("person={person}")).await;
    let actions: Vec<&str> = about
        .iter()
        .filter_map(|one| one["action"].as_str())
        .collect();
    for action in [
        "offer_referral",
        "accept_referral",
        "break_glass",
        "withdraw",
    ] {
        assert!(actions.contains(&action), "{action}: {actions:?}");
    }
    // Another organisation's name for her is nobody's here.
    let charity = town.signed_in("larkfield-ig").await;
    let elsewhere = charity
        .get(&format!("/v1/audit/entries?person={person}"))
        .await;
    assert_eq!(elsewhere.list("/entries").len(), 0);
    let wrong = reviewer.get("/v1/audit/entries?identity=maybe").await;
    assert_eq!(wrong.status, 422, "{}", wrong.body);

    // Evidence opens on each side what that side may open.
    let opened = async |desk: &Desk, index: u64| {
        let said = desk
            .get(&format!("/v1/audit/entries/{index}/evidence"))
            .await;
        assert_eq!(said.status, 200, "{}", said.body);
        said.text("/entries/0/evidence").map(|text| {
            let receipt = Receipt::parse(text).unwrap();
            assert_eq!(receipt.proof.index, index);
            assert!(receipt.request_salt.is_none());
            assert!(receipt.opened.iter().all(|part| part.verify(&receipt.leaf)));
            receipt
                .opened
                .iter()
                .map(|part| part.part.name())
                .collect::<Vec<_>>()
        })
    };
    let find = |action: &str, user: &str| {
        let found = about
            .iter()
            .find(|one| one["action"] == action && one["user"] == user);
        found.unwrap()["entry"].as_u64().unwrap()
    };
    let accepted = find("accept_referral", "r-osei");
    let broken = find("break_glass", "sister-doyle");
    assert_eq!(
        opened(&reviewer, accepted).await.unwrap(),
        ["who", "why", "what", "decided"]
    );
    assert_eq!(
        opened(&charity, accepted).await.unwrap(),
        ["who", "why", "what"]
    );
    let police = town.signed_in("met-ig").await;
    assert_eq!(opened(&police, accepted).await, None);
    assert_eq!(opened(&police, broken).await, None);
    assert_eq!(opened(&police, 9_999_999).await, None);

    // The folder of evidence, checked by someone else's program.
    let her_file = at("her.json");
    fs::write(&her_file, her().to_string()).unwrap();
    let her_file = her_file.to_str().unwrap();
    let folder = at("evidence");
    let folder_text = folder.to_str().unwrap();
    let args = ["bundle", folder_text, "--subject", her_file];
    let (done, said) = command(&town, "st-hildas-ig", &args).await;
    assert!(done, "{said}");
    let readme = fs::read_to_string(folder.join("README.txt")).unwrap();
    assert!(readme.contains("firedoor-verify bundle"), "{readme}");
    let key = at("vkey");
    let vkey = town.running.app.gateway.vkey();
    fs::write(&key, vkey).unwrap();
    let verified = Command::new(env!("CARGO_BIN_EXE_firedoor-verify"))
        .args(["bundle", folder_text, "--key"])
        .arg(&key)
        .output()
        .unwrap();
    let verdict = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(verified.status.success(), "{verdict}");
    let again = command(&town, "st-hildas-ig", &args).await;
    assert!(!again.0 && again.1.contains("not empty"), "{}", again.1);

    // Nothing that names her leaves, in any form.
    let mut all = Vec::new();
    for format in ["fhir", "ocsf", "csv"] {
        let (done, said) = command(&town, "st-hildas-ig", &["export", "--format", format]).await;
        assert!(done && said.len() > 500, "{said}");
        all.push(said);
    }
    let (done, said) = command(&town, "st-hildas-ig", &["user", "sister-doyle"]).await;
    assert!(done && said.contains("break_glass"), "{said}");
    all.push(said);
    for page in ["list", "queue"] {
        let (done, said) = command(&town, "st-hildas-ig", &[page]).await;
        assert!(done && said.len() > 200, "{page}: {said}");
        all.push(said);
    }
    // The charity holds her name; its officer is told of its workers, not of her.
    for desk in [&charity, &reviewer, &police] {
        for path in ["/v1/audit/entries", "/v1/audit/queue"] {
            let said = desk.get(path).await;
            assert_eq!(said.status, 200, "{}", said.body);
            all.push(said.whole());
        }
    }
    let receipts = fs::read_dir(folder.join("entries")).unwrap();
    let before = all.len();
    for file in receipts {
        all.push(fs::read_to_string(file.unwrap().path()).unwrap());
    }
    assert!(all.len() > before + 1, "no evidence was looked at");
    let (done, said) = command(&town, "st-hildas-ig", &["subject", her_file]).await;
    assert!(done && said.contains("break_glass"), "{said}");
    all.push(said);
    let month = &now().rfc3339()[..7];
    let (done, said) = command(&town, "st-hildas-ig", &["figures", month]).await;
    assert!(done && said.contains("emergencies: 1"), "{said}");
    all.push(said);
    let (done, said) = command(&town, "st-hildas-ig", &["report", her_file]).await;
    assert!(
        done && said.starts_with("WHAT WE HOLD ABOUT YOU\n"),
        "{said}"
    );
    all.push(said);
    for text in all {
        for secret in [
            FAMILY_NAME,
            GIVEN_NAME,
            NHS_NUMBER,
            "900123",
            "library card",
        ] {
            assert!(!text.contains(secret), "{secret}");
        }
    }
    town.stop().await;
}

/// A month of a busy service is more than one answer opens: the rest is counted behind it, and who asks
/// again is told how far it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_month_is_counted_behind_the_answer_and_comes_out_whole() {
    const ASKED: u64 = 1_700;
    let town = Town::start().await;
    let charity = town.desk("larkfield").await;
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..ASKED {
        let charity = charity.clone();
        asked.spawn(async move { charity.get("/v1/returns?quarter=2026-Q1").await.status });
    }
    while let Some(status) = asked.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
    let mut officer = Visitor::sign_in(&town, "larkfield-ig").await;
    let page = officer.get("/figures").await;
    for part in ["This month is being counted.", "% counted", "Look again"] {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    // Half of a month is not handed out as a file of it.
    let file = officer.get("/figures?as=csv").await;
    let all = format!("own_staff.by_action,read_return,{ASKED}\r\n");
    let whole = file.html.contains(&all);
    assert!(
        whole || file.text.contains("being counted"),
        "{}",
        file.html
    );
    // Nor by the API: the reviewer's view is another one, and not begun.
    let month = &now().rfc3339()[..7];
    let path = format!("/v1/audit/figures?month={month}");
    let reviewer = town.signed_in("reviewer").await;
    let said = reviewer.get(&path).await;
    let figures = &said.body["figures"];
    assert_eq!(figures["whole"], false, "{}", said.whole());
    assert!(
        figures["percent"]
            .as_u64()
            .is_some_and(|percent| percent < 100)
    );
    assert!(figures["own_staff"].is_null() && figures["others"].is_null());
    let mut looks = 2;
    let page = loop {
        let page = officer.get("/figures").await;
        looks += 1;
        if !page.text.contains("being counted") {
            break page;
        }
        assert!(looks < 1_000, "it is never whole: {}", page.text);
    };
    assert!(
        page.text.contains("attempts of your own workers"),
        "{}",
        page.text
    );
    let api = town.signed_in("larkfield-ig").await;
    let said = api.get(&path).await;
    let figures = &said.body["figures"];
    assert_eq!(figures["whole"], true, "{}", said.whole());
    assert_eq!(figures["own_staff"]["by_action"]["read_return"], ASKED);
    // The same blocks tell what happened since Friday.
    let queue = api.get("/v1/audit/queue").await;
    let since = &queue.body["since_friday"];
    assert_eq!(since["complete"], true, "{}", queue.whole());
    assert!(since["percent"].is_null());
    town.stop().await;
}

/// More entries than a backend opens in one go: a week of a busy service is thousands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_officer_of_a_busy_service_reads_her_queue_and_her_month() {
    let town = Town::start().await;
    let charity = town.desk("larkfield").await;
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..300 {
        let charity = charity.clone();
        asked.spawn(async move { charity.get("/v1/inbox").await.status });
    }
    while let Some(status) = asked.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
    let month = now().rfc3339();
    let figures = format!("/v1/audit/figures?month={}", &month[..7]);
    for bundle in ["larkfield-ig", "reviewer"] {
        let officer = town.signed_in(bundle).await;
        for path in ["/v1/audit/queue", &figures] {
            let said = officer.get(path).await;
            assert_eq!(said.status, 200, "{bundle} {path}: {}", said.whole());
            assert!(
                said.whole().contains("30"),
                "{bundle} {path}: {}",
                said.whole()
            );
        }
    }
    town.stop().await;
}
