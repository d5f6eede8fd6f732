//! Dividing a flow's counts over the windows that it lasted through.
//!
//! A share ends where the rounded-down running total ends, so that shares add up exactly whatever
//! the remainders: the share of `[a, b)` is `total(b) − total(a)`, with
//! `total(t) = ⌊amount × (t − from) / (to − from)⌋`.

use std::time::Duration;

use crate::time::{Timestamp, millis};

use super::Window;

/// The time that a flow lasted, `[from, to)`; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    from: Timestamp,
    to: Timestamp,
}

impl Span {
    /// The span of a flow that ended at `event_time` and lasted from `start` to `end` by its own
    /// clock. `None` when it counts as of its arrival: a time is missing, or the duration is zero,
    /// negative or above `max`.
    pub fn of(
        event_time: Timestamp,
        start: Option<Timestamp>,
        end: Option<Timestamp>,
        max: Duration,
    ) -> Option<Self> {
        let lasted = end?.since(start?);
        let from = event_time.minus(lasted);
        (lasted <= max && from < event_time).then_some(Self {
            from,
            to: event_time,
        })
    }

    /// The last window that it overlaps: where the flow itself is counted.
    pub fn last_window(self, interval: Duration) -> Window {
        Window::containing(self.to.minus(Duration::from_millis(1)), interval)
    }

    /// Divides `amounts`. Windows before `oldest_open` are closed: their share is computed in one
    /// step, however many they are.
    pub fn divide<const N: usize>(
        self,
        interval: Duration,
        oldest_open: Window,
        amounts: [u64; N],
    ) -> Shares<N> {
        let late = (self.from < oldest_open.start).then(|| self.totals(oldest_open.start, amounts));
        let first = if late.is_some() {
            oldest_open
        } else {
            Window::containing(self.from, interval)
        };
        Shares {
            span: self,
            amounts,
            late,
            given: late.unwrap_or([0; N]),
            next: first,
        }
    }

    /// Running totals at `at`, which may lie after the end.
    fn totals<const N: usize>(self, at: Timestamp, amounts: [u64; N]) -> [u64; N] {
        let part = millis(at.min(self.to).since(self.from)) as u128;
        let whole = millis(self.to.since(self.from)) as u128;
        // At most the amount, since part <= whole.
        amounts.map(|amount| (u128::from(amount) * part / whole) as u64)
    }
}

/// The shares of the open windows, oldest first.
#[derive(Clone, Debug)]
pub struct Shares<const N: usize> {
    span: Span,
    amounts: [u64; N],
    late: Option<[u64; N]>,
    given: [u64; N],
    next: Window,
}

impl<const N: usize> Shares<N> {
    /// The share of closed windows, when the span reaches into them.
    pub const fn late(&self) -> Option<[u64; N]> {
        self.late
    }
}

impl<const N: usize> Iterator for Shares<N> {
    type Item = (Window, [u64; N]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.next.start >= self.span.to {
            return None;
        }
        let window = self.next;
        self.next = window.next();
        let totals = self.span.totals(window.end, self.amounts);
        let mut share = totals;
        for (share, given) in share.iter_mut().zip(self.given) {
            *share -= given;
        }
        self.given = totals;
        Some((window, share))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(at: i64) -> Timestamp {
        Timestamp::from_millis(at)
    }

    proptest! {
        #[test]
        fn shares_equal_a_count_of_milliseconds(
            to in 1..2000_i64, lasted in 1..1500_i64, interval in 1..400_u64, oldest in 0..2100_i64,
            amounts: [u64; 2],
        ) {
            let interval = Duration::from_millis(interval);
            let span = Span { from: ms(to - lasted), to: ms(to) };
            let oldest = Window::containing(ms(oldest), interval);
            // The model gives out one millisecond after the other.
            let mut model = std::collections::BTreeMap::<Option<i64>, [u64; 2]>::new();
            let total = |i: i64, amount: u64| {
                u64::try_from(u128::from(amount) * i as u128 / lasted as u128).unwrap()
            };
            for i in 0..lasted {
                let window = Window::containing(ms(to - lasted + i), interval);
                let open = (window.start >= oldest.start).then_some(window.start.as_millis());
                let slot = model.entry(open).or_default();
                for (slot, amount) in slot.iter_mut().zip(amounts) {
                    *slot += total(i + 1, amount) - total(i, amount);
                }
            }
            let shares = span.divide(interval, oldest, amounts);
            let mut got = std::collections::BTreeMap::new();
            if let Some(late) = shares.late() {
                got.insert(None, late);
            }
            for (window, share) in shares {
                prop_assert_eq!(window.length(), interval);
                prop_assert!(window.start >= oldest.start);
                got.insert(Some(window.start.as_millis()), share);
            }
            prop_assert_eq!(&got, &model);
            for (i, amount) in amounts.into_iter().enumerate() {
                let sum: u128 = got.values().map(|share| u128::from(share[i])).sum();
                prop_assert_eq!(sum, u128::from(amount));
            }
        }
    }

    #[test]
    fn a_flow_within_one_window_is_one_share() {
        let span = Span::of(
            ms(1000),
            Some(ms(50)),
            Some(ms(450)),
            Duration::from_secs(1),
        );
        let span = span.expect("400 ms are spread");
        let interval = Duration::from_secs(1);
        let window = Window::containing(ms(0), interval);
        // It ends at the window's end, which belongs to the next one: no empty share there.
        let shares: Vec<_> = span.divide(interval, window, [7]).collect();
        assert_eq!(shares, [(window, [7])]);
        assert_eq!(span.last_window(interval), window);
    }

    #[test]
    fn a_flow_that_begins_with_the_oldest_open_window_has_no_late_share() {
        let second = Duration::from_secs(1);
        let span = Span {
            from: ms(3000),
            to: ms(4500),
        };
        let late = |oldest: i64| {
            span.divide(second, Window::starting(ms(oldest), second), [15])
                .late()
        };
        assert_eq!(late(3000), None);
        assert_eq!(late(4000), Some([10]));
    }

    #[test]
    fn an_hour_before_the_oldest_open_window_is_one_step() {
        let hour = Duration::from_hours(1);
        let at = ms(36_000_000);
        let span = Span::of(at, Some(ms(0)), Some(ms(3_600_000)), hour).expect("an hour is spread");
        let interval = Duration::from_millis(1);
        let oldest = Window::containing(at.minus(Duration::from_millis(2)), interval);
        let mut shares = span.divide(interval, oldest, [3_600_000]);
        assert_eq!(shares.late(), Some([3_599_998]));
        assert_eq!(
            shares.by_ref().map(|(_, [n])| n).collect::<Vec<_>>(),
            [1, 1]
        );
    }

    #[test]
    fn odd_durations_count_as_arrival() {
        let max = Duration::from_secs(1);
        let span = |start, end| Span::of(ms(5000), start, end, max);
        assert_eq!(span(Some(ms(100)), Some(ms(100))), None);
        assert_eq!(span(Some(ms(200)), Some(ms(100))), None);
        assert_eq!(span(Some(ms(100)), Some(ms(1101))), None);
        assert_eq!(span(None, Some(ms(100))), None);
        assert_eq!(span(Some(ms(100)), None), None);
        assert!(span(Some(ms(100)), Some(ms(1100))).is_some());
    }
}
