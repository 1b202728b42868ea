//! Everything about running the gateway: configuration, keys, certificates, the command line.

pub mod cli;
pub mod client;
pub mod clock;
pub mod condition;
pub mod config;
pub mod demo;
pub mod evaluate;
pub mod gateway;
pub mod init;
pub mod keys;
pub mod pki;
pub mod rules;
pub mod serve;
pub mod telemetry;

mod backup;
mod bench;
mod cert;

mod doctor;
mod migrate;
mod policy;
mod renewing;
mod restore;
