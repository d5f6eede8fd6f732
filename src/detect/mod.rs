//! Deltas and markers of one partials partition → alerts and window records. Pure.

mod columns;
pub mod pass;
mod store;
