//! What an address takes in memory, by an allocator that counts.

// A global allocator cannot be implemented without.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use hotprefix::detect::DetectTask;
use hotprefix::partial;
use hotprefix::time::Timestamp;

use crate::count::{count, filled, task};
use crate::detect::{detect, window};
use crate::partial::flushed;
use crate::plans;
use crate::records::{Address, Stamp};
use crate::size::sizes;

#[global_allocator]
static COUNTED: Counted = Counted;

/// Bytes allocated, and the most since [`Peak::begin`].
static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

struct Counted;

fn grown(by: usize) {
    let now = NOW.fetch_add(by, Ordering::Relaxed) + by;
    if now > MOST.load(Ordering::Relaxed) {
        MOST.fetch_max(now, Ordering::Relaxed);
    }
}

// SAFETY: the system's allocator does it all, with the arguments that it gets; the counters allocate nothing.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // What is large is mapped elsewhere, not copied: it is never there twice.
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        grown(new_size);
        // SAFETY: as the caller promised.
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(ptr, layout) }
    }
}

/// Memory since some moment, an address.
struct Since {
    before: usize,
    addresses: f64,
}

impl Since {
    fn now(addresses: u32) -> Self {
        let before = NOW.load(Ordering::Relaxed);
        MOST.store(before, Ordering::Relaxed);
        Self {
            before,
            addresses: f64::from(addresses),
        }
    }

    fn bytes(&self, then: usize) -> f64 {
        then.saturating_sub(self.before) as f64 / self.addresses
    }

    /// What is held now, and the most that was held.
    fn print(&self, what: &str) {
        let held = self.bytes(NOW.load(Ordering::Relaxed));
        let most = self.bytes(MOST.load(Ordering::Relaxed));
        println!("  {what:<58} {held:>8.1} {most:>8.1}");
    }
}

/// Prints bytes for each distinct address.
pub(crate) fn print() {
    println!("{:<60} {:>8} {:>8}", "bytes an address", "held", "at most");
    for addresses in sizes() {
        if addresses >= 100_000 || sizes().len() == 1 {
            println!("{addresses} IPv4 addresses");
            of::<u32>(addresses);
            println!("{addresses} IPv6 addresses");
            of::<u128>(addresses);
        }
    }
}

fn of<A: Address>(addresses: u32) {
    let plan = plans::everything();
    let since = Since::now(addresses);
    let mut counting = filled::<A>(&plan, addresses);
    since.print("count: a flow to each");
    let records = flushed(&mut counting);
    since.print("count: flushed; the delta is held, the table was");
    drop((records, counting));

    let mut records = window::<A>(&plan, addresses).concat();
    let last = records.pop().expect("a marker closes the window");
    let since = Since::now(addresses);
    let mut detecting = detect(&plan);
    for (offset, record) in records.iter().enumerate() {
        apply(&mut detecting, offset, record);
    }
    since.print("detect: a window in ten deltas");
    apply(&mut detecting, records.len(), &last);
    drop(detecting.emission().expect("the window is due"));
    since.print("detect: the window passed over");
    drop((records, detecting));

    let since = Since::now(addresses);
    let (mut counting, mut detecting) = (task(&plan), detect(&plan));
    let mut stamp = Stamp::new::<A>();
    let each = addresses / 10;
    let mut offset = 0;
    for known in (0..addresses).step_by(each as usize) {
        count::<A>(&mut counting, &mut stamp, each, |n| known + n);
        for record in flushed(&mut counting) {
            apply(&mut detecting, offset, &record);
            offset += 1;
        }
    }
    since.print("both: a window in ten flushes");
}

fn apply(detecting: &mut DetectTask, offset: usize, record: &[u8]) {
    let partial = partial::decode(record).expect("it is readable");
    detecting.apply(offset as i64, partial, Timestamp::MIN);
}
