//! Opens what the configuration names: keys, rules and store, as one [`Gateway`].
//!
//! `serve`, `init`, `doctor` and the demo all come through here, so that what one of them finds
//! good is what another starts with. Nothing starts on a half: any error ends it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use super::clock::now;
use super::config::{Config, StoreChoice};
use super::keys::{KeyError, KeySource, KeyUse, RootKey, log_key};
use super::rules::{self, RulesError};
use crate::domain::passkey::Site;
use crate::domain::quorum::{BadPolicy, POLICY_BYTES_MAX, Quorum};
use crate::domain::rulebook::built_in_hash;
use crate::edge::tls::{ClientTls, Clock, TlsError, database_client};
use crate::edge::witnesses::OutsideWitness;
use crate::pipeline::{Gateway, Witnesses};
use crate::store::Fault;
use crate::store::Store;
use crate::store::journal::{self, Journal, JournalConfig, SEGMENT_BYTES_DEFAULT};
use crate::store::keys::StoreKeys;
use crate::store::postgres::{self, Postgres, PostgresConfig};

/// What the operator must fix.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Keys(#[from] KeyError),
    #[error(transparent)]
    Rules(#[from] RulesError),
    #[error(
        "policies_dir: {0} holds other policies, or another list of words, than those in force, which \
         only two people of two organisations change. Propose them: `firedoor client propose policy \
         {0}`. Leave in policies_dir what is the operator's: clock, watch, retention and instruments"
    )]
    OtherRulebook(PathBuf),
    #[error("which policies are in force cannot be read: {0}")]
    TakeUp(#[source] Fault),
    #[error("the store does not open: {0}")]
    Journal(#[from] Box<journal::OpenError>),
    #[error("the store does not open: {0}")]
    Postgres(#[from] Box<postgres::OpenError>),
    #[error("store_ca: cannot read {0} ({1})")]
    ServerCa(PathBuf, #[source] std::io::Error),
    #[error("store_ca: {0}")]
    DatabaseTls(#[from] TlsError),
    #[error("log.policy: cannot read {0} ({1})")]
    WitnessPolicy(PathBuf, #[source] std::io::Error),
    #[error("log.policy: {0}")]
    BadWitnessPolicy(#[from] BadPolicy),
    #[error("log.policy names logs, and none of them is this one: put {0} into its log line")]
    OtherLog(String),
    #[error("log.witness_ca: cannot read {0} ({1})")]
    WitnessCa(PathBuf, #[source] std::io::Error),
    #[error("log.witness_ca: {0}")]
    WitnessTls(#[source] TlsError),
    #[error("the store's thread broke while it opened")]
    Broken,
}

/// Reads the root key, checks the rules, then opens the store; the first two are quick to fix.
pub async fn open(config: &Config) -> Result<Gateway, OpenError> {
    let root = RootKey::read(&config.key_path)?;
    let rules = rules::load(config.policies_dir.as_deref(), &root)?;
    let configured = match &config.policies_dir {
        Some(dir) => rules::book(dir)?.map(|book| (dir, book.hash())),
        None => None,
    };
    let witnesses = Witnesses::new(quorum(config, &root)?);
    let store = open_store(config, &root).await?;
    let gateway = Gateway {
        witnesses,
        passkeys: Site::new(&config.public_host),
        store: Arc::new(store),
        tallies: Arc::default(),
        rules: ArcSwap::from_pointee(rules),
        now,
        latest: AtomicI64::new(0),
        random,
        taking_up: Mutex::const_new(()),
    };
    match under_the_rulebook_in_force(&gateway, configured).await {
        Ok(()) => Ok(gateway),
        Err(error) => {
            // What was opened is closed in order, so that the next start need not rebuild.
            let _ = gateway.store.close().await;
            Err(error)
        }
    }
}

/// Takes up what two people put in force, or what is built in. A folder with anything else does
/// not start; but one that was left behind when two people agreed on another must not keep a
/// gateway from starting again under that.
async fn under_the_rulebook_in_force(
    gateway: &Gateway,
    configured: Option<(&PathBuf, [u8; 32])>,
) -> Result<(), OpenError> {
    let adopted = gateway.take_up().await.map_err(OpenError::TakeUp)?;
    let in_force = adopted.as_ref().map_or_else(built_in_hash, |one| one.hash);
    let Some((dir, _)) = configured.filter(|(_, hash)| *hash != in_force) else {
        return Ok(());
    };
    if adopted.is_none() {
        return Err(OpenError::OtherRulebook(dir.clone()));
    }
    tracing::warn!(
        dir = %dir.display(),
        "policies_dir holds other policies than those that two people put in force; they are not used"
    );
    Ok(())
}

/// Who must have seen the log; `None` if nobody is named.
fn quorum(config: &Config, keys: &impl KeySource) -> Result<Option<Quorum>, OpenError> {
    let Some(path) = &config.witness_policy else {
        return Ok(None);
    };
    let unreadable = |error| OpenError::WitnessPolicy(path.clone(), error);
    if std::fs::metadata(path).map_err(unreadable)?.len() > POLICY_BYTES_MAX as u64 {
        return Err(BadPolicy::TooLarge.into());
    }
    let quorum = Quorum::parse(&std::fs::read_to_string(path).map_err(unreadable)?)?;
    let own = log_key(keys, &config.origin)?.verifier().vkey();
    let logs = quorum.logs();
    if !logs.is_empty() && !logs.iter().any(|log| log.key.vkey() == own) {
        return Err(OpenError::OtherLog(own));
    }
    Ok(Some(quorum))
}

/// The witnesses that are asked by us, and whom to trust as their servers.
pub fn outside_witnesses(config: &Config) -> Result<Vec<Arc<OutsideWitness>>, OpenError> {
    let tls = match &config.witness_ca {
        None => None,
        Some(path) => {
            let pem = std::fs::read(path);
            let pem = pem.map_err(|error| OpenError::WitnessCa(path.clone(), error))?;
            let clock: Clock = Arc::new(now);
            Some(ClientTls::new(&pem, None, clock).map_err(OpenError::WitnessTls)?)
        }
    };
    let asked = config.witnesses.iter().cloned();
    Ok(asked
        .map(|address| Arc::new(OutsideWitness::new(address, tls.clone())))
        .collect())
}

async fn open_store(config: &Config, keys: &impl KeySource) -> Result<Store, OpenError> {
    match store_config(config, keys)? {
        StoreConfig::Embedded(journal) => {
            // It reads and checks the whole log.
            let opened = tokio::task::spawn_blocking(move || Journal::open(*journal)).await;
            let journal = opened.map_err(|_| OpenError::Broken)?.map_err(Box::new)?;
            Ok(Store::Embedded(journal))
        }
        StoreConfig::Postgres(postgres) => {
            let postgres = Postgres::open(*postgres).await.map_err(Box::new)?;
            Ok(Store::Postgres(postgres))
        }
    }
}

/// What a store is opened with, copied from, or put back into.
pub enum StoreConfig {
    Embedded(Box<JournalConfig>),
    Postgres(Box<PostgresConfig>),
}

pub fn store_config(config: &Config, keys: &impl KeySource) -> Result<StoreConfig, OpenError> {
    let keys = StoreKeys {
        index_key: keys.key(KeyUse::StoreIndex)?,
        slot_key: keys.key(KeyUse::StoreSlots)?,
        log: log_key(keys, &config.origin)?,
    };
    match &config.store {
        StoreChoice::Embedded { slots } => Ok(StoreConfig::Embedded(Box::new(JournalConfig {
            data_dir: config.data_dir.clone(),
            slots: slots.clone(),
            keys,
            segment_bytes: SEGMENT_BYTES_DEFAULT,
            kept_room_bytes: config.limits.kept_room_bytes(),
        }))),
        StoreChoice::Postgres {
            url,
            slots_url,
            server_ca,
        } => {
            let tls = match server_ca {
                Some(path) => {
                    let pem = std::fs::read(path)
                        .map_err(|error| OpenError::ServerCa(path.clone(), error))?;
                    let clock: Clock = Arc::new(now);
                    Some(database_client(&pem, clock)?)
                }
                None => None,
            };
            Ok(StoreConfig::Postgres(Box::new(PostgresConfig {
                url: url.as_str().to_owned(),
                slots_url: slots_url.as_str().to_owned(),
                tls,
                keys,
                pool_size: config.limits.store_connections_max as usize,
            })))
        }
    }
}

/// Randomness of the operating system, for one attempt.
///
/// # Panics
/// If there is none. An attempt with guessable salts must not be recorded; the caller gets a 500.
pub fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    let filled = getrandom::fill(&mut bytes).is_ok();
    assert!(filled, "the operating system gives randomness");
    bytes
}
