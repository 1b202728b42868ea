//! One look at the log: fetch its head, prove to ourselves that it continues what we know, sign it,
//! hand the signature in. Whatever the gateway serves is only used to check its own signatures.

use std::collections::HashMap;

use super::evidence::Contradiction;
use super::state::State;
use super::words::{self, Source};
use crate::domain::merkle::Hash;
use crate::domain::tiles::{CHECKPOINT_PATH, TILE_WIDTH, TileKind, TilePath};
use crate::domain::time::When;
use crate::domain::witness::{self, Head, Judgement};
use crate::ops::client::ClientFault;

const HEAD: &str = "/log/checkpoint";
/// The head on which witnesses meet, and where they hand in their signatures.
pub const COSIGNATURES: &str = "/log/cosignatures";
/// Largest log of which every leaf hash is kept as evidence: 32 MB. Of a larger one, what is needed.
const KEPT_ENTRIES_MAX: u64 = 1_000_000;

/// What a gateway answered.
pub struct Fetched {
    pub status: u16,
    pub bytes: Vec<u8>,
    /// Its clock.
    pub date: Option<When>,
}

/// The gateway as a witness sees it.
pub trait Gateway {
    async fn fetch(&mut self, path: &str) -> Result<Fetched, ClientFault>;
    async fn hand_in(&mut self, note: &str) -> Result<Fetched, ClientFault>;
    /// Gives a node that lags behind the others time to catch up.
    async fn pause(&mut self);
}

/// What there is to say after a round.
#[derive(Default)]
pub struct Told {
    pub alarms: Vec<String>,
    pub news: Vec<String>,
    /// Something was not done that should have been.
    pub undone: bool,
}

impl Told {
    /// Whether all is as it should be.
    pub fn good(&self) -> bool {
        self.alarms.is_empty() && !self.undone
    }

    /// Alarms first.
    pub fn text(&self) -> String {
        let all: Vec<&str> = self
            .alarms
            .iter()
            .chain(&self.news)
            .map(String::as_str)
            .collect();
        all.join("\n")
    }

    fn undone(&mut self, why: String) {
        self.undone = true;
        if !self.news.contains(&why) {
            self.news.push(why);
        }
    }
}

/// A witness at work.
pub struct Watch {
    pub state: State,
    /// Whether the gateway has our last signature. Not so at a start: a gateway that went back
    /// learns of it from us.
    handed: bool,
}

/// The log's tiles of one round.
type Tiles = HashMap<String, Vec<u8>>;

impl Watch {
    pub fn new(state: State) -> Self {
        Self {
            state,
            handed: false,
        }
    }

    /// `receipt` is the newest head that one of our receipts shows, known before this round.
    ///
    /// # Errors
    /// [`ClientFault`] if there is no answer, or nothing can be written.
    pub async fn round(
        &mut self,
        gateway: &mut impl Gateway,
        receipt: Option<&Head>,
        now: impl Fn() -> When,
    ) -> Result<Told, ClientFault> {
        let mut told = Told::default();
        match self.steps(gateway, receipt, &now, &mut told).await {
            Ok(()) => {}
            // A gateway that falls silent after that does not make it unsaid.
            Err(error) if !told.alarms.is_empty() => told.undone(error.to_string()),
            Err(error) => return Err(error),
        }
        if let (true, Some(last)) = (
            told.alarms.is_empty() && told.news.is_empty(),
            &self.state.last,
        ) {
            told.news.push(words::unchanged(last));
        }
        if !told.alarms.is_empty() {
            // It may have lost what we have: it must see that.
            self.handed = false;
        }
        Ok(told)
    }

    async fn steps(
        &mut self,
        gateway: &mut impl Gateway,
        receipt: Option<&Head>,
        now: &impl Fn() -> When,
        told: &mut Told,
    ) -> Result<(), ClientFault> {
        self.hand_in(gateway, told).await?;
        if self.sign(gateway, now, told).await? {
            self.watch(gateway, receipt, now, told).await?;
        }
        Ok(())
    }

    /// The last signature, if the gateway may not have it.
    async fn hand_in(
        &mut self,
        gateway: &mut impl Gateway,
        told: &mut Told,
    ) -> Result<(), ClientFault> {
        let Some(last) = self.state.last.as_ref().filter(|_| !self.handed) else {
            return Ok(());
        };
        let said = gateway.hand_in(&last.note).await?;
        match said.status {
            200..=299 => self.handed = true,
            409 => told.alarms.push(words::behind(last, &said.bytes)),
            status => told.undone(words::not_taken(status, &said.bytes)),
        }
        Ok(())
    }

    /// Signs the head that waits for signatures. `false` if there is nothing to go on with.
    async fn sign(
        &mut self,
        gateway: &mut impl Gateway,
        now: &impl Fn() -> When,
        told: &mut Told,
    ) -> Result<bool, ClientFault> {
        let mut said = gateway.fetch(COSIGNATURES).await?;
        if said.status == 404 || said.status == 405 {
            said = gateway.fetch(HEAD).await?;
        }
        let Some(shown) = self.head(&said, told) else {
            return Ok(false);
        };
        let before = self.state.last.as_ref().map(|last| last.head.clone());
        let size = before.as_ref().map(Head::size);
        if size.is_some_and(|size| shown.size() < size) {
            // Other witnesses may still be at a head that we have passed; the newest one decides.
            return Ok(true);
        }
        let (judgement, tiles) = compare(gateway, before.as_ref(), &shown).await?;
        match judgement {
            Judgement::Same => {}
            Judgement::Grown => match witness::clock(
                now(),
                said.date,
                self.state.last.as_ref().map(|last| last.signed),
            ) {
                Ok(()) => {
                    let last = self.state.sign(&shown, now())?;
                    told.news.push(words::signed(size, last));
                    self.handed = false;
                    self.hand_in(gateway, told).await?;
                }
                Err(bad) => told.undone(words::clock(bad, now())),
            },
            Judgement::Smaller
            | Judgement::TwoHeads
            | Judgement::Rewritten
            | Judgement::Unproven => {
                let text = String::from_utf8_lossy(&said.bytes).into_owned();
                let seen = (judgement, &shown, text.as_str(), tiles);
                match before {
                    Some(known) => {
                        let note = self.last_note();
                        self.alarm(gateway, (&known, &note, Source::Own), seen, now(), told)
                            .await?;
                    }
                    None => told.undone(words::no_head(said.status)),
                }
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the newest head continues what we signed, and what our receipts show.
    async fn watch(
        &mut self,
        gateway: &mut impl Gateway,
        receipt: Option<&Head>,
        now: &impl Fn() -> When,
        told: &mut Told,
    ) -> Result<(), ClientFault> {
        let own = self.state.last.as_ref().map(|last| last.head.clone());
        let note = self.last_note();
        let mut known: Vec<(&Head, &str, Source)> = Vec::new();
        known.extend(own.as_ref().map(|head| (head, note.as_str(), Source::Own)));
        known.extend(receipt.map(|head| (head, head.note(), Source::Receipt)));
        let most = known.iter().map(|(head, _, _)| head.size()).max();
        let mut said = gateway.fetch(HEAD).await?;
        let Some(mut shown) = self.head(&said, told) else {
            return Ok(());
        };
        if most.is_some_and(|most| shown.size() < most) {
            gateway.pause().await;
            said = gateway.fetch(HEAD).await?;
            let Some(again) = self.head(&said, told) else {
                return Ok(());
            };
            shown = again;
        }
        let text = String::from_utf8_lossy(&said.bytes).into_owned();
        for known in known {
            let (judgement, tiles) = compare(gateway, Some(known.0), &shown).await?;
            if judgement.is_alarm() {
                let seen = (judgement, &shown, text.as_str(), tiles);
                self.alarm(gateway, known, seen, now(), told).await?;
            }
        }
        Ok(())
    }

    fn last_note(&self) -> String {
        let last = self.state.last.as_ref();
        last.map(|last| last.note.clone()).unwrap_or_default()
    }

    fn head(&self, said: &Fetched, told: &mut Told) -> Option<Head> {
        if said.status != 200 {
            told.undone(words::no_head(said.status));
            return None;
        }
        let text = String::from_utf8_lossy(&said.bytes);
        match Head::read(&self.state.log, &text) {
            Ok(head) => Some(head),
            Err(bad) => {
                let alarm = words::not_ours(bad, self.state.log.origin());
                told.alarms.push(alarm);
                None
            }
        }
    }

    /// Keeps both heads and says it.
    async fn alarm(
        &self,
        gateway: &mut impl Gateway,
        (known, known_note, source): (&Head, &str, Source),
        (judgement, shown, shown_note, mut tiles): (Judgement, &Head, &str, Tiles),
        now: When,
        told: &mut Told,
    ) -> Result<(), ClientFault> {
        let found = Contradiction {
            judgement,
            known: known_note,
            known_head: known,
            shown: shown_note,
            shown_head: shown,
            source,
        };
        let dir = self.state.evidence();
        let mut says = words::alarm(judgement, known, source, shown);
        if !found.is_kept(&dir) {
            if judgement == Judgement::Rewritten && shown.size() <= KEPT_ENTRIES_MAX {
                // Enough for anyone to compute both roots anew.
                let leaves = |path: &TilePath| path.kind == TileKind::Hashes { level: 0 };
                for path in TilePath::all(shown.size()).filter(leaves) {
                    // Without them the heads are kept all the same.
                    if tile(gateway, &mut tiles, &path).await.is_err() {
                        break;
                    }
                }
            }
            let mut files: Vec<(String, Vec<u8>)> = tiles.into_iter().collect();
            if judgement == Judgement::Rewritten {
                files.push((CHECKPOINT_PATH.to_owned(), shown_note.as_bytes().to_vec()));
            }
            let folder = found.keep(&dir, &self.state.log, now, &files)?;
            let last = self.state.last.as_ref();
            let vouched = last.is_some_and(|last| last.head == *shown);
            let advice = words::advice(judgement, vouched, &folder);
            says = format!("{says}\n{advice}");
        }
        if !told.alarms.contains(&says) {
            told.alarms.push(says);
        }
        Ok(())
    }
}

/// Judges a head by the tiles that the gateway serves, and gives those that were used.
async fn compare(
    gateway: &mut impl Gateway,
    before: Option<&Head>,
    shown: &Head,
) -> Result<(Judgement, Tiles), ClientFault> {
    let mut tiles = Tiles::new();
    let mut hashes: Vec<Hash> = Vec::new();
    for subtree in witness::needed(before, shown) {
        let Some(path) = subtree.tile(shown.size()) else {
            break;
        };
        let bytes = tile(gateway, &mut tiles, &path).await?;
        match bytes.and_then(|bytes| subtree.hash_in(bytes)) {
            Some(hash) => hashes.push(hash),
            // What is missing proves nothing.
            None => break,
        }
    }
    Ok((witness::judge(before, shown, &hashes), tiles))
}

/// A tile, fetched once a round; `None` if the gateway has none.
async fn tile<'a>(
    gateway: &mut impl Gateway,
    tiles: &'a mut Tiles,
    path: &TilePath,
) -> Result<Option<&'a Vec<u8>>, ClientFault> {
    let name = path.to_string();
    if !tiles.contains_key(&name) {
        let said = gateway.fetch(&format!("/log/{name}")).await?;
        match said.status {
            200 => {
                // Larger than a tile is none.
                let bytes = (said.bytes.len() as u64 <= TILE_WIDTH * 32).then_some(said.bytes);
                tiles.insert(name.clone(), bytes.unwrap_or_default());
            }
            404 => return Ok(None),
            _ => return Err(ClientFault::Log),
        }
    }
    Ok(tiles.get(&name))
}

#[cfg(test)]
mod tests;
