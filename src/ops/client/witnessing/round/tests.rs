//! What a witness does and says, with a gateway that can lie.

use std::cell::Cell;
use std::fs;

use super::super::state::Start;
use super::*;
use crate::domain::checkpoint::LogKey;
use crate::domain::merkle::{Tree, leaf_hash};

const NOW: When = When::from_millis(1_790_000_000_000);
const NEVER: u64 = u64::MAX;

/// A log whose entries from `other` on are not those of the true one.
fn tree(size: u64, other: u64) -> Tree {
    let mut tree = Tree::new();
    for leaf in 0..size {
        let salt = u64::from(leaf >= other) << 63;
        tree.append_hash(leaf_hash(&(leaf | salt).to_be_bytes()));
    }
    tree
}

fn log() -> LogKey {
    LogKey::from_seed("gw.example/log", &[1; 32]).unwrap()
}

/// A gateway that serves one tree and may sign another.
struct Served {
    tree: Tree,
    note: String,
    /// A head on which other witnesses still are.
    waiting: Option<String>,
    /// Answers to notes that are handed in.
    answer: (u16, &'static str),
    date: Option<When>,
    handed: Vec<String>,
    pauses: u32,
}

impl Served {
    fn new(tree: Tree) -> Self {
        let note = log().sign(tree.size(), &tree.root());
        Self {
            tree,
            note,
            waiting: None,
            answer: (200, ""),
            date: Some(NOW),
            handed: Vec::new(),
            pauses: 0,
        }
    }
}

impl Gateway for Served {
    async fn fetch(&mut self, path: &str) -> Result<Fetched, ClientFault> {
        let tile = |path: &str| {
            let tile = TilePath::parse(path.strip_prefix("/log/")?)?;
            tile.hashes(&self.tree)
        };
        let found = match path {
            HEAD => Some(self.note.clone().into_bytes()),
            COSIGNATURES => self.waiting.clone().map(String::into_bytes),
            path => tile(path),
        };
        Ok(Fetched {
            status: if found.is_some() { 200 } else { 404 },
            bytes: found.unwrap_or_default(),
            date: self.date,
        })
    }

    async fn hand_in(&mut self, note: &str) -> Result<Fetched, ClientFault> {
        self.handed.push(note.to_owned());
        Ok(Fetched {
            status: self.answer.0,
            bytes: self.answer.1.as_bytes().to_vec(),
            date: self.date,
        })
    }

    async fn pause(&mut self) {
        self.pauses += 1;
    }
}

struct Place {
    dir: tempfile::TempDir,
    watch: Watch,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let watch = Watch::new(Self::open(&dir));
        Self { dir, watch }
    }

    fn open(dir: &tempfile::TempDir) -> State {
        let key = dir.path().join("log.vkey");
        fs::write(&key, log().verifier().vkey()).unwrap();
        // The key is made at random; what is said must not depend on it.
        let start = Start {
            name: Some("larkfield.example/witness"),
            log_key: Some(&key),
            ..Start::default()
        };
        State::open(&dir.path().join("witness"), &start).unwrap()
    }

    fn again(self) -> Self {
        let dir = self.dir;
        drop(self.watch);
        let watch = Watch::new(Self::open(&dir));
        Self { dir, watch }
    }

    fn round(&mut self, gateway: &mut Served) -> Told {
        self.round_with(gateway, None)
    }

    fn round_with(&mut self, gateway: &mut Served, receipt: Option<&Head>) -> Told {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime
            .block_on(self.watch.round(gateway, receipt, || NOW))
            .unwrap()
    }

    fn said(&mut self, gateway: &mut Served) -> String {
        let told = self.round(gateway);
        self.plain(&told)
    }

    fn plain(&self, told: &Told) -> String {
        let dir = self.dir.path().display().to_string();
        let good = if told.good() { "0" } else { "1" };
        format!("{}\n=> {good}", told.text().replace(&dir, "DIR"))
    }

    fn evidence(&self) -> Vec<String> {
        let Ok(found) = fs::read_dir(self.watch.state.evidence()) else {
            return Vec::new();
        };
        let mut names: Vec<String> = found
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn size(&self) -> Option<u64> {
        self.watch.state.last.as_ref().map(|last| last.head.size())
    }
}

#[test]
fn growth_is_signed_and_handed_in_and_a_quiet_log_is_no_alarm() {
    let mut place = Place::new();
    let mut said = Vec::new();
    let mut handed = Vec::new();
    for size in [1, 300, 300, 1_000] {
        let mut gateway = Served::new(tree(size, NEVER));
        said.push(place.said(&mut gateway));
        handed.push(gateway.handed.len());
        let last = place.watch.state.last.as_ref().unwrap();
        assert_eq!(
            place.watch.state.key.verifier().verify(&last.note),
            Some(NOW)
        );
        assert!(gateway.handed.iter().all(|note| *note == last.note));
    }
    insta::assert_snapshot!(said.join("\n"), @r"
        The log has 1 entry. From now on this witness vouches that nothing in it is changed or taken out (signed 2026-09-21 14:13:20 UTC).
        => 0
        The log has 300 entries, 299 more than before; nothing was changed or taken out (signed 2026-09-21 14:13:20 UTC).
        => 0
        The log has no new entries to sign: 300 entries (signed 2026-09-21 14:13:20 UTC).
        => 0
        The log has 1000 entries, 700 more than before; nothing was changed or taken out (signed 2026-09-21 14:13:20 UTC).
        => 0
        ");
    assert_eq!(handed, [1, 1, 0, 1]);
    assert!(place.evidence().is_empty());
}

#[test]
fn after_a_start_the_last_head_is_handed_in_before_anything_else() {
    let mut place = Place::new();
    place.round(&mut Served::new(tree(300, NEVER)));
    let mut place = place.again();
    let mut gateway = Served::new(tree(300, NEVER));
    assert!(place.round(&mut gateway).good());
    assert_eq!(gateway.handed.len(), 1);

    // A gateway that went back says so itself, and shows it.
    let mut place = place.again();
    let mut gateway = Served::new(tree(200, NEVER));
    gateway.answer = (409, "entries that were acknowledged are missing here");
    insta::assert_snapshot!(place.said(&mut gateway), @r"
        ALARM: the gateway's log does not reach or does not contain the 300 entries that this witness signed.
        The gateway answered: entries that were acknowledged are missing here
        ALARM: the log has become smaller: this witness signed 300 entries, the gateway now shows 200 entries.
        Either entries that were acknowledged are missing, or an old copy was shown to you.
        The head that is shown was not signed. Both heads are kept in DIR/witness/evidence/smaller-300-909729a9
        Tell the independent reviewer and the other agencies, not only the operator; README.txt there says how anyone can check it.
        => 1
        ");
    assert_eq!((gateway.handed.len(), gateway.pauses), (1, 1));
    // And again, for as long as it lasts.
    assert!(!place.round(&mut gateway).good());
    assert_eq!((gateway.handed.len(), place.evidence().len()), (2, 1));
    assert_eq!(place.size(), Some(300));
}

#[test]
fn a_gateway_that_falls_silent_does_not_make_an_alarm_unsaid() {
    struct Silent(u16);
    impl Gateway for Silent {
        async fn fetch(&mut self, _: &str) -> Result<Fetched, ClientFault> {
            Err(ClientFault::Log)
        }
        async fn hand_in(&mut self, _: &str) -> Result<Fetched, ClientFault> {
            Ok(Fetched {
                status: self.0,
                bytes: Vec::new(),
                date: None,
            })
        }
        async fn pause(&mut self) {}
    }
    let mut place = Place::new();
    place.round(&mut Served::new(tree(300, NEVER)));
    let mut place = place.again();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut round = |status| {
        let mut gateway = Silent(status);
        runtime.block_on(place.watch.round(&mut gateway, None, || NOW))
    };
    let told = round(409).unwrap();
    assert_eq!((told.alarms.len(), told.good()), (1, false));
    assert!(round(200).is_err());
}

#[test]
fn a_fork_a_rewritten_log_and_a_forged_head_are_told_in_words_and_kept() {
    let mut place = Place::new();
    place.round(&mut Served::new(tree(300, NEVER)));
    let mut said = Vec::new();
    // Another last entry; an early entry changed; a head that the tiles do not give.
    said.push(place.said(&mut Served::new(tree(300, 299))));
    said.push(place.said(&mut Served::new(tree(400, 12))));
    let mut forged = Served::new(tree(400, NEVER));
    forged.note = log().sign(400, &tree(400, 12).root());
    said.push(place.said(&mut forged));
    insta::assert_snapshot!(said.join("\n"), @r"
        ALARM: the log exists in two versions: of the same 300 entries the gateway now shows another history than this witness signed.
        Somebody was shown another history than you. This cannot happen by accident in a gateway that works.
        The head that is shown was not signed. Both heads are kept in DIR/witness/evidence/two-heads-300-909729a9-300-d6176376
        Tell the independent reviewer and the other agencies, not only the operator; README.txt there says how anyone can check it.
        => 1
        ALARM: the log was rewritten: its first 300 entries are no longer those that this witness signed.
        Somebody was shown another history than you. This cannot happen by accident in a gateway that works.
        The head that is shown was not signed. Both heads are kept in DIR/witness/evidence/rewritten-300-909729a9
        Tell the independent reviewer and the other agencies, not only the operator; README.txt there says how anyone can check it.
        => 1
        ALARM: the gateway cannot show that its log of 400 entries continues the 300 entries that this witness signed.
        Its log may be damaged, or its head was made up.
        The head that is shown was not signed. Both heads are kept in DIR/witness/evidence/unproven-300-909729a9
        Tell the independent reviewer and the other agencies, not only the operator; README.txt there says how anyone can check it.
        => 1
        ");
    assert_eq!(place.size(), Some(300));
    assert_eq!(place.evidence().len(), 3);

    // The same again, or the other log grown further, is kept once and alarms again in one line.
    for other in [tree(300, 299), tree(401, 12)] {
        let again = place.said(&mut Served::new(other));
        assert_eq!((again.lines().count(), place.evidence().len()), (2, 3));
    }
    // It was another's lie: the true log goes on.
    assert!(place.round(&mut Served::new(tree(500, NEVER))).good());
}

#[test]
fn evidence_can_be_checked_by_someone_who_has_nothing_else() {
    let mut place = Place::new();
    place.round(&mut Served::new(tree(300, NEVER)));
    place.round(&mut Served::new(tree(400, 12)));
    let name = place.evidence().pop().unwrap();
    let folder = place.watch.state.evidence().join(name);
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let log = log();
    let heads = ["known", "shown"].map(|name| log.verifier().verify(&read(name)).unwrap());
    assert_eq!((heads[0].size, heads[1].size), (300, 400));
    // The leaves that are kept lead to the later root, and not to the earlier one.
    let mut kept = Tree::new();
    for path in ["tile/0/000", "tile/0/001.p/144"] {
        let bytes = fs::read(folder.join("log").join(path)).unwrap();
        for hash in bytes.as_chunks::<32>().0 {
            kept.append_hash(*hash);
        }
    }
    assert_eq!(kept.root(), heads[1].root);
    assert_ne!(kept.root_at(300).unwrap(), heads[0].root);
    let page = read("README.txt").replace(&log.verifier().vkey(), "VKEY");
    insta::assert_snapshot!(page, @r"
        Evidence about the log gw.example/log, kept by a witness at 2026-09-21T14:13:20.000Z.

        The log signed 300 entries and later 400, and the later log does not begin with
        the earlier one: something was changed or taken out. The hashes in log/ lead to the
        later signed head, and to another one than was signed for the first 300 entries.

        known    the head that this witness signed
        shown    the head that the gateway showed afterwards

        To check it alone, take the log's key as you have it from elsewhere, in a file outside this
        folder, and run in this folder:

        firedoor-verify consistency known shown --key FILE --log log

        The witness took this for the log's key: VKEY
        Both files are signed notes (c2sp.org/signed-note, c2sp.org/tlog-checkpoint), which other
        tools read too. Keep this folder as it is, and make a copy.
        ");
}

#[test]
fn a_receipt_that_shows_more_than_the_log_is_an_alarm() {
    let receipt = |tree: &Tree| {
        let note = log().sign(tree.size(), &tree.root());
        Head::read(log().verifier(), &note).unwrap()
    };
    let mut place = Place::new();
    let mut gateway = Served::new(tree(300, NEVER));
    let good = place.round_with(&mut gateway, Some(&receipt(&tree(299, NEVER))));
    assert!(good.good());
    for other in [tree(301, NEVER), tree(300, 299), tree(200, 5)] {
        let told = place.round_with(&mut gateway, Some(&receipt(&other)));
        assert_eq!(told.alarms.len(), 1);
        assert!(told.alarms[0].contains("a receipt of yours"));
        assert!(told.alarms[0].contains("This witness had signed"));
    }
    assert_eq!(place.evidence().len(), 3);
}

#[test]
fn a_head_on_which_others_still_wait_is_no_alarm() {
    let mut place = Place::new();
    place.round(&mut Served::new(tree(300, NEVER)));
    let mut gateway = Served::new(tree(310, NEVER));
    let waiting = tree(290, NEVER);
    gateway.waiting = Some(log().sign(290, &waiting.root()));
    assert!(place.round(&mut gateway).good());
    assert_eq!((place.size(), gateway.handed.len()), (Some(300), 0));
    // The one that waits is signed, not the newest.
    gateway.waiting = Some(log().sign(305, &tree(305, NEVER).root()));
    assert!(place.round(&mut gateway).good());
    assert_eq!(place.size(), Some(305));
}

#[test]
fn nothing_is_signed_with_a_clock_that_may_be_wrong_or_for_another_log() {
    let mut place = Place::new();
    let mut said = Vec::new();
    let mut gateway = Served::new(tree(300, NEVER));
    gateway.date = Some(NOW.plus_millis(300_001));
    said.push(place.said(&mut gateway));
    gateway.date = None;
    said.push(place.said(&mut gateway));
    gateway.date = Some(NOW);
    let other = LogKey::from_seed("gw.example/log", &[2; 32]).unwrap();
    gateway.note = other.sign(300, &gateway.tree.root());
    said.push(place.said(&mut gateway));
    gateway.note = "\u{1b}[2J<html>".to_owned();
    said.push(place.said(&mut gateway));
    insta::assert_snapshot!(said.join("\n"), @r"
        The new head was not signed: this computer's clock says 2026-09-21 14:13:20 UTC, the gateway's 2026-09-21 14:18:20 UTC: one of them is wrong by more than 5 minutes.
        A signature with a wrong time would be worth nothing. Set this computer's clock, or tell the operator.
        => 1
        The new head was not signed: the gateway does not say what time it has.
        A signature with a wrong time would be worth nothing. Set this computer's clock, or tell the operator.
        => 1
        ALARM: what the gateway shows is not a head of the log gw.example/log: the checkpoint carries no signature of this key.
        It was not signed. If the log was given a new name or key, the operator can say who decided that; then start with --log-key FILE --new-log.
        => 1
        ALARM: what the gateway shows is not a head of the log gw.example/log: the checkpoint is not in the form of C2SP tlog-checkpoint.
        It was not signed. If the log was given a new name or key, the operator can say who decided that; then start with --log-key FILE --new-log.
        => 1
        ");
    assert!(gateway.handed.is_empty() && place.size().is_none());
}

#[test]
fn a_signature_that_was_not_taken_is_handed_in_again() {
    let mut place = Place::new();
    let mut gateway = Served::new(tree(300, NEVER));
    gateway.answer = (422, "this witness is not named by the policy\u{1b}[2J\n");
    insta::assert_snapshot!(place.said(&mut gateway), @r"
        The log has 300 entries. From now on this witness vouches that nothing in it is changed or taken out (signed 2026-09-21 14:13:20 UTC).
        The gateway did not take the signature (status 422: this witness is not named by the policy [2J). It is kept here, and is handed in with the next look.
        => 1
        ");
    gateway.answer = (405, "{\"title\":\"x\",\"detail\":\"Not that method.\"}");
    let said = place.said(&mut gateway);
    assert!(said.contains("(status 405: Not that method.)"), "{said}");
    gateway.answer = (200, "");
    assert!(place.round(&mut gateway).good());
    assert_eq!(gateway.handed.len(), 3);
    assert!(place.round(&mut gateway).good());
    assert_eq!(gateway.handed.len(), 3);
}

#[test]
fn a_head_is_on_disk_before_its_signature_leaves() {
    struct Looking<'a>(Served, &'a std::path::Path, Cell<bool>);
    impl Gateway for Looking<'_> {
        async fn fetch(&mut self, path: &str) -> Result<Fetched, ClientFault> {
            self.0.fetch(path).await
        }
        async fn hand_in(&mut self, note: &str) -> Result<Fetched, ClientFault> {
            let kept = fs::read_to_string(self.1.join("state")).unwrap();
            self.2.set(kept.ends_with(note));
            // As if the power failed here.
            Err(ClientFault::Log)
        }
        async fn pause(&mut self) {}
    }
    let mut place = Place::new();
    let dir = place.dir.path().join("witness");
    let mut gateway = Looking(Served::new(tree(300, NEVER)), &dir, Cell::new(false));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let round = place.watch.round(&mut gateway, None, || NOW);
    assert!(runtime.block_on(round).is_err());
    assert!(gateway.2.get());
    let place = place.again();
    assert_eq!(place.size(), Some(300));
}
