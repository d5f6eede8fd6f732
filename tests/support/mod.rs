//! What the broker tests stand on: a real Kafka, clients of it, the `hotprefix` binary, flows and a model.
//!
//! Nothing here skips: where a tool is missing, the test fails and says what to install. Everything
//! that is started is killed by its id when its handle is dropped, and by the kernel
//! when the test process itself dies.

// Several test targets include this module, and each uses a part of it.
#![allow(dead_code)]

pub(crate) mod app;
pub(crate) mod authority;
pub(crate) mod encode;
pub(crate) mod first_contact;
pub(crate) mod flows;
pub(crate) mod handover;
pub(crate) mod issuer;
pub(crate) mod kafka_acls;
pub(crate) mod kafka_client;
pub(crate) mod kafka_node;
pub(crate) mod kafka_secure;
pub(crate) mod kafka_writer;
pub(crate) mod model;
pub(crate) mod outcome;
pub(crate) mod prefixes;
pub(crate) mod process;
pub(crate) mod rules;
pub(crate) mod scrape;
pub(crate) mod tools;
pub(crate) mod topics;
pub(crate) mod vectors;
pub(crate) mod wait;
