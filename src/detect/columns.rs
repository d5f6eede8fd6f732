//! Merging and folding of sorted columns.
//!
//! Both are linear and never hash. Columns saturate, which keeps addition associative and
//! commutative: any order and grouping of merges and folds gives the same columns.

use crate::net::AddrBits;
use crate::partial::{LeavesOf, Sampling};

/// Columns without a row.
pub(super) fn empty<A>() -> LeavesOf<A> {
    LeavesOf {
        addr: Vec::new(),
        bytes: Vec::new(),
        packets: Vec::new(),
        flows: Vec::new(),
        sampling: Sampling::Uniform(1),
    }
}

/// Raw bytes, lowest and highest sampling rate of row `i`.
pub(super) fn rates<A>(leaves: &LeavesOf<A>, i: usize) -> (u64, u32, u32) {
    match &leaves.sampling {
        Sampling::Uniform(rate) => (leaves.bytes[i] / u64::from((*rate).max(1)), *rate, *rate),
        Sampling::ByLeaf {
            raw_bytes,
            min_rate,
            max_rate,
        } => (raw_bytes[i], min_rate[i], max_rate[i]),
    }
}

/// The sum of two sets of columns, allocated exactly.
pub(super) fn merge<A: AddrBits>(a: &LeavesOf<A>, b: &LeavesOf<A>) -> LeavesOf<A> {
    if a.addr.is_empty() {
        return b.clone();
    }
    if b.addr.is_empty() {
        return a.clone();
    }
    let mut out = Output::new(distinct(&a.addr, &b.addr), a, b);
    let (mut i, mut j) = (0, 0);
    while i < a.addr.len() && j < b.addr.len() {
        match a.addr[i].cmp(&b.addr[j]) {
            std::cmp::Ordering::Less => {
                out.push(a, i);
                i += 1;
            }
            std::cmp::Ordering::Greater => {
                out.push(b, j);
                j += 1;
            }
            std::cmp::Ordering::Equal => {
                out.push(a, i);
                out.add(b, j);
                i += 1;
                j += 1;
            }
        }
    }
    (i..a.addr.len()).for_each(|i| out.push(a, i));
    (j..b.addr.len()).for_each(|j| out.push(b, j));
    out.leaves
}

fn distinct<A: AddrBits>(a: &[A], b: &[A]) -> usize {
    let (mut i, mut j, mut n) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        n += 1;
        // Branch-free: the addresses of an attack interleave at random.
        let (x, y) = (a[i], b[j]);
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    n + (a.len() - i) + (b.len() - j)
}

/// Columns under construction.
struct Output<A> {
    leaves: LeavesOf<A>,
}

impl<A: AddrBits> Output<A> {
    fn new(rows: usize, a: &LeavesOf<A>, b: &LeavesOf<A>) -> Self {
        let sampling = match (&a.sampling, &b.sampling) {
            (Sampling::Uniform(x), Sampling::Uniform(y)) if x == y => Sampling::Uniform(*x),
            _ => Sampling::ByLeaf {
                raw_bytes: Vec::with_capacity(rows),
                min_rate: Vec::with_capacity(rows),
                max_rate: Vec::with_capacity(rows),
            },
        };
        Self {
            leaves: LeavesOf {
                addr: Vec::with_capacity(rows),
                bytes: Vec::with_capacity(rows),
                packets: Vec::with_capacity(rows),
                flows: Vec::with_capacity(rows),
                sampling,
            },
        }
    }

    fn push(&mut self, from: &LeavesOf<A>, i: usize) {
        let to = &mut self.leaves;
        to.addr.push(from.addr[i]);
        to.bytes.push(from.bytes[i]);
        to.packets.push(from.packets[i]);
        to.flows.push(from.flows[i]);
        if let Sampling::ByLeaf {
            raw_bytes,
            min_rate,
            max_rate,
        } = &mut to.sampling
        {
            let (raw, min, max) = rates(from, i);
            raw_bytes.push(raw);
            min_rate.push(min);
            max_rate.push(max);
        }
    }

    /// Adds row `i` of `from` to the last row.
    fn add(&mut self, from: &LeavesOf<A>, i: usize) {
        let last = self.leaves.addr.len() - 1;
        let (raw, min, max) = rates(from, i);
        add_row(
            &mut self.leaves,
            last,
            [from.bytes[i], from.packets[i], from.flows[i], raw],
            (min, max),
        );
    }
}

/// Adds bytes, packets, flows and raw bytes, and widens the rates, of row `at`.
fn add_row<A>(to: &mut LeavesOf<A>, at: usize, sums: [u64; 4], (min, max): (u32, u32)) {
    to.bytes[at] = to.bytes[at].saturating_add(sums[0]);
    to.packets[at] = to.packets[at].saturating_add(sums[1]);
    to.flows[at] = to.flows[at].saturating_add(sums[2]);
    if let Sampling::ByLeaf {
        raw_bytes,
        min_rate,
        max_rate,
    } = &mut to.sampling
    {
        raw_bytes[at] = raw_bytes[at].saturating_add(sums[3]);
        min_rate[at] = min_rate[at].min(min);
        max_rate[at] = max_rate[at].max(max);
    }
}

/// The longest length, at most `from`, at which `addr` (sorted, without repeats) has at most `max`
/// distinct prefixes. 0 at worst.
pub(super) fn fitting_length<A: AddrBits>(addr: &[A], from: u8, max: usize) -> u8 {
    let mut neighbours = [0usize; 129];
    for pair in addr.windows(2) {
        neighbours[usize::from(pair[0].common_prefix_len(pair[1]))] += 1;
    }
    // Two neighbours are apart at length l when they share fewer than l bits.
    let mut distinct = usize::from(!addr.is_empty());
    let mut fits = 0;
    for length in 1..=from {
        distinct += neighbours[usize::from(length) - 1];
        if distinct > max {
            break;
        }
        fits = length;
    }
    fits
}

/// Cuts every address to its first `length` bits and adds up what then is one.
pub(super) fn fold<A: AddrBits>(leaves: &mut LeavesOf<A>, length: u8) {
    let mut rows = 0;
    for i in 0..leaves.addr.len() {
        let addr = leaves.addr[i].truncate(length);
        if rows > 0 && leaves.addr[rows - 1] == addr {
            let (raw, min, max) = rates(leaves, i);
            let sums = [leaves.bytes[i], leaves.packets[i], leaves.flows[i], raw];
            add_row(leaves, rows - 1, sums, (min, max));
            continue;
        }
        leaves.addr[rows] = addr;
        leaves.bytes[rows] = leaves.bytes[i];
        leaves.packets[rows] = leaves.packets[i];
        leaves.flows[rows] = leaves.flows[i];
        if let Sampling::ByLeaf {
            raw_bytes,
            min_rate,
            max_rate,
        } = &mut leaves.sampling
        {
            raw_bytes[rows] = raw_bytes[i];
            min_rate[rows] = min_rate[i];
            max_rate[rows] = max_rate[i];
        }
        rows += 1;
    }
    shrink(leaves, rows);
}

/// Keeps the first `rows` rows and gives the rest of the memory back.
fn shrink<A>(leaves: &mut LeavesOf<A>, rows: usize) {
    fn cut<T>(column: &mut Vec<T>, rows: usize) {
        column.truncate(rows);
        column.shrink_to_fit();
    }
    cut(&mut leaves.addr, rows);
    cut(&mut leaves.bytes, rows);
    cut(&mut leaves.packets, rows);
    cut(&mut leaves.flows, rows);
    if let Sampling::ByLeaf {
        raw_bytes,
        min_rate,
        max_rate,
    } = &mut leaves.sampling
    {
        cut(raw_bytes, rows);
        cut(min_rate, rows);
        cut(max_rate, rows);
    }
}
