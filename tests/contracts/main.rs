//! Contracts with the world outside: what is committed is what the code does.

mod cli;
mod compat;
mod config;
mod health;
mod image;
mod layers;
mod rules_doc;
mod schemas;
mod topics;
