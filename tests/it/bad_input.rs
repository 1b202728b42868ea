//! What goes wrong at the door: strangers, broken bytes, repeats, races, a clock that jumps. Each
//! gets a clear answer that says nothing of a person, and nothing is lost.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use firedoor::domain::codes::Role;
use firedoor::domain::time::When;
use firedoor::edge::http::{self, App, Settings};
use firedoor::edge::metrics::Metrics;
use firedoor::edge::server::{self, BODY_BYTES_MAX, Replies};
use firedoor::edge::tls::{Clock, Protocol, TlsState};
use firedoor::ops::clock;
use firedoor::ops::demo::borough::{CHARITY, SERVICE, TRUST_DOMAIN};
use firedoor::ops::demo::people::{
    FAMILY_NAME, GIVEN_NAME, NHS_NUMBER, assessment, consent_to_ask, her, referral,
};
use firedoor::ops::gateway;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::town::{self, Desk, Said, Town, ago, new_key};

/// Clear, and silent about her: a problem with a title and words, none of which she gave.
fn refused(said: &Said, status: u16, code: &str) {
    assert_eq!(
        (said.status, said.result()),
        (status, code),
        "{}",
        said.body
    );
    let kind = said.headers.get("content-type").unwrap();
    assert_eq!(kind, "application/problem+json");
    assert!(said.text("/detail").unwrap().len() > 20, "{}", said.body);
    assert!(said.text("/support_code").is_some(), "{}", said.body);
    let told = said.whole();
    for secret in [GIVEN_NAME, FAMILY_NAME, NHS_NUMBER, "2012/0052494", CHARITY] {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
}

fn fields(said: &Said) -> Vec<&str> {
    let fields = said.list("/fields").iter();
    fields.filter_map(|field| field["field"].as_str()).collect()
}

fn ordinary() -> Value {
    referral(SERVICE, &her(), ago(2), None)
}

async fn offers(town: &Town) -> Vec<Value> {
    let desk = town.desk("larkfield").await.as_user("r-osei", Role::Triage);
    desk.get("/v1/inbox").await.list("/offers").to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_certificate_of_our_authority_for_someone_unknown_is_refused_and_logged() {
    let town = Town::start().await;
    let name = |rest: &str| format!("spiffe://{TRUST_DOMAIN}/org/{rest}");
    for unknown in [
        "stranger/team/response",
        // A part of an enrolled name, or more than it.
        "me/team/response",
        "metx/team/response",
        "met-response/team/response",
        "xmet/team/response",
        "met/team/respons",
        "met/team/response-2",
        // An enrolled name with a key that is not enrolled, and a person that is not.
        "met/team/response",
        "met/team/standards/user/s-mwang",
    ] {
        let person = unknown.contains("/user/");
        let user = (!person).then(|| "ref=pc-ward;role=officer".to_owned());
        let desk = town.desk_of(town.tls_for(&name(unknown)), user).await;
        let before = town.leaves();
        let said = desk.post("/v1/referrals", &ordinary()).await;
        refused(&said, 401, "certificate-not-accepted");
        assert_eq!(town.leaves(), before + 1, "{unknown}");
        assert_eq!(said.entry(), before);
        // What it is itself is all that a caller is told without an entry; here, nothing.
        let said = desk.get("/v1/me").await;
        assert_eq!(said.result(), "certificate-not-accepted", "{}", said.body);
    }
    assert!(offers(&town).await.is_empty());
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn broken_bytes_get_a_clear_answer_and_are_counted() {
    let town = Town::start().await;
    let officer = town.desk("met").await;
    let text = ordinary().to_string();
    let surrogate = text.replace("\"Amina\"", "\"\\ud800\"");
    let pair_turned_round = text.replace("\"Amina\"", "\"\\udc00\\ud800\"");
    let not_utf8 = [b"{\"service\":\"".as_slice(), &[0xC3, 0x28], b"\"}"].concat();
    let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    let deep_object = format!("{}1{}", "{\"a\":".repeat(1_000), "}".repeat(1_000));
    let cases: [(&str, Vec<u8>, u16, &str); 10] = [
        (
            "too large",
            vec![b' '; BODY_BYTES_MAX + 1_024],
            413,
            "too-large",
        ),
        ("nested", deep.into_bytes(), 422, "check-your-answers"),
        (
            "nested objects",
            deep_object.into_bytes(),
            422,
            "check-your-answers",
        ),
        (
            "a lone surrogate",
            surrogate.into_bytes(),
            422,
            "check-your-answers",
        ),
        (
            "surrogates turned round",
            pair_turned_round.into_bytes(),
            422,
            "check-your-answers",
        ),
        ("not UTF-8", not_utf8, 422, "check-your-answers"),
        (
            "half of it",
            text.as_bytes()[..text.len() / 2].to_vec(),
            422,
            "check-your-answers",
        ),
        (
            "two of it",
            format!("{text}{text}").into_bytes(),
            422,
            "check-your-answers",
        ),
        ("nothing", Vec::new(), 422, "check-your-answers"),
        ("no object", b"null".to_vec(), 422, "check-your-answers"),
    ];
    let before = town.leaves();
    for (case, bytes, status, code) in cases {
        let key = new_key();
        let headers = [("idempotency-key", key.as_str())];
        let said = officer.post_bytes("/v1/referrals", &headers, bytes).await;
        assert_eq!(said.status, status, "{case}: {}", said.body);
        refused(&said, status, code);
    }
    // One entry for each caller and minute, so that broken bytes cannot fill the log.
    let counted = town.leaves() - before;
    assert!((1..=2).contains(&counted), "{counted}");
    assert!(offers(&town).await.is_empty());
    let said = officer.post("/v1/referrals", &ordinary()).await;
    assert_eq!(said.status, 201, "{}", said.body);
    assert_eq!(offers(&town).await.len(), 1);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_wrong_answer_is_named_by_its_field_and_not_repeated() {
    let town = Town::start().await;
    let officer = town.desk("met").await;
    let with = |pointer: &str, value: Value| {
        let mut body = ordinary();
        match pointer.split_once('.') {
            Some((outer, inner)) => body[outer][inner] = value,
            None => body[pointer] = value,
        }
        body
    };
    let without = |name: &str| {
        let mut body = ordinary();
        body.as_object_mut().unwrap().remove(name);
        body
    };
    let tomorrow = clock::now().plus_days(2).rfc3339();
    let cases = [
        (with("nationality", json!("none")), "nationality"),
        (with("identity.nationality", json!("none")), "nationality"),
        (
            with("identity.birth_date", json!(tomorrow.get(..10))),
            "birth_date",
        ),
        (
            with("identity.nhs_number", json!("2012/0052494Q")),
            "nhs_number",
        ),
        (
            with("identity.nhs_number", json!("9990000019")),
            "nhs_number",
        ),
        (with("reported_at", json!(tomorrow)), "reported_at"),
        (with("service", json!("no-such-service")), "service"),
        (without("safe_contact"), "safe_contact"),
        (without("service"), "service"),
    ];
    for (body, field) in cases {
        let said = officer.post("/v1/referrals", &body).await;
        refused(&said, 422, "check-your-answers");
        assert_eq!(fields(&said), [field], "{}", said.body);
    }
    let said = officer.post("/v1/referrals", &without("consent")).await;
    refused(&said, 422, "consent-needed");
    assert!(offers(&town).await.is_empty());

    // What would stop nothing is never said to be in force.
    let charity = town.desk("larkfield").await;
    for who in [
        json!({ "identity": { "given_name": "Amina" } }),
        json!({ "person": "0".repeat(26) }),
    ] {
        let mut body = json!({ "scope": "everything", "channel": "telephone" });
        body.as_object_mut()
            .unwrap()
            .extend(who.as_object().unwrap().clone());
        let said = charity.post("/v1/withdrawals", &body).await;
        refused(&said, 422, "check-your-answers");
        assert_eq!(fields(&said), ["identity"], "{}", said.body);
    }
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_person_shows_a_second_factor_and_speaks_for_nobody_else() {
    let town = Town::start().await;
    let officer = town.desk("met-ig").await;
    for path in ["/v1/audit/entries", "/v1/audit/queue", "/v1/proposals"] {
        let said = officer.get(path).await;
        refused(&said, 403, "second-factor-needed");
    }
    let code = json!({ "code": "000000" });
    let said = officer.post("/v1/second-factor", &code).await;
    assert!(said.status >= 400 && said.text("/session").is_none());
    let proved = town.signed_in("met-ig").await;
    assert_eq!(proved.get("/v1/audit/queue").await.status, 200);
    let posing = Desk {
        user: Some("ref=pc-ward;role=officer".to_owned()),
        ..proved.clone()
    };
    let said = posing.get("/v1/audit/queue").await;
    refused(&said, 422, "check-your-answers");
    assert_eq!(fields(&said), ["Firedoor-User"]);
    // A session is bound to the certificate that it was opened with.
    let thief = Desk {
        session: proved.session.clone(),
        ..town.desk("reviewer").await
    };
    let said = thief.get("/v1/audit/queue").await;
    refused(&said, 403, "second-factor-needed");
    // A system names its user, whole.
    let system = town.desk("met").await;
    for user in [
        None,
        Some("pc-ward"),
        Some("ref=pc-ward"),
        Some("role=officer"),
        Some("ref=pc-ward;role=admiral"),
        Some("ref=pc-ward;role=officer;team=x"),
    ] {
        let desk = Desk {
            user: user.map(str::to_owned),
            ..system.clone()
        };
        let said = desk.get("/v1/referrals").await;
        refused(&said, 422, "check-your-answers");
        assert_eq!(fields(&said), ["Firedoor-User"]);
    }
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_request_cut_off_half_way_stores_nothing_and_is_counted() {
    let town = Town::start().await;
    let body = ordinary().to_string();
    for (goodbye, bundle, user) in [
        (true, "met", "ref=pc-ward;role=officer"),
        (false, "harbour", "ref=j-pell;role=triage"),
    ] {
        let before = town.leaves();
        let tcp = TcpStream::connect(town.address()).await.unwrap();
        let tls = town.tls(bundle).speaking(Protocol::Http1);
        let mut stream = tls.connect(tcp, "localhost").await.unwrap();
        let head = format!(
            "POST /v1/referrals HTTP/1.1\r\nhost: localhost:{}\r\nfiredoor-user: \
             {user}\r\nidempotency-key: cut-1\r\ncontent-type: \
             application/json\r\ncontent-length: {}\r\n\r\n",
            town.address().port(),
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let half = &body.as_bytes()[..body.len() / 2];
        stream.write_all(half).await.unwrap();
        stream.flush().await.unwrap();
        if goodbye {
            stream.shutdown().await.unwrap();
        }
        drop(stream);
        let began = Instant::now();
        while town.leaves() == before && began.elapsed() < Duration::from_secs(10) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(town.leaves(), before + 1, "said goodbye: {goodbye}");
    }
    assert!(offers(&town).await.is_empty());
    // The key is not used up: the same request, whole, is taken.
    let officer = town.desk("met").await;
    let said = officer
        .post_bytes("/v1/referrals", &[("idempotency-key", "cut-1")], body)
        .await;
    assert_eq!(said.status, 201, "{}", said.body);
    assert!(said.body.get("replayed").is_none());
    assert_eq!(offers(&town).await.len(), 1);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_request_again_is_answered_again_and_done_once() {
    let town = Town::start().await;
    let officer = town.desk("met").await;
    let body = ordinary();
    let first = officer.post_as("once", "/v1/referrals", &body).await;
    assert_eq!(first.status, 201, "{}", first.body);
    let again = officer.post_as("once", "/v1/referrals", &body).await;
    assert_eq!((again.status, again.id()), (first.status, first.id()));
    assert_eq!(again.body["replayed"], true);
    assert_eq!(again.result(), "offered");
    let mut other = body.clone();
    other["urgency"] = json!("standard");
    let said = officer.post_as("once", "/v1/referrals", &other).await;
    refused(&said, 422, "already-sent");
    // A key belongs to its organisation.
    let hospital = town.desk("st-hildas").await;
    let said = hospital.post_as("once", "/v1/referrals", &body).await;
    assert_ne!(said.result(), "already-sent", "{}", said.body);
    // Many at once, on connections of their own: done once.
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let desk = town.desk("met").await;
        let body = body.clone();
        racing.spawn(async move { desk.post_as("race", "/v1/referrals", &body).await });
    }
    let all = racing.join_all().await;
    let done = all
        .iter()
        .filter(|said| said.body.get("replayed").is_none());
    assert_eq!(done.count(), 1);
    for said in &all {
        assert_eq!(
            (said.status, said.id()),
            (201, all[0].id()),
            "{}",
            said.body
        );
    }
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_who_accept_at_once_exactly_one_learns_who_she_is() {
    let town = Town::start().await;
    let officer = town.desk("met").await;
    for _ in 0..5 {
        let sent = officer.post("/v1/referrals", &ordinary()).await;
        assert_eq!(sent.status, 201, "{}", sent.body);
        let waiting = offers(&town).await;
        let open = waiting.iter().find(|offer| offer["status"] == "offered");
        let id = open.expect("an open offer")["id"].as_str().unwrap();
        let path = format!("/v1/referrals/{id}/accept");
        let one = town.desk("larkfield").await.as_user("r-osei", Role::Triage);
        let two = town.desk("larkfield").await.as_user("a-lind", Role::Triage);
        let body = |who: &str| json!({ "worker": who, "onward_rule_accepted": true });
        let (bodies, path) = ((body("r-osei"), body("a-lind")), path.as_str());
        let (one, two) = tokio::join!(one.post(path, &bodies.0), two.post(path, &bodies.1));
        let (won, lost) = if one.status == 200 {
            (&one, &two)
        } else {
            (&two, &one)
        };
        assert_eq!(won.status, 200, "{}", won.body);
        assert_eq!(
            won.text("/released/identity/family_name"),
            Some(FAMILY_NAME)
        );
        refused(lost, 409, "already-answered");
    }
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_withdrawal_during_reads_leaves_each_reply_whole_or_empty_and_in_order() {
    let town = Town::start().await;
    let hospital = town.desk("st-hildas").await;
    let officer = town.desk("met").await;
    for _ in 0..3 {
        // All of it newer than what she withdrew the time before.
        let assessed = hospital
            .post("/v1/assessments", &assessment(clock::now(), CHARITY))
            .await;
        assert_eq!(assessed.status, 201, "{}", assessed.body);
        let sent = officer
            .post(
                "/v1/referrals",
                &referral(SERVICE, &her(), clock::now(), None),
            )
            .await;
        assert_eq!(sent.status, 201, "{}", sent.body);
        let triage = town.desk("larkfield").await.as_user("r-osei", Role::Triage);
        let waiting = offers(&town).await;
        let open = waiting.iter().find(|offer| offer["status"] == "offered");
        let id = open.expect("an open offer")["id"].as_str().unwrap();
        let accept = json!({ "worker": "r-osei", "onward_rule_accepted": true });
        let path = format!("/v1/referrals/{id}/accept");
        let accepted = triage.post(&path, &accept).await;
        assert_eq!(accepted.status, 200, "{}", accepted.body);
        let ask = json!({
            "person": accepted.body["person"], "consent": consent_to_ask(clock::now()), "step": "cards",
            "onward_rule_accepted": true,
        });

        let mut readers = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let desk = town.desk("larkfield").await;
            let ask = ask.clone();
            readers.spawn(async move {
                let mut replies = Vec::new();
                for _ in 0..8 {
                    replies.push(desk.post("/v1/assessments/query", &ask).await);
                }
                replies
            });
        }
        let helpline = town.desk("harbour").await;
        // Somewhere in the midst of the reads.
        tokio::time::sleep(Duration::from_millis(350)).await;
        let body = json!({ "identity": her(), "scope": "everything", "channel": "telephone" });
        let withdrew = helpline.post("/v1/withdrawals", &body).await;
        assert_eq!(withdrew.status, 200, "{}", withdrew.body);
        let replies: Vec<Said> = readers.join_all().await.into_iter().flatten().collect();
        let mut shown = 0;
        for said in &replies {
            match said.result() {
                // The facts moved too often: nothing was recorded and nothing is told.
                "cannot-record" => assert_eq!(said.status, 503),
                "nothing-to-show" => {
                    assert_eq!(said.status, 200);
                    assert!(said.body.get("assessments").is_none());
                    assert!(said.entry() > withdrew.entry());
                }
                _ => {
                    let cards = said.list("/assessments");
                    assert!(!cards.is_empty(), "{}", said.body);
                    for card in cards {
                        assert_eq!(card["ticks"], 16);
                        assert_eq!(card["grade"], "high");
                    }
                    assert!(said.entry() < withdrew.entry());
                    shown += 1;
                }
            }
        }
        assert!(shown > 0, "no read came before the withdrawal");
        let desk = town.desk("larkfield").await;
        let after = desk.post("/v1/assessments/query", &ask).await;
        assert_eq!(after.result(), "nothing-to-show", "{}", after.body);
    }
    town.stop().await;
}

static JUMP_MS: AtomicI64 = AtomicI64::new(0);

fn jumping() -> When {
    When::from_millis(clock::now().millis() + JUMP_MS.load(Ordering::SeqCst))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_clock_that_jumps_back_turns_no_entry_and_no_right_back() {
    // A gateway as `serve` makes it, but by a clock that jumps.
    let (dir, borough, config) = town::prepare("");
    let mut gateway = gateway::open(&config).await.unwrap();
    gateway.now = jumping;
    gateway.found(&borough.founding().unwrap()).await.unwrap();
    let settings = Settings {
        per_user: config.limits.per_user(),
        per_organisation: config.limits.per_organisation(),
        boundary: Duration::from_millis(100),
    };
    let app = App::new(gateway, Arc::new(Metrics::default()), settings, None);
    let of = Arc::clone(&app);
    let time: Clock = Arc::new(move || of.gateway.time());
    let tls = TlsState::open(config.tls.clone(), TRUST_DOMAIN, time).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server::serve(
        listener,
        Arc::new(tls),
        config.limits.of_server(),
        Replies::default(),
        http::router(Arc::clone(&app)),
        async move { drop(stopped.await) },
    ));
    let desk = |bundle: &str, user: &str| {
        let tls = town::bundle_tls(dir.path(), bundle);
        Desk::connect(address, tls, Some(user.to_owned()))
    };
    let officer = desk("met", "ref=pc-ward;role=officer").await;
    let helpline = desk("harbour", "ref=j-pell;role=triage").await;
    let withdrawal = json!({ "identity": her(), "scope": "everything", "channel": "telephone" });

    let mut dates = Vec::new();
    for jump_hours in [0, 5, -30, 5, -720] {
        JUMP_MS.store(jump_hours * 3_600_000, Ordering::SeqCst);
        let said = officer.post("/v1/referrals", &ordinary()).await;
        assert_eq!(said.status, 201, "{}", said.body);
        dates.push(When::parse(said.text("/date").unwrap()).unwrap());
        if jump_hours == 5 {
            let said = helpline.post("/v1/withdrawals", &withdrawal).await;
            assert_eq!(said.status, 200, "{}", said.body);
        }
    }
    assert!(dates.is_sorted(), "{dates:?}");
    assert!(dates[1] >= ago(-4));
    // What she withdrew stays withdrawn, whatever the clock says: her consent is older.
    let charity = desk("larkfield", "ref=r-osei;role=triage").await;
    let inbox = charity.get("/v1/inbox").await;
    let open = inbox.list("/offers").iter();
    assert_eq!(open.filter(|offer| offer["status"] == "offered").count(), 0);
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    app.gateway.store.close().await.unwrap();
}
