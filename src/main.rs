//! The `hotprefix` command.

fn main() {}
