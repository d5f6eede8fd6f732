//! Security on a real Kafka: who may connect, what each right is for, and what is never shown.

mod connecting;
#[path = "../broker/run.rs"]
mod run;
#[path = "../support/mod.rs"]
mod support;
