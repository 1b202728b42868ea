//! One attempt, as 256 fixed bytes of salted commitments.
