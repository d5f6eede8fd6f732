//! One schedule on one cluster: the load is written, things go wrong, and the verdict.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Scope;
use std::time::{Duration, Instant};

use hotprefix::kafka::failpoint::FILE;

use crate::clock::Clocks;
use crate::collector::{Collector, TOPICS};
use crate::load::Recorded;
use crate::proxy::{Mode, Network};
use crate::run::Prepared;
use crate::schedule::{Between, Fault, INSTANCES, KILLS, Led, Schedule};
use crate::strangers;
use crate::supervisor::{Ended, Supervisor};
use crate::support::app::App;
use crate::support::kafka_client::read_all;
use crate::support::kafka_node::Cluster;
use crate::support::process::Signal;
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
const TAIL: Duration = Duration::from_secs(15);

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
pub(crate) struct Result_ {
    pub(crate) wrong: Vec<String>,
    pub(crate) killed: usize,
}

/// The application of the trials: a flush every 50 ms, of which the commit takes a good part, so that a transaction is
/// nearly always open. Nothing is told before it is final: what is provisional depends on the wall clock.
pub(crate) fn app<'c>(prepared: &Prepared, cluster: &'c Cluster, id: &str) -> App<'c> {
    let app = prepared.app(cluster, id);
    app.set("flush_interval", "50ms")
        .set("time.max_wait", "10m")
}

/// Runs `schedule` on a fresh cluster with routes.
pub(crate) fn run(
    name: &str,
    schedule: &Schedule,
    cluster: &Cluster,
    recorded: &Recorded,
    oracle: &Observed,
) -> Result_ {
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
        let ended = ended.map(|(ended, happened)| {
            let got = Observed::of(&app, &input);
            let wrong = caught_up(&collector, &got);
            collector.stop();
            (ended, happened, got, wrong)
        });
        ended
    });
    let (ended, happened, got, mut wrong) = match ended {
        Ok(ended) => ended,
        Err(why) => {
            let wrong = [vec![why], collector.complaints()].concat();
            return Result_ { wrong, killed: 0 };
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
    Result_ {
        wrong,
        killed: ended.killed,
    }
}

/// What was seen throughout is what is there in the end: waits for the readers.
fn caught_up(collector: &Collector, got: &Observed) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(30);
    let differs = |which: &&str| collector.records(which) != got.records[which];
    while TOPICS.iter().any(|t| differs(&t)) && Instant::now() < deadline {
        wait::pass(LOOK);
    }
    let wrong = TOPICS.into_iter().filter(|t| differs(&t)).map(|which| {
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

    fn over(&mut self, fault: usize) {
        self.happened[fault].ended = Some(Instant::now());
    }

    fn note(&mut self, fault: usize, note: &str) {
        let happened = &mut self.happened[fault];
        println!("   {}: {note}", happened.what);
        note.clone_into(&mut happened.note);
    }

    fn later(&mut self, fault: usize, time: u64, undo: Undo) {
        let at = Instant::now() + Duration::from_millis(time);
        self.undo.push((at, fault, undo));
    }

    /// Does it on a thread of its own.
    fn help(&mut self, fault: usize, work: impl FnOnce() -> Result<(), String> + Send + 's) {
        self.helpers += 1;
        let say = self.say.clone();
        self.scope.spawn(move || {
            // The trial listens until nobody helps any more.
            let _ = say.send((fault, work()));
        });
    }

    fn topic(&self, led: Led) -> String {
        match led {
            Led::Input => self.input.to_owned(),
            Led::Partials => self.app.topic("partials"),
            Led::State => self.app.topic("state"),
            Led::Offsets => "__consumer_offsets".to_owned(),
            Led::Transactions => "__transaction_state".to_owned(),
        }
    }

    fn begin(&mut self, begun: Instant, fault: &Fault) {
        let n = self.happened.len();
        println!("   {:>6.1}s {fault}", begun.elapsed().as_secs_f64());
        self.happened.push(Happened {
            what: fault.to_string(),
            began: Instant::now(),
            ended: None,
            note: String::new(),
        });
        let (app, cluster) = (self.app, self.app.cluster);
        match fault {
            Fault::Kill { slot, away } => {
                let there = self.supervisor.kill(*slot, Duration::from_millis(*away));
                self.at_once(n, there);
            }
            Fault::KillAt {
                slot,
                stage,
                point,
                away,
            } => self.points.push_back(AtPoint {
                fault: n,
                slot: *slot,
                stage,
                point,
                away: Duration::from_millis(*away),
            }),
            Fault::Freeze { slot, time } => {
                let there = self.supervisor.signal(*slot, Signal::STOP);
                if !there {
                    self.note(n, "there is no instance");
                }
                self.later(n, *time, Undo::Continue(*slot));
            }
            Fault::Restart { slot } => {
                let there = self.supervisor.stop(*slot, true);
                self.at_once(n, there);
            }
            Fault::Remove { slot } => {
                let there = self.supervisor.stop(*slot, false);
                self.at_once(n, there);
            }
            Fault::Add { slot } => {
                self.supervisor.want(*slot, Instant::now());
                self.over(n);
            }
            Fault::BrokerKill { broker, time } => self.kill_broker(n, *broker, *time),
            Fault::LeaderKill {
                of,
                partition,
                time,
            } => match strangers::leader(cluster, &self.topic(*of), *partition) {
                Some((broker, _)) if broker > 0 => self.kill_broker(n, broker as u32, *time),
                _ => self.note(n, "it has no leader"),
            },
            Fault::MoveLeader { of, partition } => {
                let (topic, partition) = (self.topic(*of), *partition);
                self.help(n, move || strangers::move_leader(app, &topic, partition));
            }
            Fault::Hold { between, time } => self.network(n, *between, Mode::Held, *time),
            Fault::Cut { between, time } => self.network(n, *between, Mode::Cut, *time),
            Fault::Slow {
                between,
                delay,
                time,
            } => {
                let mode = Mode::Slow(Duration::from_millis(*delay));
                self.network(n, *between, mode, *time);
            }
            Fault::OpenTransaction { on, time } => {
                let (topic, time) = (self.topic(*on), Duration::from_millis(*time));
                self.help(n, move || {
                    strangers::open_transaction(cluster, &topic, time)
                });
            }
            Fault::Fence { slot, stage } => {
                let (slot, stage) = (*slot, *stage);
                self.help(n, move || strangers::fence(app, stage, slot));
            }
            Fault::Clock { slot, by, time } => match self.clocks.set(*slot, *by) {
                Ok(()) => self.later(n, *time, Undo::Clock(*slot)),
                Err(why) => self.note(n, &why),
            },
        }
    }

    fn at_once(&mut self, fault: usize, there: bool) {
        self.over(fault);
        if !there {
            self.note(fault, "there is no instance");
        }
    }

    fn network(&mut self, fault: usize, between: Between, mode: Mode, time: u64) {
        self.network.set(between, mode);
        self.later(fault, time, Undo::Open(between));
    }

    fn kill_broker(&mut self, fault: usize, broker: u32, time: u64) {
        self.app.cluster.kill(broker);
        self.later(fault, time, Undo::Launch(broker));
    }

    fn undo(&mut self, fault: usize, undo: &Undo) {
        match undo {
            Undo::Continue(slot) => {
                self.supervisor.signal(*slot, Signal::CONT);
                self.over(fault);
            }
            Undo::Open(between) => {
                self.network.set(*between, Mode::Open);
                self.over(fault);
            }
            Undo::Clock(slot) => {
                if let Err(why) = self.clocks.set(*slot, 0) {
                    self.note(fault, &why);
                }
                self.over(fault);
            }
            Undo::Launch(broker) => {
                // Here, because a process ends with the thread that started it.
                let (cluster, broker) = (self.app.cluster, *broker);
                cluster.launch(broker);
                self.help(fault, move || {
                    let what = format!("broker {broker} is back");
                    let within = Duration::from_mins(2);
                    wait::until(&what, within, LOOK, || {
                        cluster.is_listed(broker).then_some(())
                    });
                    Ok(())
                });
            }
        }
    }

    /// One point at a time: the instance that takes the file away dies there.
    fn look_at_points(&mut self, died: &[usize]) {
        if let Some((since, at)) = self.armed.take() {
            let waited = since.elapsed();
            if !self.file.exists() {
                // It has taken the file away, and is about to be gone.
                match died.first() {
                    Some(who) => {
                        self.over(at.fault);
                        self.note(at.fault, &format!("{who} reached it after {waited:.1?}"));
                    }
                    None => self.armed = Some((since, at)),
                }
            } else if waited > REACHED && std::fs::remove_file(&self.file).is_ok() {
                let there = self.supervisor.kill(at.slot, at.away);
                self.at_once(at.fault, there);
                self.note(at.fault, "not reached: killed where it was");
            } else {
                self.armed = Some((since, at));
            }
        }
        if self.armed.is_none()
            && let Some(at) = self.points.pop_front()
        {
            self.arm(at);
        }
    }

    fn arm(&mut self, at: AtPoint) {
        let text = format!("{}.{}", at.stage, at.point);
        // Whole at once: an instance may read it at any time.
        let draft = self.file.with_extension("new");
        std::fs::write(&draft, text).expect("the scratch folder can be written to");
        std::fs::rename(&draft, &self.file).expect("a file can be renamed");
        self.supervisor.away = at.away;
        let when = at.point.split('.').next().unwrap_or_default();
        match when {
            // Met at a start, and killed again in it.
            "init" | "assign" | "restore" => {
                self.supervisor.kill(at.slot, Duration::ZERO);
            }
            // Met on leaving.
            "revoke" => {
                self.supervisor.stop(at.slot, true);
            }
            _ => {}
        }
        self.armed = Some((Instant::now(), at));
    }
}

/// What `table` prints of memory.
pub(crate) fn memory(ended: &Ended) -> impl Iterator<Item = (usize, usize, u64, u64)> {
    ended.memory.iter().filter_map(|((slot, start), samples)| {
        let (first, most) = (samples.first()?, samples.iter().max()?);
        Some((*slot, *start, *first, *most))
    })
}
