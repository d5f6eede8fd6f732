//! Delivery on a real Kafka: what the mock cluster and unit tests cannot show.

#[path = "../support/mod.rs"]
mod support;

mod harness;
