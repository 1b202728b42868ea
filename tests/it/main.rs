//! The gateway as the outside sees it: real sockets, real certificates, real files.

mod abuse;
mod architecture;
mod at_rest;
mod backup;
mod bad_input;
mod batch;
mod browser;
mod can_meet;
mod canary;
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    reason = "shared with the tests of the store, which use all of it"
)]
#[path = "../../src/store/postgres/cluster.rs"]
mod cluster;
mod compile_fail;
mod custody;
mod declared;
mod demo;
mod district;
mod drafts;
mod emergencies;
mod evidence;
mod exports;
mod fhir;
mod fhir_breaks;
mod fhir_broken;
mod fhir_desk;
mod fhir_records;
mod fhir_resources;
mod forgetting;
mod hand_back;
mod held_text;
mod her_consent;
mod hold;
mod ig_seal;
mod ig_silence;
mod kept_log;
mod kills;
mod linkage_fuzz;
mod links;
mod no_joining;
mod no_place;
mod nodes;
mod other_party;
mod outside;
mod outside_witness;
mod pages;
mod pages_attacks;
mod pages_devices;
mod pages_fields;
mod pages_officer;
mod pages_provider;
mod pages_silence;
mod pages_word;
mod people;
mod policy_change;
mod proofs;
mod readme;
mod renewals;
mod reports;
mod restart;
mod restored;
mod returns;
mod screen_fuzz;
mod sealed_items;
mod serve;
mod she_moves;
mod she_stops_it;
mod silence;
mod subject_access;
mod tampering;
mod tell_it_once;
mod tier;
mod tls;
mod town;
mod two_ends;
mod urgency;
mod verify;
mod witnesses;
mod words;
