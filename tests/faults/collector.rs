//! Reads what an application commits, all the time, and looks at each record as it comes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use hotprefix::partial::{Partial, decode};

use crate::support::app::App;
use crate::support::kafka_client::{Incoming, Reader};
use crate::support::outcome::Message;

/// The topics that are read throughout.
pub(crate) const TOPICS: [&str; 4] = ["alerts", "windows", "dead-letters", "partials"];

/// What was committed so far, shared between the readers and whoever waits for it.
#[derive(Default)]
pub(crate) struct Collector {
    state: Mutex<State>,
    stop: AtomicBool,
}

#[derive(Default)]
struct State {
    /// When a marker with records of an input partition was seen.
    progress: Vec<(Instant, i32)>,
    /// When a final window was seen.
    windows: Vec<(Instant, (String, i64))>,
    read: BTreeMap<&'static str, usize>,
    complaints: Vec<String>,
}

impl Collector {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a reader for each topic, which ends after [`Self::stop`].
    pub(crate) fn start<'s>(&'s self, scope: &'s thread::Scope<'s, '_>, app: &'s App<'s>) {
        for which in TOPICS {
            scope.spawn(move || self.read(app, which));
        }
    }

    /// Lets the readers end.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// How many records of a topic were read.
    pub(crate) fn records(&self, which: &str) -> usize {
        self.lock().read.get(which).copied().unwrap_or(0)
    }

    /// Rule and start of each window that is final.
    pub(crate) fn final_windows(&self) -> BTreeSet<(String, i64)> {
        self.lock().windows.iter().map(|(_, w)| w.clone()).collect()
    }

    /// When markers with records were seen, with the number of the input partition.
    pub(crate) fn progress(&self) -> Vec<(Instant, i32)> {
        self.lock().progress.clone()
    }

    /// When final windows were seen.
    pub(crate) fn windows(&self) -> Vec<Instant> {
        self.lock().windows.iter().map(|(at, _)| *at).collect()
    }

    /// What was wrong.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.lock().complaints.clone()
    }

    fn read(&self, app: &App<'_>, which: &'static str) {
        let mut reader = Reader::new(app.cluster, &app.topic(which));
        let mut order = Order::default();
        let mut looked_at = 0;
        while !self.stop.load(Ordering::Relaxed) {
            reader.step();
            for record in &reader.records()[looked_at..] {
                let wrong = order.look(which, record);
                self.note(which, record, wrong);
            }
            looked_at = reader.records().len();
        }
    }

    fn note(&self, which: &'static str, record: &Incoming, wrong: Option<String>) {
        let now = Instant::now();
        let window = (which == "windows").then(|| record.message());
        let marker = (which == "partials" && record.partition == 0).then(|| marker_of(record));
        let mut state = self.lock();
        *state.read.entry(which).or_default() += 1;
        if let Some(window) = window.filter(Message::is_final) {
            let key = (window.rule().to_owned(), window.window_start());
            state.windows.push((now, key));
        }
        if let Some(marker) = marker.flatten()
            && marker.fates.records() > 0
        {
            state.progress.push((now, marker.source.partition));
        }
        if let Some(wrong) = wrong {
            println!("   WRONG: {which}: {wrong}");
            state.complaints.push(format!("{which}: {wrong}"));
        }
    }
}

fn marker_of(record: &Incoming) -> Option<hotprefix::partial::Marker> {
    match decode(record.payload.as_deref()?) {
        Ok(Partial::Marker(marker)) => Some(marker),
        _ => None,
    }
}

/// What was seen of one topic, as far as the next record must fit it.
#[derive(Default)]
pub(crate) struct Order {
    /// By partition.
    offsets: HashMap<i32, i64>,
    seen: HashSet<String>,
    /// By rule, or rule and prefix: the window.
    windows: HashMap<String, i64>,
    /// By partials partition and source: stream time.
    times: HashMap<(i32, String), i64>,
}

impl Order {
    /// Looks at the next record; says what is wrong with it.
    pub(crate) fn look(&mut self, which: &str, record: &Incoming) -> Option<String> {
        let (partition, offset) = (record.partition, record.offset);
        let last = self.offsets.insert(partition, offset);
        if let Some(last) = last.filter(|last| *last >= offset) {
            return Some(format!(
                "offset {offset} of partition {partition} after {last}"
            ));
        }
        match which {
            "alerts" => {
                let alert = record.message();
                let (rule, start, prefix) = alert.key();
                let id = format!("{} {}", alert.body["id"], alert.body["revision"]);
                let known = self.once(format!("alert {id}"));
                known.or_else(|| self.in_order(format!("{rule} {prefix}"), start))
            }
            "windows" => {
                let window = record.message();
                let (rule, start) = (window.rule(), window.window_start());
                let known = self.once(format!("window {rule} {start} {}", window.body["revision"]));
                known.or_else(|| self.in_order(rule.to_owned(), start))
            }
            "dead-letters" => {
                let place: Vec<_> = record
                    .headers
                    .iter()
                    .filter(|(name, _)| name.ends_with(".partition") || name.ends_with(".offset"))
                    .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
                    .collect();
                self.once(format!("dead letter {}", place.join(" ")))
            }
            _ => self.stream_time(record),
        }
    }

    fn once(&mut self, what: String) -> Option<String> {
        if self.seen.contains(&what) {
            return Some(format!("{what} is there twice"));
        }
        self.seen.insert(what);
        None
    }

    fn in_order(&mut self, what: String, start: i64) -> Option<String> {
        let said = format!("window {start} of {what}");
        let last = self.windows.insert(what, start)?;
        (last > start).then(|| format!("{said} after {last}"))
    }

    /// Of a source, it never goes back.
    fn stream_time(&mut self, record: &Incoming) -> Option<String> {
        let marker = marker_of(record)?;
        let source = marker.source.to_string();
        let Some(time) = marker.stream_time else {
            let key = (record.partition, source);
            let known = self.times.contains_key(&key);
            return known.then(|| format!("{} has forgotten its stream time", key.1));
        };
        let said = format!("stream time {time} of {source}");
        let last = self
            .times
            .insert((record.partition, source), time.as_millis())?;
        (last > time.as_millis()).then(|| format!("{said} goes back from {last}"))
    }
}
