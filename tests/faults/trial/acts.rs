//! How each fault begins and ends.

use std::time::{Duration, Instant};

use super::{AtPoint, Happened, LOOK, REACHED, Trial, Undo};
use crate::proxy::Mode;
use crate::schedule::{Between, Fault, Led};
use crate::strangers;
use crate::support::process::Signal;
use crate::support::wait;

impl<'s> Trial<'s, '_> {
    /// It is over: recovery counts from here.
    pub(super) fn over(&mut self, fault: usize) {
        self.happened[fault].ended = Some(Instant::now());
    }

    /// Says what is to be known of it.
    pub(super) fn note(&mut self, fault: usize, note: &str) {
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

    /// Lets it happen.
    pub(super) fn begin(&mut self, begun: Instant, fault: &Fault) {
        let n = self.happened.len();
        println!("   {:>6.1}s {fault}", begun.elapsed().as_secs_f64());
        self.happened.push(Happened {
            what: fault.to_string(),
            began: Instant::now(),
            ended: None,
            note: String::new(),
        });
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
            Fault::Clock { slot, by, time } => match self.clocks.set(*slot, *by) {
                Ok(()) => self.later(n, *time, Undo::Clock(*slot)),
                Err(why) => self.note(n, &why),
            },
            around => self.begin_around(n, around),
        }
    }

    /// What does not happen to an instance itself.
    fn begin_around(&mut self, n: usize, fault: &Fault) {
        let (app, cluster) = (self.app, self.app.cluster);
        match fault {
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
            other => unreachable!("{other} happens to an instance"),
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

    /// Ends it.
    pub(super) fn undo(&mut self, fault: usize, undo: &Undo) {
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
    pub(super) fn look_at_points(&mut self, died: &[usize]) {
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
