//! `hotprefix demo`: the whole service on synthetic traffic, with nothing installed.

mod scenario;

pub use scenario::{Attack, MIN_RATE, Scenario, THRESHOLD_BITS_PER_SECOND, WINDOW_SECONDS};
