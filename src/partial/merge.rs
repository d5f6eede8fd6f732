//! Adding leaves up: sorted columns in, sorted columns out.
//!
//! Invariant: merging is associative and commutative to the bit. Counts saturate, which is both;
//! and [`Sampling`] has one form for one content (see [`LeavesOf::normalise`]).

use std::cmp::Ordering;

use crate::net::AddrBits;

use super::model::{Leaves, LeavesOf, Sampling};

impl<A: AddrBits> LeavesOf<A> {
    /// No leaves.
    pub const fn empty() -> Self {
        Self {
            addr: Vec::new(),
            bytes: Vec::new(),
            packets: Vec::new(),
            flows: Vec::new(),
            sampling: Sampling::Uniform(0),
        }
    }

    /// How many leaves.
    pub fn len(&self) -> usize {
        self.addr.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.addr.is_empty()
    }

    /// Brings sampling into its one form: [`Sampling::Uniform`] exactly when every leaf has that
    /// rate alone and its raw bytes times the rate are its bytes; rate 0 when there is no leaf. Else
    /// [`Sampling::Normalized`] exactly when every leaf has that rate alone and its raw bytes are its bytes.
    pub fn normalise(&mut self) {
        let rate = match &self.sampling {
            _ if self.is_empty() => 0,
            Sampling::Uniform(rate) | Sampling::Normalized(rate) => *rate,
            Sampling::ByLeaf { min_rate, .. } => min_rate[0],
        };
        let factor = u64::from(rate.max(1));
        let bytes = &self.bytes;
        let exact = |raw: u64, bytes: u64| raw.checked_mul(factor) == Some(bytes);
        let (uniform, normalized) = match &self.sampling {
            Sampling::Uniform(_) => {
                let multiples = || bytes.iter().all(|b| b.is_multiple_of(factor));
                (factor == 1 || multiples(), false)
            }
            Sampling::Normalized(_) => (factor == 1 || bytes.iter().all(|b| *b == 0), true),
            Sampling::ByLeaf {
                raw_bytes,
                min_rate,
                max_rate,
            } => {
                let one_rate = min_rate.iter().chain(max_rate).all(|r| *r == rate);
                let uniform = || raw_bytes.iter().zip(bytes).all(|(r, b)| exact(*r, *b));
                (one_rate && uniform(), one_rate && raw_bytes == bytes)
            }
        };
        self.sampling = match (uniform, normalized) {
            (true, _) => Sampling::Uniform(rate),
            (false, true) => Sampling::Normalized(rate),
            (false, false) => Sampling::from(self.columns()),
        };
    }

    /// Raw bytes, lowest and highest rate by leaf, whatever the form.
    fn columns(&mut self) -> ByLeaf {
        match std::mem::replace(&mut self.sampling, Sampling::Uniform(0)) {
            Sampling::Uniform(rate) => ByLeaf {
                raw_bytes: self
                    .bytes
                    .iter()
                    .map(|b| b / u64::from(rate.max(1)))
                    .collect(),
                min_rate: vec![rate; self.len()],
                max_rate: vec![rate; self.len()],
            },
            Sampling::Normalized(rate) => ByLeaf {
                raw_bytes: self.bytes.clone(),
                min_rate: vec![rate; self.len()],
                max_rate: vec![rate; self.len()],
            },
            Sampling::ByLeaf {
                raw_bytes,
                min_rate,
                max_rate,
            } => ByLeaf {
                raw_bytes,
                min_rate,
                max_rate,
            },
        }
    }
}

struct ByLeaf {
    raw_bytes: Vec<u64>,
    min_rate: Vec<u32>,
    max_rate: Vec<u32>,
}

impl From<ByLeaf> for Sampling {
    fn from(columns: ByLeaf) -> Self {
        Self::ByLeaf {
            raw_bytes: columns.raw_bytes,
            min_rate: columns.min_rate,
            max_rate: columns.max_rate,
        }
    }
}

/// Where each leaf of the two sides goes in the result.
struct Places {
    left: Vec<u32>,
    right: Vec<u32>,
    len: usize,
}

impl Places {
    /// Merges two ascending columns. A side has at most 2^31 leaves, which no memory bound allows.
    fn merging<A: AddrBits>(left: &[A], right: &[A]) -> (Vec<A>, Self) {
        let mut addr = Vec::with_capacity(left.len() + right.len());
        let mut to_left = Vec::with_capacity(left.len());
        let mut to_right = Vec::with_capacity(right.len());
        let (mut i, mut j) = (0, 0);
        while i < left.len() && j < right.len() {
            let place = addr.len() as u32;
            let order = left[i].cmp(&right[j]);
            addr.push(left[i].min(right[j]));
            if order != Ordering::Greater {
                to_left.push(place);
                i += 1;
            }
            if order != Ordering::Less {
                to_right.push(place);
                j += 1;
            }
        }
        for &a in &left[i..] {
            to_left.push(addr.len() as u32);
            addr.push(a);
        }
        for &a in &right[j..] {
            to_right.push(addr.len() as u32);
            addr.push(a);
        }
        let places = Self {
            left: to_left,
            right: to_right,
            len: addr.len(),
        };
        (addr, places)
    }

    /// One column of the result, in place of both; `neutral` is what `combine` leaves alone.
    fn column<T: Copy>(
        &self,
        left: Vec<T>,
        right: Vec<T>,
        neutral: T,
        combine: impl Fn(T, T) -> T,
    ) -> Vec<T> {
        let mut out = vec![neutral; self.len];
        for (&place, value) in self.left.iter().zip(left) {
            out[place as usize] = value;
        }
        for (&place, value) in self.right.iter().zip(right) {
            let slot = &mut out[place as usize];
            *slot = combine(*slot, value);
        }
        out
    }

    fn sums(&self, left: Vec<u64>, right: Vec<u64>) -> Vec<u64> {
        self.column(left, right, 0, u64::saturating_add)
    }
}

/// The leaf-wise sum of `left` and `right`, saturating; its sampling in its one form. A column of both is given back before
/// the next one is added up: large sets are never there twice.
pub fn merge<A: AddrBits>(mut left: LeavesOf<A>, mut right: LeavesOf<A>) -> LeavesOf<A> {
    if left.is_empty() || right.is_empty() {
        let mut kept = if left.is_empty() { right } else { left };
        kept.normalise();
        return kept;
    }
    let alike = match (&left.sampling, &right.sampling) {
        (Sampling::Uniform(l), Sampling::Uniform(r)) if l == r => {
            // A sum that reached the limit no longer tells its raw bytes, so only columns can hold them.
            let total = |set: &LeavesOf<A>| set.bytes.iter().copied().map(u128::from).sum::<u128>();
            let fits = total(&left) + total(&right) < u128::from(u64::MAX);
            fits.then_some(Sampling::Uniform(*l))
        }
        (Sampling::Normalized(l), Sampling::Normalized(r)) if l == r => {
            Some(Sampling::Normalized(*l))
        }
        _ => None,
    };
    let sampling = alike.ok_or_else(|| (left.columns(), right.columns()));
    let (addr, places) = Places::merging(&left.addr, &right.addr);
    drop((left.addr, right.addr));
    let sampling = sampling.unwrap_or_else(|(l, r)| Sampling::ByLeaf {
        raw_bytes: places.sums(l.raw_bytes, r.raw_bytes),
        min_rate: places.column(l.min_rate, r.min_rate, u32::MAX, u32::min),
        max_rate: places.column(l.max_rate, r.max_rate, 0, u32::max),
    });
    let mut sum = LeavesOf {
        bytes: places.sums(left.bytes, right.bytes),
        packets: places.sums(left.packets, right.packets),
        flows: places.sums(left.flows, right.flows),
        addr,
        sampling,
    };
    sum.normalise();
    sum
}

/// The leaf-wise sum of any number of sorted sets, in any order: every pair that is merged has
/// similar sizes, so that each leaf is copied about log₂(sets) times.
pub fn merge_all<A: AddrBits>(sets: impl IntoIterator<Item = LeavesOf<A>>) -> LeavesOf<A> {
    let mut runs = Runs::default();
    sets.into_iter().for_each(|set| runs.push(set));
    runs.into_sum()
}

/// A growing sum of sorted sets: a stack of runs, each at least twice as large as the next, so that
/// adding `n` leaves in small deltas costs O(n log n) and the sum is one merge away.
#[derive(Clone, Debug)]
pub struct Runs<A> {
    stack: Vec<LeavesOf<A>>,
}

impl<A> Default for Runs<A> {
    fn default() -> Self {
        Self { stack: Vec::new() }
    }
}

impl<A: AddrBits> Runs<A> {
    /// Adds a set.
    pub fn push(&mut self, mut set: LeavesOf<A>) {
        if set.is_empty() {
            return;
        }
        while let Some(below) = self.stack.pop_if(|top| top.len() / 2 < set.len()) {
            set = merge(below, set);
        }
        self.stack.push(set);
    }

    /// Leaves held, counting one that is in several runs several times: a bound on memory.
    pub fn held(&self) -> usize {
        self.stack.iter().map(LeavesOf::len).sum()
    }

    /// The sum, as one set. What is pushed later goes on top.
    pub fn sum(&mut self) -> &LeavesOf<A> {
        let sum = std::mem::take(self).into_sum();
        self.stack.push(sum);
        &self.stack[0]
    }

    /// The sum, as one set.
    pub fn into_sum(self) -> LeavesOf<A> {
        let smallest_first = self.stack.into_iter().rev();
        let mut sum = smallest_first
            .reduce(|sum, run| merge(sum, run))
            .unwrap_or_else(LeavesOf::empty);
        sum.normalise();
        sum
    }
}

impl Leaves {
    /// How many leaves.
    pub fn len(&self) -> usize {
        match self {
            Self::V4(leaves) => leaves.len(),
            Self::V6(leaves) => leaves.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
