//! Types generated from `proto/`.
#![allow(missing_docs, clippy::pedantic, unreachable_pub)]

/// Our own formats: alerts, partials, state.
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/hotprefix.v1.rs"));
}

/// The minimal enriched flow that the demo and the tests write.
pub mod flow {
    include!(concat!(env!("OUT_DIR"), "/flow.v1.rs"));
}
