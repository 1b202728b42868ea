//! What a caller keeps: proof that the attempt is in the log.
