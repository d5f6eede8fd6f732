//! Deltas and markers of one partials partition → alerts and window records. Pure.
//!
//! In: the records of a partials partition in log order, and real time as an argument where an
//! operator's patience is measured. Out: [`Emission`]s, each to be committed as one transaction:
//! alerts, one record for every window, changes of the saved state, and the offset to go on from.
//! Guarantees: a window is finalised at the marker with which its last expected source closed it,
//! and what is written then depends on the log alone; a task made anew from committed state and
//! offset writes exactly what is missing. On failure: an emission whose commit failed, or whose fate
//! is unknown, is dropped together with its task.

mod columns;
mod emission;
mod emit;
mod finalise;
mod handover;
mod life;
pub mod pass;
mod render;
mod source;
mod store;
mod task;
#[cfg(test)]
mod tests;
mod track;
mod wire;

pub use emission::{Emission, SHARED_ALERTS, SHARED_WINDOWS, StateChange};
pub use finalise::EMPTY_WINDOWS;
pub use render::alert_id;
pub use task::{DetectPlan, DetectTask};
pub use wire::{STATE_VERSION, StateError};
