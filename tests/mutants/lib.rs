//! The pure modules of hotprefix and its configuration, with their unit tests: what is mutated and what notices.

pub mod net;
pub mod time;
pub mod units;

pub mod flow;
pub mod rule;
pub mod window;

pub mod partial;

pub mod count;
pub mod detect;

pub mod alert;

pub mod proto;

pub mod config;

pub mod replay;
