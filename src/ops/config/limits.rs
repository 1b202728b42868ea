//! `limits.*`: how much the gateway takes, each with its unit in its name and its bounds here.
//!
//! A limit protects the gateway from its callers. None of them can be set so that a promise ends.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ConfigError;
use crate::edge::limits::Rate;
use crate::edge::server;

/// Defaults suit a borough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    pub connections_max: u32,
    pub connections_per_organisation_max: u32,
    pub handshakes_max: u32,
    pub handshakes_per_address_max: u32,
    pub handshake_s: u32,
    pub request_head_s: u32,
    pub idle_s: u32,
    pub write_s: u32,
    pub connection_age_s: u32,
    pub finish_s: u32,
    pub request_head_bytes_max: u32,
    pub request_headers_max: u32,
    pub streams_per_connection_max: u32,
    pub requests_per_user_per_minute: u32,
    pub requests_per_user_burst: u32,
    pub requests_per_organisation_per_minute: u32,
    pub requests_per_organisation_burst: u32,
    pub kept_room_mib: u32,
    pub store_connections_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1_024,
            connections_per_organisation_max: 128,
            handshakes_max: 256,
            handshakes_per_address_max: 64,
            handshake_s: 10,
            request_head_s: 30,
            idle_s: 60,
            write_s: 30,
            connection_age_s: 600,
            finish_s: 45,
            request_head_bytes_max: 16 * 1_024,
            request_headers_max: 64,
            streams_per_connection_max: 100,
            requests_per_user_per_minute: 120,
            requests_per_user_burst: 30,
            requests_per_organisation_per_minute: 6_000,
            requests_per_organisation_burst: 1_000,
            kept_room_mib: 256,
            store_connections_max: 16,
        }
    }
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let bounds: [(&'static str, u32, u32, u32); 19] = [
            ("limits.connections_max", self.connections_max, 1, 100_000),
            (
                "limits.connections_per_organisation_max",
                self.connections_per_organisation_max,
                1,
                100_000,
            ),
            ("limits.handshakes_max", self.handshakes_max, 1, 100_000),
            (
                "limits.handshakes_per_address_max",
                self.handshakes_per_address_max,
                1,
                100_000,
            ),
            ("limits.handshake_s", self.handshake_s, 1, 120),
            ("limits.request_head_s", self.request_head_s, 1, 120),
            ("limits.idle_s", self.idle_s, 35, 3_600),
            // P8: bytes of an earlier commit may follow for no longer than this.
            ("limits.write_s", self.write_s, 1, 120),
            ("limits.connection_age_s", self.connection_age_s, 60, 86_400),
            ("limits.finish_s", self.finish_s, 1, 300),
            (
                "limits.request_head_bytes_max",
                self.request_head_bytes_max,
                8 * 1_024,
                64 * 1_024,
            ),
            (
                "limits.request_headers_max",
                self.request_headers_max,
                16,
                256,
            ),
            (
                "limits.streams_per_connection_max",
                self.streams_per_connection_max,
                1,
                1_000,
            ),
            (
                "limits.requests_per_user_per_minute",
                self.requests_per_user_per_minute,
                1,
                100_000,
            ),
            (
                "limits.requests_per_user_burst",
                self.requests_per_user_burst,
                1,
                100_000,
            ),
            (
                "limits.requests_per_organisation_per_minute",
                self.requests_per_organisation_per_minute,
                1,
                1_000_000,
            ),
            (
                "limits.requests_per_organisation_burst",
                self.requests_per_organisation_burst,
                1,
                1_000_000,
            ),
            // Below two segments the journal could not take her withdrawal on a full disk.
            ("limits.kept_room_mib", self.kept_room_mib, 128, 1_000_000),
            (
                "limits.store_connections_max",
                self.store_connections_max,
                4,
                1_000,
            ),
        ];
        for (key, value, min, max) in bounds {
            if !(min..=max).contains(&value) {
                let (min, max) = (u64::from(min), u64::from(max));
                return Err(ConfigError::Range { key, min, max });
            }
        }
        Ok(())
    }

    /// What the listeners obey.
    pub fn of_server(&self) -> server::Limits {
        let seconds = |value: u32| Duration::from_secs(u64::from(value));
        server::Limits {
            connections_max: self.connections_max as usize,
            connections_per_organisation_max: self.connections_per_organisation_max as usize,
            handshakes_max: self.handshakes_max as usize,
            handshakes_per_address_max: self.handshakes_per_address_max as usize,
            handshake: seconds(self.handshake_s),
            head: seconds(self.request_head_s),
            idle: seconds(self.idle_s),
            write: seconds(self.write_s),
            age: seconds(self.connection_age_s),
            finish: seconds(self.finish_s),
            head_bytes_max: self.request_head_bytes_max,
            headers_max: self.request_headers_max as usize,
            streams_max: self.streams_per_connection_max,
        }
    }

    pub fn per_user(&self) -> Rate {
        Rate {
            per_minute: self.requests_per_user_per_minute,
            burst: self.requests_per_user_burst,
        }
    }

    pub fn per_organisation(&self) -> Rate {
        Rate {
            per_minute: self.requests_per_organisation_per_minute,
            burst: self.requests_per_organisation_burst,
        }
    }

    pub fn kept_room_bytes(&self) -> u64 {
        u64::from(self.kept_room_mib) * 1_024 * 1_024
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_listeners() {
        assert_eq!(Limits::default().of_server(), server::Limits::default());
        assert!(Limits::default().check().is_ok());
    }

    #[test]
    fn a_limit_out_of_bounds_is_named() {
        let limits = Limits {
            idle_s: 10,
            ..Limits::default()
        };
        let error = limits.check().unwrap_err();
        assert_eq!(error.to_string(), "limits.idle_s must be 35 to 3600");
    }
}
