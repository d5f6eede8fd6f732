//! Partitions that are read at the same time, on as many cores as there are.

use std::thread;

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::slot::{Read, Slot};
use crate::kafka::Fatal;

/// With fewer records at once than this it takes longer to wake others than to read them.
const WORTH_IT: usize = 2_000;

/// Threads that read partitions, one partition at a time each.
///
/// They hold nothing between two calls: what they read is one thread's, as if it had read all of it in turn.
pub(super) struct Readers {
    pool: Option<ThreadPool>,
    /// Records that were read the last time.
    records: usize,
}

impl Readers {
    /// As many as there are cores, and no more than the input has partitions. The calling thread is none of them.
    pub(super) fn new(partitions: u32) -> Result<Self, Fatal> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads = cores.min(partitions as usize);
        let pool = (threads > 1).then(|| {
            ThreadPoolBuilder::new()
                .num_threads(threads)
                .thread_name(|number| format!("count-{number}"))
                .build()
        });
        let pool = pool.transpose();
        Ok(Self {
            pool: pool.map_err(|e| Fatal(format!("the threads of count do not start: {e}")))?,
            records: 0,
        })
    }

    /// What `read` gives for each slot, in their order.
    pub(super) fn read<'s>(
        &mut self,
        slots: Vec<&'s mut Slot>,
        read: impl Fn(&mut Slot) -> Result<Read, Fatal> + Sync,
    ) -> Vec<(&'s mut Slot, Result<Read, Fatal>)> {
        let each = |slot: &'s mut Slot| {
            let result = read(slot);
            (slot, result)
        };
        let is_worth_it = self.records >= WORTH_IT && slots.len() > 1;
        let results: Vec<_> = match &self.pool {
            Some(pool) if is_worth_it => pool.install(|| slots.into_par_iter().map(each).collect()),
            _ => slots.into_iter().map(each).collect(),
        };
        let records = results.iter().map(|(_, result)| match result {
            Ok(Read::Records(records)) => *records,
            _ => 0,
        });
        self.records = records.sum();
        results
    }
}
