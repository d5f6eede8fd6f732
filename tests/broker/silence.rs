//! Silence in real time: it closes a window when nothing more can come, and not before.

use std::time::{Duration, Instant};

use crate::support::app::Instance;
use crate::support::flows::{Flow, Outgoing};
use crate::support::kafka_client::{Incoming, Reader, Topic, Writer};
use crate::support::kafka_node::Cluster;
use crate::support::model::{BYTES, Key, Late, Lengths, Mode, Rule};
use crate::support::outcome::Message;
use crate::support::{app::App, encode, wait};

/// The shape of a silence test: how long a window is, and when it is silent.
pub(crate) struct Timing {
    pub(crate) interval: Duration,
    pub(crate) grace: Duration,
    pub(crate) idle_timeout: Duration,
}

impl Timing {
    fn rule(&self) -> Rule {
        Rule {
            name: "hosts",
            filter: "",
            selects: |_| true,
            key: Key::Dst,
            interval_ms: self.interval.as_millis() as i64,
            grace_ms: self.grace.as_millis() as i64,
            late: Late::Drop,
            mode: Mode::MostSpecific,
            ipv4: Lengths::List(vec![32]),
            ipv6: Lengths::List(vec![128]),
            thresholds: vec![(BYTES, vec![(0, 1_000)])],
            max_alerts: 10,
        }
    }
}

/// An application on a topic of its own, fed with flows of now.
struct Live<'c> {
    app: App<'c>,
    instance: Instance,
    writer: Writer,
    reader: Reader,
    interval_ms: i64,
}

impl<'c> Live<'c> {
    fn start(cluster: &'c Cluster, name: &str, timing: &Timing) -> Self {
        Topic::new(name, 2).create(cluster);
        let app = App::new(cluster, name, name, &[timing.rule()]).set(
            "time.idle_timeout",
            format!("{}ms", timing.idle_timeout.as_millis()),
        );
        let mut instance = app.start(0);
        instance.ready();
        let reader = Reader::new(cluster, &app.topic("windows"));
        let writer = Writer::new(cluster, name);
        let interval_ms = timing.interval.as_millis() as i64;
        Self {
            app,
            instance,
            writer,
            reader,
            interval_ms,
        }
    }

    /// Waits for the start of the next window, and gives it.
    fn next_window(&self) -> i64 {
        let now = now();
        let start = now - now.rem_euclid(self.interval_ms) + self.interval_ms;
        wait::pass(Duration::from_millis((start - now) as u64));
        start
    }

    /// Writes a flow to each partition every 100 ms from now to `until` after `start`; tells how many.
    fn feed(&self, start: i64, until: Duration) -> u64 {
        let end = start + until.as_millis() as i64;
        let mut flows = 0;
        while now() < end {
            for partition in 0..2 {
                let flow = Flow::plain(now());
                let payload = Some(encode::encode(&flow));
                self.writer.write(&[Outgoing {
                    partition,
                    timestamp: flow.received,
                    payload,
                }]);
                flows += u64::from(flow.received < start + self.interval_ms);
            }
            wait::pass(Duration::from_millis(100));
        }
        flows
    }

    /// Waits for the final record of the window at `start`.
    fn result(&mut self, start: i64) -> Message {
        let is_result = |m: &Message| m.is_final() && m.window_start() == start;
        let what = "the window is final";
        let found = self.reader.until(what, Duration::from_mins(3), |records| {
            records.iter().map(Incoming::message).any(|m| is_result(&m))
        });
        let mut found = found.iter().map(Incoming::message);
        found.find(is_result).expect("it was there")
    }
}

/// Both partitions are silent in the middle of a window, for longer than `idle_timeout`.
pub(crate) fn check_pause(name: &str, timing: &Timing, silent_from: Duration, to: Duration) {
    let mut live = Live::start(Cluster::shared(), name, timing);
    let start = live.next_window();
    let mut flows = live.feed(start, silent_from);
    let resume = start + to.as_millis() as i64;
    wait::pass(Duration::from_millis((resume - now()).max(0) as u64));
    flows += live.feed(
        start,
        timing
            .interval
            .checked_sub(Duration::from_millis(500))
            .unwrap(),
    );
    let result = live.result(start);
    assert_eq!(
        result.number(&["total", "flows"]),
        flows,
        "{}: {}",
        live.app.id,
        result.body
    );
    assert_eq!(result.number(&["late_flows"]), 0);
    live.instance.stop();
}

/// Nothing comes after an attack that fills the first half of a window.
pub(crate) fn check_end(name: &str, timing: &Timing) {
    let mut live = Live::start(Cluster::shared(), name, timing);
    let start = live.next_window();
    let flows = live.feed(start, timing.interval / 2);
    let last = Instant::now();
    let left = Duration::from_millis((start + live.interval_ms - now()).max(0) as u64);
    let due = timing.idle_timeout.max(left + timing.grace);
    let result = live.result(start);
    let took = last.elapsed();
    println!(
        "{}: final {took:?} after the last record, due after {due:?}",
        live.app.id
    );
    assert_eq!(result.number(&["total", "flows"]), flows);
    assert_eq!(result.number(&["alerts_written"]), 1);
    assert!(
        took >= left,
        "closed after {took:?}, before its end in {left:?}"
    );
    let bound = due + Duration::from_secs(2);
    assert!(
        took <= bound,
        "closed {took:?} after the last record: due was {due:?}"
    );
    live.instance.stop();
}

fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
