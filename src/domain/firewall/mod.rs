//! The immigration firewall: what may be told to whom.

pub mod text;
