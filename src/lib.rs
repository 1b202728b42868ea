#![doc = include_str!("README.md")]

pub mod pipeline;

pub mod domain;
pub mod store;

pub mod edge;
pub mod web;

pub mod ops;
