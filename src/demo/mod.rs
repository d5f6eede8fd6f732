//! `hotprefix demo`: the whole service on synthetic traffic, with nothing installed.
//!
//! In: a seed and a rate. Out: [`Event`]s: the service's committed alerts as its consumers read them, and
//! numbers. Everything but the cluster is real. On failure of any part the demo ends with its error.

mod feed;
mod play;
mod scenario;
mod settings;
mod summary;

pub use play::{DemoError, Event, Options, run};
pub use scenario::{Attack, MIN_RATE, Scenario, THRESHOLD_BITS_PER_SECOND, WINDOW_SECONDS};
pub use settings::{APPLICATION, INTERNAL_PARTITIONS, PARTITIONS, TOPIC, configuration};
