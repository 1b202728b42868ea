//! Everything about running the gateway: configuration, keys, certificates, the command line.

pub mod clock;
pub mod pki;
