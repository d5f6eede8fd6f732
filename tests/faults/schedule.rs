//! What goes wrong, and when: made from a seed, printed as one line, read back from it.

use std::time::Duration;

use hotprefix::kafka::failpoint::POINTS;

use crate::support::flows::Random;

/// Instances that a schedule begins with.
pub(crate) const INSTANCES: usize = 3;
/// Instances that there are at most.
pub(crate) const SLOTS: usize = INSTANCES + 1;
/// Kills of a schedule, by signal and at points.
pub(crate) const KILLS: usize = 10;

/// From one fault to the next.
const PACE: Duration = Duration::from_millis(2_800);
/// Until the first.
const FIRST: Duration = Duration::from_secs(2);
/// From one stop of a broker to the next: replicas must catch up between, or nothing can be written.
const BETWEEN_BROKERS: Duration = Duration::from_secs(14);

/// What a network fault is between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Between {
    /// One instance and all brokers.
    Instance(usize),
    /// One broker and all instances.
    Broker(u32),
}

/// A topic whose leader is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Led {
    Input,
    Partials,
    State,
    Offsets,
    Transactions,
}

/// Something that goes wrong. Times are milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// SIGKILL, and back after a time.
    Kill { slot: usize, away: u64 },
    /// SIGKILL of whichever instance reaches a point next. The instance in `slot` is made to, where it takes that.
    KillAt {
        slot: usize,
        stage: &'static str,
        point: &'static str,
        away: u64,
    },
    /// SIGSTOP, and SIGCONT after a time longer than the session: a zombie.
    Freeze { slot: usize, time: u64 },
    /// SIGTERM, and back at once.
    Restart { slot: usize },
    /// SIGTERM, for good.
    Remove { slot: usize },
    /// An instance more.
    Add { slot: usize },
    /// A broker is killed, and started again after a time.
    BrokerKill { broker: u32, time: u64 },
    /// The broker that leads a partition is killed, and started again after a time.
    LeaderKill { of: Led, partition: i32, time: u64 },
    /// A partition's leader moves to another broker.
    MoveLeader { of: Led, partition: i32 },
    /// Nothing passes. What was under way comes late.
    Hold { between: Between, time: u64 },
    /// Connections are reset, and new ones refused.
    Cut { between: Between, time: u64 },
    /// Everything takes this much longer.
    Slow {
        between: Between,
        delay: u64,
        time: u64,
    },
    /// Somebody else leaves a transaction open on a topic, then aborts it.
    OpenTransaction { on: Led, time: u64 },
    /// Somebody else takes the name of an instance's producer for a moment.
    Fence { slot: usize, stage: &'static str },
    /// An instance's wall clock is off by this many seconds, for a time.
    Clock { slot: usize, by: i64, time: u64 },
}

/// A schedule: what happens to a cluster of `brokers`, by time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) brokers: u32,
    pub(crate) events: Vec<(Duration, Fault)>,
}

impl Schedule {
    /// The schedule of a seed. Each has kills at random moments and at named points, and every other kind of
    /// fault that its cluster can have.
    pub(crate) fn of(seed: u64, brokers: u32) -> Self {
        let mut random = Random(
            seed.wrapping_mul(0x9e37_79b9)
                .wrapping_add(u64::from(brokers)),
        );
        let mut faults = kills(&mut random, seed);
        faults.extend(others(&mut random, brokers));
        shuffle(&mut random, &mut faults);
        let faults = add_before_remove(faults);
        let mut events = Vec::with_capacity(faults.len());
        let mut brokers_until = Duration::ZERO;
        for (n, fault) in (0u32..).zip(faults) {
            let jitter = Duration::from_millis(random.below(PACE.as_millis() as u64));
            let mut at = FIRST + PACE * n + jitter;
            if fault.is_of_brokers() {
                at = at.max(brokers_until);
                brokers_until = at + BETWEEN_BROKERS;
            }
            events.push((at, fault));
        }
        events.sort_by_key(|(at, _)| *at);
        Self { brokers, events }
    }

    /// How many kills it has.
    pub(crate) fn kills(&self) -> usize {
        let kills = self.events.iter().filter(|(_, fault)| fault.is_kill());
        kills.count()
    }

    /// When the last fault begins.
    pub(crate) fn length(&self) -> Duration {
        self.events.last().map_or(Duration::ZERO, |(at, _)| *at)
    }
}

impl Fault {
    fn is_kill(&self) -> bool {
        matches!(self, Self::Kill { .. } | Self::KillAt { .. })
    }

    fn is_of_brokers(&self) -> bool {
        let others = matches!(self, Self::BrokerKill { .. } | Self::LeaderKill { .. });
        others
            || matches!(
                self,
                Self::Hold {
                    between: Between::Broker(_),
                    ..
                }
            )
    }
}

/// Two thirds at named points, the rest at any moment. Some are away for longer than their transaction. Schedules of
/// seeds in a row take the points in turn, so that five of them have each.
fn kills(random: &mut Random, seed: u64) -> Vec<Fault> {
    let at_points = KILLS * 2 / 3;
    let mut points: Vec<_> = ["count", "detect"]
        .into_iter()
        .flat_map(|stage| POINTS.into_iter().map(move |point| (stage, point)))
        .collect();
    shuffle(&mut Random(0), &mut points);
    let first = (seed as usize).wrapping_mul(at_points) % points.len();
    points.rotate_left(first);
    let mut kills = Vec::with_capacity(KILLS);
    for (stage, point) in points.into_iter().take(at_points) {
        kills.push(Fault::KillAt {
            slot: random.below(INSTANCES as u64) as usize,
            stage,
            point,
            away: away(random),
        });
    }
    while kills.len() < KILLS {
        kills.push(Fault::Kill {
            slot: random.below(INSTANCES as u64) as usize,
            away: away(random),
        });
    }
    kills
}

/// Mostly at once; sometimes after the session, sometimes after the transaction is over.
fn away(random: &mut Random) -> u64 {
    match random.below(6) {
        0 => 4_000,
        1 => 12_000,
        _ => 0,
    }
}

fn others(random: &mut Random, brokers: u32) -> Vec<Fault> {
    let mut slot = {
        let mut next = random.below(INSTANCES as u64) as usize;
        move || {
            next = (next + 1) % INSTANCES;
            next
        }
    };
    let freeze = 5_000 + random.below(3_000);
    let mut faults = vec![
        Fault::Freeze {
            slot: slot(),
            time: freeze,
        },
        // Longer than a transaction may be open.
        Fault::Freeze {
            slot: slot(),
            time: 12_500,
        },
        Fault::Restart { slot: slot() },
        Fault::Add { slot: INSTANCES },
        Fault::Remove { slot: slot() },
        Fault::Hold {
            between: Between::Instance(slot()),
            time: 2_000 + random.below(6_000),
        },
        Fault::Cut {
            between: Between::Instance(slot()),
            time: 1_000 + random.below(6_000),
        },
        Fault::Slow {
            between: Between::Instance(slot()),
            delay: 50 + random.below(250),
            time: 8_000,
        },
        Fault::OpenTransaction {
            on: Led::Partials,
            time: 4_000,
        },
        Fault::OpenTransaction {
            on: Led::Input,
            time: 3_000,
        },
        Fault::Fence {
            slot: slot(),
            stage: ["count", "detect"][random.below(2) as usize],
        },
        Fault::BrokerKill {
            broker: 1 + random.below(u64::from(brokers)) as u32,
            time: 1_000 + random.below(3_000),
        },
        // Forwards also by more than `max_wait`, which no clock that is set can shorten. Backwards, never to before the
        // load's times: what is ahead of the wall clock is brought back to it.
        Fault::Clock {
            slot: slot(),
            by: [900, 1_800, -120, -240][random.below(4) as usize],
            time: 8_000,
        },
    ];
    if brokers > 1 {
        faults.extend(of_several(random, brokers));
    }
    faults
}

/// What takes several brokers.
fn of_several(random: &mut Random, brokers: u32) -> Vec<Fault> {
    let mut faults = Vec::new();
    let leds = [
        Led::Input,
        Led::Partials,
        Led::State,
        Led::Offsets,
        Led::Transactions,
    ];
    let first = random.below(leds.len() as u64) as usize;
    for n in 0..2 {
        faults.push(Fault::MoveLeader {
            of: leds[(first + n) % leds.len()],
            partition: random.below(4) as i32,
        });
    }
    faults.push(Fault::LeaderKill {
        of: Led::State,
        partition: random.below(4) as i32,
        time: 1_000 + random.below(4_000),
    });
    faults.push(Fault::Hold {
        between: Between::Broker(1 + random.below(u64::from(brokers)) as u32),
        time: 2_000 + random.below(4_000),
    });
    faults
}

fn shuffle<T>(random: &mut Random, items: &mut [T]) {
    for i in (1..items.len()).rev() {
        items.swap(i, random.below(i as u64 + 1) as usize);
    }
}

/// The instance that is removed is the one that was added: every other is there throughout.
fn add_before_remove(mut faults: Vec<Fault>) -> Vec<Fault> {
    let add = faults.iter().position(|f| matches!(f, Fault::Add { .. }));
    let remove = faults
        .iter()
        .position(|f| matches!(f, Fault::Remove { .. }));
    if let (Some(add), Some(remove)) = (add, remove) {
        faults[add.min(remove)] = Fault::Add { slot: INSTANCES };
        faults[add.max(remove)] = Fault::Remove { slot: INSTANCES };
    }
    faults
}
