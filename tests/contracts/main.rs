//! Contracts with the world outside: what is committed is what the code does.

mod cli;
mod compat;
mod config;
mod dashboards;
mod health;
mod image;
mod layers;
mod links;
mod pages;
mod rules_doc;
mod schemas;
mod topics;
mod troubleshooting;
