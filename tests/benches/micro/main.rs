//! What a flow and an address cost in each pure step, from a record's bytes to the prefixes found.
//!
//! `cargo bench --bench micro` runs all of it and then prints what an address takes in memory. `-- count` runs what
//! has that in its path, `-- memory` prints the memory alone, `-- --test` runs everything once and small. With
//! `HOTPREFIX_MICRO_LARGE=1` there are ten million addresses, too, which takes gigabytes of memory and minutes.
//!
//! There is no Kafka and no second thread in it. Loads are the same in every run.

mod count;
mod decode;
mod detect;
mod leaves;
mod memory;
mod partial;
mod plans;
mod records;
mod select;
mod size;

fn main() {
    let args = std::env::args().skip(1);
    let chosen: Vec<_> = args.filter(|arg| !arg.starts_with('-')).collect();
    if chosen != ["memory"] {
        divan::main();
    }
    if chosen.is_empty() || chosen == ["memory"] {
        memory::print();
    }
}
