//! The rules of sharing: pure and synchronous. No clock, no randomness, no IO, no async.

pub mod codes;
pub mod id;
pub mod peer;
pub mod time;

pub mod attempt;
pub mod clock;
pub mod organisation;
pub mod other_party;
pub mod person;

pub mod alias;
pub mod asking;
pub mod assessment;
pub mod audit;
pub mod card;
pub mod consent;
pub mod counterfoil;
pub mod custody;
pub mod device;
pub mod emergency;
pub mod governance;
pub mod instrument;
pub mod linkage;
pub mod notice;
pub mod passkey;
pub mod referral;
pub mod refusal;
pub mod restoration;
pub mod retention;
pub mod returns;
pub mod sealed_item;
pub mod stop_use;
pub mod subject_access;
pub mod transfer;

pub mod firewall;
pub mod policy;

pub mod explaining;
pub mod journey;

pub mod answer;
pub mod decision;
pub mod draft;
pub mod known;
pub mod logged;
pub mod record;
pub mod rulebook;
pub mod rules;
pub mod ruling;
pub mod seal;
pub mod session;

pub mod handover;
pub mod watch;

pub mod checkpoint;
pub mod cosignature;
pub mod cosigned;
pub mod leaf;
pub mod merkle;
pub mod note;
pub mod opening;
pub mod quorum;
pub mod receipt;
pub mod report;
pub mod rollback;
pub mod subtree;
pub mod succession;
pub mod tally;
pub mod tiles;
pub mod trail;
pub mod witness;
pub mod witnessing;
