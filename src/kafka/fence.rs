//! Who may commit: the lock between transactions and rebalances.
//!
//! The broker checks that a commit comes from a member of the group, not that the member still owns
//! the partition. So ownership is ours to check: every assignment of a partition has a number, a
//! revocation kills it, and a transaction writes only for numbers that live.
//!
//! Invariant: between [`Fence::transaction`] and the drop of its guard no number is killed, and while a
//! rebalance waits no new transaction begins. So when the callback goes on to give a partition back,
//! no transaction holds it and none will.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Names one assignment of one partition in this process. Never used twice.
pub(crate) type AssignmentNumber = u64;

/// The lock.
#[derive(Default)]
pub(crate) struct Fence {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    live: HashSet<AssignmentNumber>,
    last: AssignmentNumber,
    in_transaction: bool,
    rebalances_waiting: usize,
}

impl Fence {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves plain sets and flags, which are whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no transaction is open and no rebalance waits; then holds off rebalances.
    pub(crate) fn transaction(&self) -> TransactionPass<'_> {
        let mut state = self.lock();
        while state.in_transaction || state.rebalances_waiting > 0 {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.in_transaction = true;
        TransactionPass { fence: self }
    }

    fn rebalance<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        state.rebalances_waiting += 1;
        while state.in_transaction {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.rebalances_waiting -= 1;
        let result = change(&mut state);
        drop(state);
        self.changed.notify_all();
        result
    }

    /// A number for a partition that is about to be assigned. Waits for an open transaction.
    pub(crate) fn assign(&self) -> AssignmentNumber {
        self.rebalance(|state| {
            state.last += 1;
            state.live.insert(state.last);
            state.last
        })
    }

    /// Ends assignments. Waits for an open transaction; none that begins later can write for them.
    pub(crate) fn revoke(&self, numbers: &[AssignmentNumber]) {
        self.rebalance(|state| {
            for number in numbers {
                state.live.remove(number);
            }
        });
    }
}

/// The right to run one transaction, until it is dropped.
pub(crate) struct TransactionPass<'f> {
    fence: &'f Fence,
}

impl TransactionPass<'_> {
    /// Whether the assignment still stands. It stands as long as this pass.
    pub(crate) fn is_live(&self, number: AssignmentNumber) -> bool {
        self.fence.lock().live.contains(&number)
    }
}

impl Drop for TransactionPass<'_> {
    fn drop(&mut self) {
        self.fence.lock().in_transaction = false;
        self.fence.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn revoked_number_is_dead_for_the_next_transaction() {
        let fence = Fence::default();
        let (a, b) = (fence.assign(), fence.assign());
        fence.revoke(&[a]);
        let pass = fence.transaction();
        assert!(!pass.is_live(a));
        assert!(pass.is_live(b));
    }

    #[test]
    fn revocation_waits_for_the_open_transaction_and_goes_before_the_next() {
        let fence = Fence::default();
        let number = fence.assign();
        let order = Mutex::new(Vec::new());
        let (waiting, waits) = mpsc::channel();
        thread::scope(|scope| {
            let first = fence.transaction();
            scope.spawn(|| {
                waiting.send(()).unwrap();
                fence.revoke(&[number]);
                order.lock().unwrap().push("revoked");
            });
            waits.recv().unwrap();
            // The spawned thread is about to wait or waits; either way the number lives until we end.
            while fence.lock().rebalances_waiting == 0 {
                thread::yield_now();
            }
            assert!(first.is_live(number));
            order.lock().unwrap().push("committed");
            drop(first);
            let second = fence.transaction();
            assert!(!second.is_live(number));
        });
        assert_eq!(*order.lock().unwrap(), ["committed", "revoked"]);
    }

    #[test]
    fn numbers_are_never_reused() {
        let fence = Fence::default();
        let a = fence.assign();
        fence.revoke(&[a]);
        assert_ne!(fence.assign(), a);
    }
}
