//! Live traffic that goes on in the background, and what can go wrong with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::support::flows::{Flow, Outgoing};
use crate::support::kafka_client::Writer;
use crate::support::kafka_node::Cluster;
use crate::support::{encode, wait};

pub(crate) const PARTITIONS: usize = 4;
/// The one whose broker is stopped.
pub(crate) const FRAGILE: usize = 3;
const TURN: Duration = Duration::from_millis(50);
/// To each partition in each turn: 400 records/s in all.
const RECORDS: u64 = 5;
/// How far behind late flows are: many windows.
const LATENESS_MS: i64 = 60_000;

/// How the traffic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Traffic {
    /// Each flow in time, in a known format, with its sampling rate.
    Fine,
    /// A fifth is garbage, and a fifth does not say its sampling rate.
    Garbage,
    /// A fifth is a minute behind.
    Late,
    /// Fine, but nothing for the partition [`FRAGILE`].
    WithoutFragile,
    /// No more.
    End,
}

struct Shared {
    traffic: AtomicU8,
    turns: AtomicU64,
    written: AtomicU64,
}

/// The traffic. Dropped: ended.
pub(crate) struct Feed {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Feed {
    /// Begins with traffic that is fine.
    pub(crate) fn start(cluster: &Cluster, topic: &str) -> Self {
        let writer = Writer::new(cluster, topic);
        let shared = Arc::new(Shared {
            traffic: AtomicU8::new(Traffic::Fine as u8),
            turns: AtomicU64::new(0),
            written: AtomicU64::new(0),
        });
        let seen = Arc::clone(&shared);
        let thread = thread::spawn(move || run(&writer, &seen));
        Self {
            shared,
            thread: Some(thread),
        }
    }

    /// From now on the traffic is so; returns when what was under way is written.
    pub(crate) fn set(&self, traffic: Traffic) {
        self.shared.traffic.store(traffic as u8, Ordering::SeqCst);
        let turns = self.shared.turns.load(Ordering::SeqCst);
        let patience = Duration::from_mins(1);
        wait::until("the feed goes on", patience, TURN, || {
            // The turn that was under way, and one that has seen the change.
            (self.shared.turns.load(Ordering::SeqCst) >= turns + 2).then_some(())
        });
    }

    /// Ends it and tells how many records were written in all.
    pub(crate) fn end(mut self) -> u64 {
        self.stop();
        self.shared.written.load(Ordering::SeqCst)
    }

    fn stop(&mut self) {
        let end = Traffic::End as u8;
        self.shared.traffic.store(end, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // Its panic has been printed; what waits for its records will say the rest.
            let _ = thread.join();
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(writer: &Writer, shared: &Shared) {
    let is = |traffic: Traffic| shared.traffic.load(Ordering::SeqCst) == traffic as u8;
    while !is(Traffic::End) {
        let now = jiff::Timestamp::now().as_millisecond();
        let partitions = if is(Traffic::WithoutFragile) {
            FRAGILE
        } else {
            PARTITIONS
        };
        let (garbage, late) = (is(Traffic::Garbage), is(Traffic::Late));
        let record = |partition: usize, number: u64| {
            let mut flow = Flow::plain(now);
            match number {
                0 if garbage => flow.rate = 0,
                0 if late => flow.received -= LATENESS_MS,
                _ => {}
            }
            let junk = garbage && number == 1;
            Outgoing {
                partition: partition as i32,
                timestamp: now,
                payload: Some(if junk {
                    b"{".to_vec()
                } else {
                    encode::encode(&flow)
                }),
            }
        };
        let records: Vec<_> = (0..partitions)
            .flat_map(|partition| (0..RECORDS).map(move |number| (partition, number)))
            .map(|(partition, number)| record(partition, number))
            .collect();
        writer.write(&records);
        let written = records.len() as u64;
        shared.written.fetch_add(written, Ordering::SeqCst);
        shared.turns.fetch_add(1, Ordering::SeqCst);
        wait::pass(TURN);
    }
}
