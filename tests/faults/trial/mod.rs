//! One schedule on one cluster: the load is written, things go wrong, and the verdict.

mod acts;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Scope;
use std::time::{Duration, Instant};

use hotprefix::kafka::failpoint::FILE;

use crate::clock::Clocks;
use crate::collector::{Collector, TOPICS};
use crate::load::Recorded;
use crate::proxy::Network;
use crate::run::Prepared;
use crate::schedule::{Between, INSTANCES, KILLS, Schedule};
use crate::supervisor::{Ended, Supervisor};
use crate::support::app::App;
use crate::support::kafka_client::read_all;
use crate::support::kafka_node::Cluster;
use crate::support::rules::{EVERYTHING_LIKE, with_everything, with_shared_incidents};
use crate::support::wait;
use crate::table;
use crate::verdict::{Expected, Observed};

/// From one look at everything to the next.
const LOOK: Duration = Duration::from_millis(20);
/// How long a point may take to be reached: detect commits every 10 s at least.
const REACHED: Duration = Duration::from_secs(15);
/// After the last fault, until everything is final.
const SETTLED: Duration = Duration::from_mins(3);
/// The load goes on for this long after the last fault began, so that recovery can be seen.
const TAIL: Duration = Duration::from_secs(8);

/// What happened, for the table.
pub(crate) struct Happened {
    pub(crate) what: String,
    pub(crate) began: Instant,
    /// When it was over: from then on recovery counts.
    pub(crate) ended: Option<Instant>,
    pub(crate) note: String,
}

/// What ends a fault.
enum Undo {
    Continue(usize),
    Open(Between),
    Launch(u32),
    Clock(usize),
}

/// A point that some instance is to die at.
struct AtPoint {
    fault: usize,
    slot: usize,
    stage: &'static str,
    point: &'static str,
    away: Duration,
}

struct Trial<'s, 'e> {
    scope: &'s Scope<'s, 'e>,
    app: &'s App<'s>,
    input: &'s str,
    network: &'s Network,
    clocks: &'s Clocks,
    supervisor: Supervisor<'s>,
    happened: Vec<Happened>,
    undo: Vec<(Instant, usize, Undo)>,
    /// Helpers that are still at it, and what they say at their end.
    helpers: usize,
    say: Sender<(usize, Result<(), String>)>,
    said: Receiver<(usize, Result<(), String>)>,
    file: PathBuf,
    points: VecDeque<AtPoint>,
    armed: Option<(Instant, AtPoint)>,
}

/// What a trial came to.
pub(crate) struct Verdict {
    pub(crate) wrong: Vec<String>,
    pub(crate) killed: usize,
}

/// The application of the trials, with two rules that have all that a rule can have: a flush every 50 ms, of which the
/// commit takes a good part, so that a transaction is nearly always open. Nothing is told before it is final: what is
/// provisional depends on how long things take.
pub(crate) fn app<'c>(prepared: &Prepared, cluster: &'c Cluster, id: &str) -> App<'c> {
    let app = prepared.app(cluster, id);
    app.also(with_everything(), EVERYTHING_LIKE)
        .also(with_shared_incidents(), EVERYTHING_LIKE)
        .set("flush_interval", "50ms")
        .set("time.max_wait", "10m")
}

/// Runs `schedule` on a fresh cluster with routes.
pub(crate) fn run(
    name: &str,
    schedule: &Schedule,
    cluster: &Cluster,
    recorded: &Recorded,
    oracle: &Observed,
) -> Verdict {
    let network = Network::of(cluster);
    let input = format!("{name}-input");
    let prepared = recorded.prepare(cluster, &input);
    let app = app(&prepared, cluster, name);
    let file = app.dir().join("failpoint");
    let app = app.env(
        FILE,
        file.to_str().expect("the target folder's path is UTF-8"),
    );
    let clocks = Clocks::new(app.dir());
    let collector = Collector::default();
    let ended = std::thread::scope(|scope| {
        // Also when something panics: the scope waits for the readers.
        let _stopped = Stopped(&collector);
        let (say, said) = channel();
        let mut trial = Trial {
            scope,
            app: &app,
            input: &input,
            network: &network,
            clocks: &clocks,
            supervisor: Supervisor::new(&app, &clocks),
            happened: Vec::new(),
            undo: Vec::new(),
            helpers: 0,
            say,
            said,
            file,
            points: VecDeque::new(),
            armed: None,
        };
        let result = trial.all(schedule, &collector, recorded, &prepared);
        network.heal();
        let ended = result.map(|()| {
            let happened = trial.happened;
            (trial.supervisor.end(), happened)
        });
        if ended.is_err() {
            collector.stop();
        }
        ended.map(|(ended, happened)| {
            let got = Observed::of(&app, &input);
            let wrong = caught_up(&collector, &got);
            collector.stop();
            (ended, happened, got, wrong)
        })
    });
    let (ended, happened, got, mut wrong) = match ended {
        Ok(ended) => ended,
        Err(why) => {
            let wrong = [vec![why], collector.complaints()].concat();
            return Verdict { wrong, killed: 0 };
        }
    };
    let expected = Expected::new(oracle.clone(), recorded, &prepared);
    wrong.extend(expected.judge(&got, &prepared, &read_all(cluster, &input)));
    wrong.extend(collector.complaints());
    wrong.extend(ended.complaints.iter().cloned());
    if ended.killed < KILLS && schedule.kills() >= KILLS {
        wrong.push(format!(
            "only {} kills: the schedule shows less than it should",
            ended.killed
        ));
    }
    table::print(&happened, &collector, &ended);
    Verdict {
        wrong,
        killed: ended.killed,
    }
}

/// Ends the readers when it goes.
struct Stopped<'c>(&'c Collector);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// What was seen throughout is what is there in the end: waits for the readers.
fn caught_up(collector: &Collector, got: &Observed) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(30);
    let differs = |which: &str| collector.records(which) != got.records[which];
    while TOPICS.iter().any(|t| differs(t)) && Instant::now() < deadline {
        wait::pass(LOOK);
    }
    let wrong = TOPICS.into_iter().filter(|t| differs(t)).map(|which| {
        let (seen, there) = (collector.records(which), got.records[which]);
        format!("{which}: {seen} records were seen as committed, {there} are there in the end")
    });
    wrong.collect()
}

impl<'s> Trial<'s, '_> {
    fn all(
        &mut self,
        schedule: &Schedule,
        collector: &'s Collector,
        recorded: &'s Recorded,
        prepared: &Prepared,
    ) -> Result<(), String> {
        for slot in 0..INSTANCES {
            self.supervisor.want(slot, Instant::now());
        }
        self.supervisor.tick();
        self.supervisor.ready();
        collector.start(self.scope, self.app);
        let (cluster, input) = (self.app.cluster, self.input);
        let time = schedule.length() + TAIL;
        let writer = self
            .scope
            .spawn(move || recorded.write(cluster, input, time));
        let begun = Instant::now();
        for (at, fault) in &schedule.events {
            while begun.elapsed() < *at {
                self.look();
            }
            self.begin(begun, fault);
        }
        while !self.is_quiet() || !writer.is_finished() {
            self.look();
        }
        self.network.heal();
        let deadline = Instant::now() + SETTLED;
        loop {
            self.look();
            let last = collector.final_windows();
            let missing: Vec<_> = prepared
                .outcome
                .windows
                .keys()
                .filter(|w| !last.contains(*w))
                .collect();
            if missing.is_empty() {
                break;
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "{} windows are not final {SETTLED:?} after the last fault: {missing:?}",
                    missing.len()
                ));
            }
        }
        // Whoever is not ready yet joins first, so that leaving is a member's leaving.
        self.supervisor.ready();
        Ok(())
    }

    fn is_quiet(&self) -> bool {
        self.undo.is_empty() && self.helpers == 0 && self.armed.is_none() && self.points.is_empty()
    }

    /// Whatever is due.
    fn look(&mut self) {
        wait::pass(LOOK);
        let now = Instant::now();
        let (due, later) = self.undo.drain(..).partition(|(at, ..)| *at <= now);
        self.undo = later;
        let due: Vec<_> = due;
        for (_, fault, undo) in due {
            self.undo(fault, &undo);
        }
        while let Ok((fault, result)) = self.said.try_recv() {
            self.helpers -= 1;
            self.over(fault);
            if let Err(why) = result {
                self.note(fault, &why);
            }
        }
        let died = self.supervisor.tick();
        self.look_at_points(&died);
    }
}

/// What `table` prints of memory.
pub(crate) fn memory(ended: &Ended) -> impl Iterator<Item = (usize, usize, u64, u64)> {
    ended.memory.iter().filter_map(|((slot, start), samples)| {
        let (first, most) = (samples.first()?, samples.iter().max()?);
        Some((*slot, *start, *first, *most))
    })
}
