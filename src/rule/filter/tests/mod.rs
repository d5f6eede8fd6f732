mod differential;
mod errors;
mod semantics;

use super::Filter;
use crate::rule::sets::{NamedSet, Sets};
use crate::units::Scalar;

/// A few named sets.
fn sets() -> Sets {
    let list = |items: &[&str]| {
        NamedSet::from_list(&items.iter().map(|i| Scalar::from(*i)).collect::<Vec<_>>())
    };
    Sets::from([
        (
            "borders".to_owned(),
            NamedSet::from_file("# routers\n192.0.2.1\n198.51.100.0/24 # a rack\n2001:db8::1\n"),
        ),
        ("peers".to_owned(), list(&["64496", "64497"])),
        ("protocols".to_owned(), list(&["tcp", "17"])),
        ("uplinks".to_owned(), list(&["ge-0/0/0", "DFN uplink"])),
        ("none".to_owned(), NamedSet::default()),
    ])
}

fn compiled(source: &str) -> Filter {
    match Filter::compile(source, &sets()) {
        Ok(filter) => filter,
        Err(errors) => panic!("{source}: {}", errors[0]),
    }
}
