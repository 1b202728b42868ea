//! Where the network ends: TLS, HTTP, and the JSON and FHIR that partners speak.

pub mod tls;
