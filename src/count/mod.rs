//! Flows of one input partition → additive deltas and progress markers. Pure.
