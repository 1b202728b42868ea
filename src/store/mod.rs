//! The only place that writes. A record and its log leaf are committed together or not at all.
