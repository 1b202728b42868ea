//! That the bench runs and what it prints; never how fast.

use super::*;
use serde_json::Value;

fn common(dir: &std::path::Path) -> Common {
    Common {
        seconds: 0.2,
        dir: Some(dir.to_owned()),
        json: true,
    }
}

fn names(list: &Value) -> Vec<&str> {
    let rows = list.as_array().unwrap().iter();
    rows.map(|row| row["name"].as_str().unwrap()).collect()
}

#[test]
fn the_bench_of_the_gateway_measures_every_exercise_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let load = Load {
        clients: 2,
        warm_up: Duration::ZERO,
        // As long as it must be for slow machines to answer each exercise once.
        measured: Duration::from_secs(1),
    };
    let report = gateway(&common(dir.path()), load, Http::Http1).unwrap();
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(
        names(&json["rates"]),
        ["codes", "handshakes", "offers", "reads"]
    );
    assert_eq!(
        names(&json["stages"]),
        [
            "tls", "parse", "resolve", "facts", "keys", "policy", "screen", "seal", "commit",
            "rest"
        ]
    );
    let shares: f64 = json["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["share"].as_f64().unwrap())
        .sum();
    assert!((shares - 1.0).abs() < 1e-6, "{shares}");
    let groups = json["commits"].as_array().unwrap().iter();
    let groups: Vec<u64> = groups.map(|row| row["group"].as_u64().unwrap()).collect();
    assert_eq!(groups, [1, 2, 64]);
    assert!(report.to_string().contains("stage"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_duration_out_of_bounds_is_refused() {
    assert!(seconds("5").is_ok());
    for bad in ["0", "-1", "61", "NaN", "inf", "soon"] {
        assert!(seconds(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_bench_of_the_store_measures_both_sides_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let report = bench_store(&common(dir.path()), None).unwrap();
    let json = serde_json::to_value(&report).unwrap();
    let rows = json["rows"].as_array().unwrap();
    let writers: Vec<_> = rows
        .iter()
        .map(|row| row["writers"].as_u64().unwrap())
        .collect();
    assert_eq!(writers, [1, 8, 64, 256]);
    for row in rows {
        for side in ["raw", "store"] {
            assert!(row[side]["frames"].as_u64().unwrap() > 0, "{row}");
            assert!(row[side]["group"].as_f64().unwrap() >= 1.0, "{row}");
        }
    }
    assert!(report.to_string().contains("p50 ratio"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn the_bench_of_consents_measures_every_decision_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let sizes = consents::Sizes {
        small: 4,
        large: 40,
        women: 3,
        turns: 3,
    };
    let measured = consents::measure(dir.path(), sizes);
    let report = runtime().unwrap().block_on(measured).unwrap();
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(
        names(&json["decisions"]),
        consents::Act::ALL.map(consents::Act::name)
    );
    for row in json["decisions"].as_array().unwrap() {
        assert_eq!(row["measured"], 2);
        assert!(row["p50_ratio"].as_f64().unwrap() > 0.0, "{row}");
    }
    assert!(report.to_string().contains("at 40"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bench_of_pages_asks_for_each_page_as_everybody_whom_it_is_for() {
    let dir = tempfile::tempdir().unwrap();
    // As a task of its own: without optimisation a long test leaves too little of its stack.
    let under = dir.path().to_owned();
    let report = tokio::spawn(async move { pages::measure(&under, 50, 2).await });
    let report = report.await.unwrap().unwrap();
    let first = report.pages.iter().filter(|row| row.path == "/");
    let roles: Vec<&str> = first.map(|row| row.role).collect();
    assert!(
        roles.contains(&"adviser") && roles.contains(&"ig_officer"),
        "{roles:?}"
    );
    // Every page that is looked at was, and none was refused.
    for page in crate::web::declared() {
        let is_measured = report.pages.iter().any(|row| row.path == page.path);
        let looks = page.method == axum::http::Method::GET;
        assert!(is_measured || !looks, "{}", page.path);
    }
    for row in &report.pages {
        assert!(
            row.status < 400,
            "{} as {}: {}",
            row.path,
            row.role,
            row.status
        );
        assert!(
            row.bytes < 100_000,
            "{} as {}: {}",
            row.path,
            row.role,
            row.bytes
        );
        assert!(row.p50_ms <= row.p99_ms && row.p99_ms <= row.max_ms);
    }
    assert!(report.all_small);
    let text = report.to_string();
    assert!(text.contains("each page under 100 kB: yes"), "{text}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
