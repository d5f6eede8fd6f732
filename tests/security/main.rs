//! Security on a real Kafka: who may connect, what each right is for, and what is never shown.

mod connecting;
mod http;
mod rights;
#[path = "../broker/run.rs"]
mod run;
mod secrets;
#[path = "../support/mod.rs"]
mod support;
mod table;
