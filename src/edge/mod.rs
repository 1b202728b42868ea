//! Where the network ends: TLS, HTTP, and the JSON and FHIR that partners speak.

pub mod client;
pub mod fhir;
pub mod http;
pub mod limits;
pub mod metrics;
pub mod server;
pub mod tls;
pub mod wire;
pub mod witnesses;
