//! Firedoor: a gateway through which agencies exchange victim-support referrals.
//! Read [`pipeline`] first.

pub mod pipeline;

pub mod domain;
pub mod store;

pub mod edge;
pub mod ops;
