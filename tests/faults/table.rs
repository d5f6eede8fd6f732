//! What is printed of a trial: how long each fault took to be overcome, and memory.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::collector::Collector;
use crate::supervisor::Ended;
use crate::trial::{Happened, memory};

/// Prints it all.
pub(crate) fn print(happened: &[Happened], collector: &Collector, ended: &Ended) {
    let progress = collector.progress();
    let windows = collector.windows();
    println!(
        "\n   {:<44} {:>7} {:>9} {:>9}",
        "fault", "lasted", "counted", "window"
    );
    for fault in happened {
        let Happened {
            what,
            began,
            ended,
            note,
        } = fault;
        let lasted = ended.map(|e| e - *began);
        let counted = ended.and_then(|ended| counted(&progress, ended));
        let window = ended.and_then(|ended| {
            let next = windows.iter().find(|at| **at > ended);
            next.map(|at| *at - ended)
        });
        println!(
            "   {what:<44} {:>7} {:>9} {:>9} {note}",
            text(lasted),
            text(counted),
            text(window)
        );
    }
    println!(
        "   counted: from its end until each input partition had a commit again; window: until the next final one"
    );
    let memory: Vec<_> = memory(ended).collect();
    let most = memory.iter().map(|(.., most)| *most).max().unwrap_or(0);
    println!(
        "   {} processes, {} killed, at most {} MiB resident",
        memory.len(),
        ended.killed,
        most / 1024
    );
    for surprise in &ended.surprises {
        println!("   ended by itself: {surprise}");
    }
}

fn text(time: Option<Duration>) -> String {
    time.map_or("-".to_owned(), |t| format!("{:.1}s", t.as_secs_f64()))
}

/// From `ended` until each partition that had made progress before has made some again. `None` where one never did, as
/// after the end of the load.
fn counted(progress: &[(Instant, i32)], ended: Instant) -> Option<Duration> {
    let (before, after): (Vec<_>, Vec<_>) = progress.iter().partition(|(at, _)| *at <= ended);
    let known: BTreeSet<i32> = before.iter().map(|(_, partition)| *partition).collect();
    let first = known.iter().map(|partition| {
        let found = after.iter().find(|(_, p)| p == partition);
        found.map(|(at, _)| *at - ended)
    });
    first.collect::<Option<Vec<_>>>()?.into_iter().max()
}
