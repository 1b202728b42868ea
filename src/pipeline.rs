//! The life of a request, top to bottom: one line per stage.
