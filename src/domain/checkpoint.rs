//! The signed head of the log (C2SP tlog-checkpoint, signed-note).
