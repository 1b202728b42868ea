//! The rules of sharing: pure and synchronous. No clock, no randomness, no IO, no async.

pub mod id;
pub mod peer;
pub mod time;

pub mod clock;
pub mod person;

pub mod firewall;

pub mod checkpoint;
pub mod leaf;
pub mod merkle;
pub mod receipt;
