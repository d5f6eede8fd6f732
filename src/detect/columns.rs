//! Folding sorted columns to a shorter address length.
//!
//! Like merging, folding saturates and keeps sampling in its one form, so that any order and
//! grouping of merges and folds gives the same columns.

use crate::net::AddrBits;
use crate::partial::{LeavesOf, Sampling};

/// Raw bytes, lowest and highest sampling rate of row `i`.
pub(super) fn rates<A>(leaves: &LeavesOf<A>, i: usize) -> (u64, u32, u32) {
    match &leaves.sampling {
        Sampling::Uniform(rate) => (leaves.bytes[i] / u64::from((*rate).max(1)), *rate, *rate),
        Sampling::Normalized(rate) => (leaves.bytes[i], *rate, *rate),
        Sampling::ByLeaf {
            raw_bytes,
            min_rate,
            max_rate,
        } => (raw_bytes[i], min_rate[i], max_rate[i]),
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

/// Cuts every address to its first `length` bits and adds up what then is one. Gives the memory of
/// the rows saved back.
pub(super) fn fold<A: AddrBits>(leaves: &mut LeavesOf<A>, length: u8) {
    let total: u128 = leaves.bytes.iter().copied().map(u128::from).sum();
    if total >= u128::from(u64::MAX) {
        spell_out(leaves);
    }
    // Invariant: rows[0..n] are done, and n is at most the row that is read.
    let mut n = 0;
    for i in 0..leaves.addr.len() {
        let addr = leaves.addr[i].truncate(length);
        if n > 0 && leaves.addr[n - 1] == addr {
            add_row(leaves, n - 1, i);
        } else {
            move_row(leaves, n, i);
            leaves.addr[n] = addr;
            n += 1;
        }
    }
    shrink(leaves, n);
    leaves.normalise();
}

/// A sum that reached the limit no longer tells its raw bytes: only columns can hold them.
fn spell_out<A>(leaves: &mut LeavesOf<A>) {
    if let Sampling::Uniform(rate) = leaves.sampling {
        let rows = leaves.addr.len();
        leaves.sampling = Sampling::ByLeaf {
            raw_bytes: (0..rows).map(|i| rates(leaves, i).0).collect(),
            min_rate: vec![rate; rows],
            max_rate: vec![rate; rows],
        };
    }
}

fn add_row<A>(leaves: &mut LeavesOf<A>, to: usize, from: usize) {
    let add = |column: &mut [u64]| column[to] = column[to].saturating_add(column[from]);
    add(&mut leaves.bytes);
    add(&mut leaves.packets);
    add(&mut leaves.flows);
    if let Sampling::ByLeaf {
        raw_bytes,
        min_rate,
        max_rate,
    } = &mut leaves.sampling
    {
        add(raw_bytes);
        min_rate[to] = min_rate[to].min(min_rate[from]);
        max_rate[to] = max_rate[to].max(max_rate[from]);
    }
}

fn move_row<A>(leaves: &mut LeavesOf<A>, to: usize, from: usize) {
    leaves.bytes[to] = leaves.bytes[from];
    leaves.packets[to] = leaves.packets[from];
    leaves.flows[to] = leaves.flows[from];
    if let Sampling::ByLeaf {
        raw_bytes,
        min_rate,
        max_rate,
    } = &mut leaves.sampling
    {
        raw_bytes[to] = raw_bytes[from];
        min_rate[to] = min_rate[from];
        max_rate[to] = max_rate[from];
    }
}

/// Keeps the first `rows` rows and gives the rest of the memory back.
pub(super) fn shrink<A>(leaves: &mut LeavesOf<A>, rows: usize) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_before_sampling_are_right_where_those_after_it_no_longer_fit() {
        for (bytes, sum) in [(20, 40), (u64::MAX - 1, u64::MAX)] {
            let mut leaves = LeavesOf {
                addr: vec![0x0a00_0001_u32, 0x0a00_0002],
                bytes: vec![bytes; 2],
                packets: vec![1; 2],
                flows: vec![1; 2],
                sampling: Sampling::Uniform(2),
            };
            fold(&mut leaves, 24);
            assert_eq!(
                (&leaves.addr[..], leaves.bytes[0]),
                (&[0x0a00_0000][..], sum)
            );
            assert_eq!(rates(&leaves, 0), (bytes / 2 * 2, 2, 2));
        }
    }
}
