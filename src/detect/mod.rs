//! Deltas and markers of one partials partition → alerts and window records. Pure.
