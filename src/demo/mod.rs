//! `hotprefix demo`: the whole service on synthetic traffic, with nothing installed.

mod scenario;
mod settings;

pub use scenario::{Attack, MIN_RATE, Scenario, THRESHOLD_BITS_PER_SECOND, WINDOW_SECONDS};
pub use settings::{APPLICATION, INTERNAL_PARTITIONS, PARTITIONS, TOPIC, configuration};
