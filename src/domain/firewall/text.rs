//! The text screen: finds words about immigration in free text, and never lets them through.
