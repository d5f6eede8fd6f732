//! A window's counts → the prefixes found.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use hotprefix::count::Plan;
use hotprefix::detect::pass::{Input, Outcome, Question, pass};
use hotprefix::detect::{DetectPlan, DetectTask};
use hotprefix::partial::{self, LeavesOf};
use hotprefix::time::Timestamp;

use crate::count::{count, task};
use crate::leaves::leaves;
use crate::partial::flushed;
use crate::plans;
use crate::records::{Address, Stamp, scattered};
use crate::size::sizes;

/// Flushes of count in a window.
const FLUSHES: u32 = 10;

/// Which prefixes are found.
#[derive(Clone, Copy)]
enum Mode {
    MostSpecific,
    Discounted,
}

impl Mode {
    const fn name(self) -> &'static str {
        match self {
            Self::MostSpecific => "most_specific",
            Self::Discounted => "discounted",
        }
    }
}

/// A pass of some size.
#[derive(Clone, Copy)]
struct Size {
    mode: Mode,
    addresses: u32,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.mode.name(), self.addresses)
    }
}

fn passes() -> impl Iterator<Item = Size> {
    let modes = [Mode::MostSpecific, Mode::Discounted].into_iter();
    let of = |mode| {
        sizes()
            .into_iter()
            .map(move |addresses| Size { mode, addresses })
    };
    modes.flat_map(of)
}

/// All lengths, and a threshold of a hundredth of the bytes.
#[divan::bench(args = passes(), sample_count = 20)]
fn pass_v4(bencher: Bencher<'_, '_>, size: Size) {
    pass_with(bencher, size, |question, leaves| {
        pass(question, input(leaves), input(&LeavesOf::empty()))
    });
}

#[divan::bench(args = passes(), sample_count = 20)]
fn pass_v6(bencher: Bencher<'_, '_>, size: Size) {
    pass_with(bencher, size, |question, leaves| {
        pass(question, input(&LeavesOf::empty()), input(leaves))
    });
}

fn pass_with<A: Address>(
    bencher: Bencher<'_, '_>,
    size: Size,
    pass: impl Fn(&Question<'_>, &LeavesOf<A>) -> Outcome,
) {
    let leaves = leaves::<A>(0..size.addresses);
    let bytes: u64 = leaves.bytes.iter().sum();
    let plan = plans::finding(size.mode.name(), bytes / 100);
    let question = Question::of(&plan.rules[0]);
    let found = pass(&question, &leaves).findings.len();
    assert!((1..=1_000).contains(&found), "{found} prefixes are found");
    bencher
        .counter(ItemsCount::new(leaves.len()))
        .bench_local(|| pass(black_box(&question), black_box(&leaves)));
}

fn input<A: Address>(leaves: &LeavesOf<A>) -> Input<'_, A> {
    Input {
        leaves,
        resolution: A::BITS,
    }
}

/// A task that has seen nothing.
pub(crate) fn detect(plan: &Arc<Plan>) -> DetectTask {
    let plan = DetectPlan {
        rules: plan.rules.clone(),
        topics: vec!["flows".into()],
        max_wait: Duration::from_secs(30),
    };
    DetectTask::new(0, &plan, Vec::new(), None, 1).expect("it begins")
}

/// What the flushes of a window hold, the last of which closes it: half of each one's addresses are new.
pub(crate) fn window<A: Address>(plan: &Arc<Plan>, addresses: u32) -> Vec<Vec<Vec<u8>>> {
    let mut task = task(plan);
    let mut stamp = Stamp::new::<A>();
    let each = addresses / FLUSHES;
    let mut flushes: Vec<_> = (0..FLUSHES)
        .map(|flush| {
            let known = flush * each;
            count::<A>(&mut task, &mut stamp, each, |n| known + n);
            if known > 0 {
                count::<A>(&mut task, &mut stamp, each, |n| {
                    scattered(n + known) % known
                });
            }
            flushed(&mut task)
        })
        .collect();
    let end = task.stream_time().map(|at| at.plus(Duration::from_mins(5)));
    task.idle(end);
    flushes.push(flushed(&mut task));
    flushes
}

/// All of detect: decoding, adding, and a pass when the window closes. Items are addresses, and 1.9 rows came for each.
#[divan::bench(types = [u32, u128], args = sizes(), sample_count = 10)]
fn whole<A: Address>(bencher: Bencher<'_, '_>, addresses: u32) {
    let plan = plans::everything();
    let flushes = window::<A>(&plan, addresses);
    bencher
        .counter(ItemsCount::new(addresses))
        .with_inputs(|| detect(&plan))
        .bench_local_values(|mut task| {
            let mut windows = 0;
            for (offset, record) in flushes.iter().flatten().enumerate() {
                let partial = partial::decode(record).expect("it is readable");
                task.apply(offset as i64, partial, Timestamp::MIN);
                while let Some(emission) = task.emission() {
                    windows += emission.windows.len();
                    task.committed(emission);
                }
            }
            assert!(windows > 0, "the window closes");
        });
}
