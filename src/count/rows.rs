//! Counts of single addresses, found by address.
//!
//! A table is larger than the cache, so what a flow costs here is how often memory is waited for. Rows lie in the table
//! itself, one after the other from the place that the hash names, so that it is once; and the rows of many flows are
//! asked for before the first of them is needed.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::net::AddrBits;
use crate::partial::{LeavesOf, Sampling};

/// A table has at least so many places.
const LEAST_PLACES: usize = 64;

/// What one flow adds to one address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    /// Bytes, after sampling.
    pub(super) bytes: u64,
    /// Packets, after sampling.
    pub(super) packets: u64,
    /// Flow records.
    pub(super) flows: u32,
    /// Bytes before sampling.
    pub(super) raw_bytes: u64,
    /// Sampling rate; 0 when nobody said.
    pub(super) rate: u32,
}

/// Addresses of 16 bytes at an alignment of 8, so that the entry has no hole.
#[derive(Clone, Copy, Debug)]
#[repr(C, packed(8))]
struct Packed<A>(A);

/// Counts of one address.
pub(super) trait Row<A>: Copy {
    fn new(addr: A, amount: &Amount) -> Self;
    fn addr(&self) -> A;
    /// Adds a flow's amount, or nothing and `false` when the row cannot hold the sum exactly.
    fn add(&mut self, amount: &Amount) -> bool;
    /// Bytes, packets, flows.
    fn counts(&self) -> (u64, u64, u32);
}

/// Counts of flows whose raw bytes follow from the table's rate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Narrow<A: Copy> {
    pub(super) bytes: u64,
    packets: u64,
    addr: Packed<A>,
    flows: u32,
}

/// Counts of flows of any rate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wide<A: Copy> {
    counts: Narrow<A>,
    pub(super) raw_bytes: u64,
    pub(super) min_rate: u32,
    pub(super) max_rate: u32,
}

const _: () = assert!(size_of::<Narrow<u32>>() == 24 && size_of::<Narrow<u128>>() == 40);
const _: () = assert!(size_of::<Wide<u32>>() == 40 && size_of::<Wide<u128>>() == 56);

impl<A: AddrBits> Row<A> for Narrow<A> {
    fn new(addr: A, amount: &Amount) -> Self {
        Self {
            bytes: amount.bytes,
            packets: amount.packets,
            addr: Packed(addr),
            flows: amount.flows,
        }
    }

    fn addr(&self) -> A {
        self.addr.0
    }

    fn add(&mut self, amount: &Amount) -> bool {
        // Bytes that stopped at their limit would no longer tell the raw bytes.
        let flows = self.flows.checked_add(amount.flows);
        let bytes = self.bytes.checked_add(amount.bytes);
        let (Some(flows), Some(bytes)) = (flows, bytes) else {
            return false;
        };
        self.flows = flows;
        self.bytes = bytes;
        self.packets = self.packets.saturating_add(amount.packets);
        true
    }

    fn counts(&self) -> (u64, u64, u32) {
        (self.bytes, self.packets, self.flows)
    }
}

impl<A: AddrBits> Row<A> for Wide<A> {
    fn new(addr: A, amount: &Amount) -> Self {
        Self {
            counts: Narrow::new(addr, amount),
            raw_bytes: amount.raw_bytes,
            min_rate: amount.rate,
            max_rate: amount.rate,
        }
    }

    fn addr(&self) -> A {
        self.counts.addr()
    }

    fn add(&mut self, amount: &Amount) -> bool {
        let fits = self.counts.add(amount);
        if fits {
            self.raw_bytes = self.raw_bytes.saturating_add(amount.raw_bytes);
            self.min_rate = self.min_rate.min(amount.rate);
            self.max_rate = self.max_rate.max(amount.rate);
        }
        fits
    }

    fn counts(&self) -> (u64, u64, u32) {
        self.counts.counts()
    }
}

/// Rows by address.
#[derive(Debug)]
pub(super) struct Rows<A, R> {
    /// A power of two of places. A row is at the one that its hash names, or as near behind it as it was free.
    pub(super) places: Vec<R>,
    /// A bit for each place that is taken.
    taken: Vec<u64>,
    pub(super) len: usize,
    /// Rows that were full, and were begun anew.
    pub(super) full: Vec<R>,
    addr: std::marker::PhantomData<A>,
}

impl<A: AddrBits, R: Row<A>> Rows<A, R> {
    pub(super) fn with_capacity(addresses: usize) -> Self {
        let mut rows = Self {
            places: Vec::new(),
            taken: Vec::new(),
            len: 0,
            full: Vec::new(),
            addr: std::marker::PhantomData,
        };
        if addresses > 0 {
            rows.make_places(addresses + addresses / 3);
        }
        rows
    }

    /// Empty places, at least so many.
    fn make_places(&mut self, least: usize) {
        let places = least.max(LEAST_PLACES).next_power_of_two();
        self.places = vec![R::new(A::from_u128(0), &Amount::default()); places];
        self.taken = vec![0; places / 64];
    }

    /// A part of the row that is at the place which the hash names, if any: reading it fetches it.
    #[inline]
    pub(super) fn peek(&self, hash: u64) -> u32 {
        let place = hash as usize & self.places.len().wrapping_sub(1);
        self.places.get(place).map_or(0, |row| row.counts().2)
    }

    #[inline]
    pub(super) fn add(&mut self, hash: u64, hasher: &RandomState, addr: A, amount: &Amount) {
        // At most three quarters are taken, so that free ones are near.
        if self.len >= self.places.len() / 4 * 3 {
            self.grow(hasher);
        }
        let place = self.place_of(hash, addr);
        let (word, bit) = (&mut self.taken[place / 64], 1 << (place % 64));
        let row = &mut self.places[place];
        if *word & bit == 0 {
            *word |= bit;
            *row = R::new(addr, amount);
            self.len += 1;
        } else if !row.add(amount) {
            self.full.push(std::mem::replace(row, R::new(addr, amount)));
        }
    }

    /// Where the row of an address is, or would be.
    #[inline]
    fn place_of(&self, hash: u64, addr: A) -> usize {
        let mask = self.places.len() - 1;
        let mut place = hash as usize & mask;
        while self.is_taken(place) && self.places[place].addr() != addr {
            place = (place + 1) & mask;
        }
        place
    }

    #[inline]
    fn is_taken(&self, place: usize) -> bool {
        self.taken[place / 64] >> (place % 64) & 1 != 0
    }

    #[cold]
    fn grow(&mut self, hasher: &RandomState) {
        let before = std::mem::replace(self, Self::with_capacity(0));
        self.make_places(before.places.len() * 2);
        self.len = before.len;
        for row in before.rows() {
            let place = self.place_of(hasher.hash_one(row.addr()), row.addr());
            self.taken[place / 64] |= 1 << (place % 64);
            self.places[place] = row;
        }
        self.full = before.full;
    }

    /// All rows, in no order.
    fn rows(&self) -> impl Iterator<Item = R> {
        let places = self.places.chunks(64).zip(&self.taken);
        places.flat_map(|(places, taken)| {
            let taken = (0..64).filter(move |bit| taken >> bit & 1 != 0);
            taken.map(|bit| places[bit as usize])
        })
    }

    /// One sorted set, and one for each row that was full.
    pub(super) fn into_sets(
        self,
        sampling: impl Fn(&[R]) -> Sampling,
    ) -> impl Iterator<Item = LeavesOf<A>> {
        let rows = self.rows().collect();
        let full = self.full.into_iter().map(|row| vec![row]);
        full.chain([rows]).map(move |mut rows| {
            // Moving whole rows beats sorting pointers to them: columns are then read in order.
            rows.sort_unstable_by_key(R::addr);
            LeavesOf {
                addr: rows.iter().map(R::addr).collect(),
                bytes: rows.iter().map(|row| row.counts().0).collect(),
                packets: rows.iter().map(|row| row.counts().1).collect(),
                flows: rows.iter().map(|row| u64::from(row.counts().2)).collect(),
                sampling: sampling(&rows),
            }
        })
    }
}
