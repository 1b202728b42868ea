//! The RFC 6962 tree over the leaves.
