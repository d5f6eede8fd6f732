//! The task against a plain model, and against itself with other flushes and restarts.

use proptest::prelude::*;

use super::*;

/// What may happen to a task.
#[derive(Clone, Debug)]
enum Event {
    Flow(Sample, u32),
    Junk,
    Gap(i64),
    Idle(i64),
}

fn event() -> impl Strategy<Value = Event> {
    let time = || prop_oneof![Just(0_i64), 1000..60_000_i64];
    let flow = (
        0..8_u32,
        0..1000_u64,
        0..9_u64,
        0..3_u32,
        time(),
        time(),
        time(),
    )
        .prop_map(|(dst, bytes, packets, rate, received, start, end)| Sample {
            dst,
            bytes,
            packets,
            rate,
            received,
            start,
            end,
        });
    let etype = prop_oneof![9 => Just(0x0800_u32), 1 => Just(0x0806)];
    prop_oneof![
        20 => (flow, etype).prop_map(|(sample, etype)| Event::Flow(sample, etype)),
        3 => Just(Event::Junk),
        1 => (1..5_i64).prop_map(Event::Gap),
        2 => (1000..80_000_i64).prop_map(Event::Idle),
    ]
}

fn apply(task: &mut CountTask, index: usize, event: &Event) {
    // Record times go on slowly, so that event times lie on both sides of them.
    let timestamp = 30_000 + index as i64 * 100;
    match event {
        Event::Flow(sample, etype) => feed(task, Some(&sample.payload(*etype)), timestamp),
        Event::Junk => feed(task, Some(b"\xff"), timestamp),
        Event::Gap(lost) => {
            let next = task.next_offset();
            task.gap(next, next + lost);
        }
        Event::Idle(at) => task.idle(Some(ms(*at))),
    }
}

fn some_rules() -> Vec<Rule> {
    let spread = |name, interval, grace, late| Rule {
        attribution: Attribution::Spread,
        ..rule(name, interval, grace, late)
    };
    let mut by_source = rule("src", 1000, 0, LatePolicy::Drop);
    by_source.key = KeySide::Src;
    vec![
        rule("oldest", 10_000, 2000, LatePolicy::OldestOpen),
        rule("drop", 7000, 0, LatePolicy::Drop),
        rule("twin", 10_000, 2000, LatePolicy::OldestOpen),
        spread("spread", 3000, 1000, LatePolicy::OldestOpen),
        spread("spread-drop", 5000, 500, LatePolicy::Drop),
        by_source,
    ]
}

/// Whether to flush, restart after it, or crash before it, at each event.
#[derive(Clone, Copy, Debug)]
enum Shell {
    Nothing,
    Flush,
    FlushAndRestart,
    Crash,
}

fn start(plan: &Arc<Plan>, resume: Resume<'_>) -> CountTask {
    CountTask::new(source(), Arc::clone(plan), resume).unwrap()
}

/// Runs all events in a task that is flushed, restarted and crashed as `shell` says.
fn run(plan: &Arc<Plan>, events: &[Event], shell: &[Shell]) -> (Totals, String, i64) {
    let mut totals = Totals::default();
    let mut task = start(
        plan,
        Resume::Fresh {
            next_offset: 5,
            from_log_start: false,
        },
    );
    let mut committed = (0, 5, String::new());
    let mut crashes = shell.to_vec();
    let mut at = 0;
    while at < events.len() {
        apply(&mut task, at, &events[at]);
        at += 1;
        // A crash happens once: the events are then run again without it.
        let what = std::mem::replace(&mut crashes[at - 1], Shell::Nothing);
        if matches!(what, Shell::Flush | Shell::FlushAndRestart) {
            let flush = task.flush();
            committed = (at, flush.next_offset, flush.metadata.clone());
            totals.add(flush);
        }
        if matches!(what, Shell::FlushAndRestart | Shell::Crash) {
            at = committed.0;
            task = if committed.2.is_empty() {
                start(
                    plan,
                    Resume::Fresh {
                        next_offset: 5,
                        from_log_start: false,
                    },
                )
            } else {
                start(
                    plan,
                    Resume::Committed {
                        next_offset: committed.1,
                        metadata: &committed.2,
                    },
                )
            };
        }
    }
    let flush = task.flush();
    let (metadata, next) = (flush.metadata.clone(), flush.next_offset);
    totals.add(flush);
    (totals, metadata, next)
}

proptest! {
    #[test]
    fn totals_do_not_depend_on_flushes_restarts_or_crashes(
        steps in prop::collection::vec(
            (event(), prop_oneof![
                6 => Just(Shell::Nothing), 2 => Just(Shell::Flush),
                1 => Just(Shell::FlushAndRestart), 1 => Just(Shell::Crash),
            ]),
            1..60,
        ),
    ) {
        let plan = Arc::new(plan(some_rules()));
        let (events, shell): (Vec<_>, Vec<_>) = steps.into_iter().unzip();
        let undisturbed = run(&plan, &events, &vec![Shell::Nothing; events.len()]);
        let disturbed = run(&plan, &events, &shell);
        prop_assert_eq!(&undisturbed, &disturbed);
        let records = events.iter().filter(|e| matches!(e, Event::Flow(..) | Event::Junk)).count();
        prop_assert_eq!(undisturbed.0.fates.records(), records as u64);
    }

    #[test]
    fn sums_equal_a_plain_model(events in prop::collection::vec(event(), 1..60)) {
        let rules = vec![
            rule("oldest", 10_000, 2000, LatePolicy::OldestOpen),
            rule("drop", 7000, 0, LatePolicy::Drop),
            rule("twin", 10_000, 2000, LatePolicy::OldestOpen),
        ];
        let model = Model::run(&rules, &events);
        let (totals, ..) = run(&Arc::new(plan(rules)), &events, &vec![Shell::Nothing; events.len()]);
        let mut got = BTreeMap::new();
        for ((rule, start), leaves) in &totals.v4 {
            for (i, addr) in leaves.addr.iter().enumerate() {
                let counts = (leaves.bytes[i], leaves.packets[i], leaves.flows[i]);
                got.insert((rule.clone(), *start, u128::from(*addr)), counts);
            }
        }
        for ((rule, start), leaves) in &totals.v6 {
            for (i, addr) in leaves.addr.iter().enumerate() {
                let counts = (leaves.bytes[i], leaves.packets[i], leaves.flows[i]);
                got.insert((rule.clone(), *start, *addr), counts);
            }
        }
        prop_assert_eq!(got, model.counts);
        prop_assert_eq!(totals.late_flows, model.late_flows);
    }
}

/// What the design says, with no cache, table or flush.
#[derive(Default)]
struct Model {
    counts: BTreeMap<(String, i64, u128), (u64, u64, u64)>,
    late_flows: BTreeMap<(String, i64), u64>,
    stream: i64,
}

impl Model {
    fn run(rules: &[Rule], events: &[Event]) -> Self {
        let mut model = Self::default();
        for (index, event) in events.iter().enumerate() {
            match event {
                Event::Idle(at) => model.stream = model.stream.max(*at),
                Event::Flow(sample, etype) => {
                    let record = 30_000 + index as i64 * 100;
                    let ahead = sample.received > record + 60_000;
                    let stated = sample.received != 0 && !ahead;
                    let event = if stated { sample.received } else { record };
                    model.stream = model.stream.max(event);
                    if *etype == 0x0800 && sample.dst != 0 {
                        for rule in rules {
                            model.count(rule, sample, event);
                        }
                    }
                }
                Event::Junk | Event::Gap(_) => {}
            }
        }
        model
    }

    fn count(&mut self, rule: &Rule, sample: &Sample, event: i64) {
        let (len, grace) = (
            rule.interval.as_millis() as i64,
            rule.grace.as_millis() as i64,
        );
        let late = event / len * len + len + grace <= self.stream;
        let start = if late { self.stream - grace } else { event } / len * len;
        if late {
            *self
                .late_flows
                .entry((rule.name.to_string(), start))
                .or_default() += 1;
        }
        if !late || rule.late == LatePolicy::OldestOpen {
            let rate = u64::from(sample.rate.max(1));
            let addr = model_addr(sample.dst);
            let row = self
                .counts
                .entry((rule.name.to_string(), start, addr))
                .or_default();
            row.0 += sample.bytes * rate;
            row.1 += sample.packets * rate;
            row.2 += 1;
        }
    }
}

fn model_addr(dst: u32) -> u128 {
    if dst.is_multiple_of(5) {
        u128::from(dst) << 64
    } else {
        u128::from(dst)
    }
}
