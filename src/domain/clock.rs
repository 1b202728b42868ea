//! Deadlines of the Victims' Code, counted in working days of England and Wales.
