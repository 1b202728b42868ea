//! What the operator may write, and what she is told when it is wrong.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

const COMMENTED: &str = include_str!("../../../deploy/firedoor.toml");
const LEAST: &str = "[log]\norigin = \"gateway.example.org/2026\"\n";

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/firedoor/firedoor.toml"))
}

fn error(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

/// A valid file with these lines before its tables.
fn with(lines: &str) -> String {
    format!("{lines}\n{LEAST}")
}

#[test]
fn the_commented_file_holds_every_key_with_its_default_and_nothing_else() {
    let commented: toml::Value = toml::from_str(COMMENTED).unwrap();
    let defaults = toml::Value::try_from(FileText::default()).unwrap();
    assert_eq!(commented, defaults);
}

#[test]
fn the_least_file_gives_the_defaults() {
    insta::assert_debug_snapshot!(parse(LEAST).unwrap(), @r#"
    Config {
        listen: 127.0.0.1:8443,
        admin_listen: 127.0.0.1:9443,
        help_listen: None,
        public_host: "",
        data_dir: "/etc/firedoor/data",
        store: Embedded {
            slots: "/etc/firedoor/keys/slots",
        },
        tls: TlsFiles {
            certificate: "/etc/firedoor/tls/server.pem",
            key: "/etc/firedoor/tls/server.key",
            client_ca: "/etc/firedoor/ca/ca.pem",
            crl: "/etc/firedoor/ca/crl.pem",
        },
        trust_domain: "gateway.example.org",
        key_path: "/etc/firedoor/keys/root.key",
        policies_dir: None,
        origin: "gateway.example.org/2026",
        witness_policy: None,
        witnesses: [],
        witness_ca: None,
        succession: None,
        renewals: None,
        limits: Limits {
            connections_max: 1024,
            connections_per_organisation_max: 128,
            handshakes_max: 256,
            handshakes_per_address_max: 64,
            handshake_s: 10,
            request_head_s: 30,
            idle_s: 60,
            write_s: 30,
            connection_age_s: 600,
            finish_s: 45,
            request_head_bytes_max: 16384,
            request_headers_max: 64,
            streams_per_connection_max: 100,
            requests_per_user_per_minute: 120,
            requests_per_user_burst: 30,
            requests_per_organisation_per_minute: 6000,
            requests_per_organisation_burst: 1000,
            kept_room_mib: 256,
            store_connections_max: 16,
        },
    }
    "#);
}

#[test]
fn with_postgresql_no_message_or_debug_output_shows_a_password() {
    let text = with("store = \"postgres://fd:hunter2@db/fd\"")
        + "[keys]\nslots = \"postgres://fd:hunter2@db2/slots\"\n";
    let config = parse(&text).unwrap();
    assert!(matches!(config.store, StoreChoice::Postgres { .. }));
    assert!(!format!("{config:?}").contains("hunter2"));
    let broken = [
        with("store = \"postgres://fd:hunter2@db/fd"),
        with("store = [\"postgres://fd:hunter2@db/fd\"]"),
        with("store = \"mysql://fd:hunter2@db/fd\""),
        with("store = \"postgres://fd:hunter2@db/fd\" \"x\""),
        with("postgres://fd:hunter2@db/fd?x=1"),
    ];
    for text in broken {
        assert!(!error(&text).contains("hunter2"), "{}", error(&text));
    }
}

#[test]
fn each_mistake_is_named_with_its_key_and_what_to_do() {
    let mistakes = [
        String::new(),
        with("lissen = \"0.0.0.0:8443\""),
        with("listen = \"everywhere\""),
        with("admin_listen = \"0.0.0.0:9443\""),
        with("data_dir = 7"),
        with("store = \"sqlite\""),
        with("store = \"postgres://db/fd\""),
        "log.origin = \"two words\"".to_owned(),
        "log.origin = \"Gateway.example.org/2026\"".to_owned(),
        format!("{LEAST}witnesses = [\"witness.example.org\"]\n"),
        format!("{LEAST}[limits]\nwrite_s = 0\n"),
        format!("{LEAST}[limits]\nwrite_s = -1\n"),
        format!("{LEAST}[limits]\nbodies_max = 1\n"),
        format!("{LEAST}[keys]\nprovider = \"pkcs11:token=gateway\"\n"),
        format!("{LEAST}[keys]\nprovider = \"vault\"\n"),
        format!("{LEAST}[keys]\nslots = \"postgres://db/slots\"\n"),
    ];
    let told: Vec<String> = mistakes.iter().map(|text| error(text)).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    log.origin is missing: name the log once and for ever, such as "gateway.example.org/2026"
    /etc/firedoor/firedoor.toml, line 1, key 'lissen': unknown field `lissen`, expected one of `listen`, `admin_listen`, `help_listen`, `public_host`, `data_dir`, `store`, `store_ca`, `policies_dir`, `tls`, `keys`, `log`, `renewals`, `limits`
    listen must be an address and a port, such as 0.0.0.0:8443
    admin_listen must be an address of this machine only: 127.0.0.1 or [::1]
    /etc/firedoor/firedoor.toml, line 1, key 'data_dir': invalid type: integer `7`, expected path string
    store must be "embedded" or "postgres://..."
    keys.slots must be a second "postgres://..." database, which no backup of the first one includes
    log.origin must be 1 to 128 printable characters without spaces or '+'
    tls.trust_domain must be a lower-case host name; without it, log.origin must begin with one
    log.witnesses must be addresses that begin with https://; with http:// only on this machine, 127.0.0.1 or [::1]
    limits.write_s must be 1 to 120
    /etc/firedoor/firedoor.toml, line 4, key 'write_s': invalid value: integer `-1`, expected u32
    /etc/firedoor/firedoor.toml, line 4, key 'bodies_max': unknown field `bodies_max`, expected one of `connections_max`, `connections_per_organisation_max`, `handshakes_max`, `handshakes_per_address_max`, `handshake_s`, `request_head_s`, `idle_s`, `write_s`, `connection_age_s`, `finish_s`, `request_head_bytes_max`, `request_headers_max`, `streams_per_connection_max`, `requests_per_user_per_minute`, `requests_per_user_burst`, `requests_per_organisation_per_minute`, `requests_per_organisation_burst`, `kept_room_mib`, `store_connections_max`
    keys.provider names an HSM, which this version cannot use yet: set it to "file" and upgrade when a version with PKCS#11 is out
    keys.provider must be "file"
    keys.slots names a database, but store is "embedded": name a file
    "#);
}

#[test]
fn a_key_under_the_data_is_refused_also_by_way_of_links_and_dots() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::create_dir_all(root.join("data/inner")).unwrap();
    fs::write(root.join("data/inner/root.key"), "x").unwrap();
    symlink(root.join("data/inner"), root.join("keys")).unwrap();
    symlink(root.join("data/inner/root.key"), root.join("link.key")).unwrap();
    symlink(root.join("data"), root.join("other")).unwrap();
    let file = root.join("firedoor.toml");
    let read = |lines: &str| {
        fs::write(&file, format!("{LEAST}{lines}")).unwrap();
        Config::read(&file)
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    for keys in [
        "[keys]\npath = \"data/root.key\"",
        "[keys]\npath = \"data/inner/root.key\"",
        "[keys]\npath = \"keys/root.key\"",
        "[keys]\npath = \"link.key\"",
        "[keys]\npath = \"safe/../data/root.key\"",
        "[keys]\npath = \"safe.key\"\nslots = \"other/slots\"",
        "[keys]\npath = \"safe.key\"\nslots = \"safe/slots\"\n[tls]\nkey = \"data/server.key\"",
    ] {
        let told = read(keys).unwrap_err();
        assert!(told.contains("lies under data_dir"), "{keys}: {told}");
    }
    let safe = "[keys]\npath = \"safe.key\"\nslots = \"safe/slots\"";
    assert_eq!(read(safe), Ok(()));
    symlink(root.join("data/not-yet"), root.join("dead.key")).unwrap();
    let told = read("[keys]\npath = \"dead.key\"\nslots = \"safe/slots\"").unwrap_err();
    assert!(told.contains("link to nothing"), "{told}");
}

#[test]
fn a_file_that_is_not_there_is_named_with_what_to_do() {
    let error = Config::read(Path::new("/nowhere/firedoor.toml")).unwrap_err();
    assert!(error.to_string().contains("firedoor init"));
}
