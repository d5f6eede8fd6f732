//! Sorted counts by address.

use hotprefix::partial::{LeavesOf, Sampling};

use crate::records::{Address, scattered};

/// A flow or more to each of the addresses that `addresses` are the numbers of. A few have most of the traffic.
pub(crate) fn leaves<A: Address>(addresses: impl Iterator<Item = u32>) -> LeavesOf<A> {
    let mut rows: Vec<(A, u64)> = addresses
        .map(|n| {
            // Half of them one packet, a quarter two, and so on.
            let packets = 1 << scattered(!n).leading_zeros();
            (A::nth(n), packets)
        })
        .collect();
    rows.sort_unstable();
    rows.dedup_by_key(|(addr, _)| *addr);
    LeavesOf {
        addr: rows.iter().map(|(addr, _)| *addr).collect(),
        bytes: rows
            .iter()
            .map(|(_, packets)| packets * 32 * 1_400)
            .collect(),
        packets: rows.iter().map(|(_, packets)| packets * 32).collect(),
        flows: rows.iter().map(|(_, packets)| *packets).collect(),
        sampling: Sampling::Uniform(32),
    }
}
