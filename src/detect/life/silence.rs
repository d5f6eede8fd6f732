//! Silences that begin and are over while alerts are open.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::incident::related;
use super::{Life, Lives, Message, Name, Said, Seen};
use crate::alert::EndReason;
use crate::net::Prefix;
use crate::rule::Lifecycle;
use crate::window::Window;

impl Lives {
    /// Ends what was silenced and is not any more, and what a silence that has begun is to end. What of it is over
    /// a threshold now is as good as started: in another alert of the same incident.
    pub(super) fn turn(
        &mut self,
        pace: &Lifecycle,
        window: Window,
        seen: &BTreeMap<Prefix, Seen>,
    ) -> Vec<Message> {
        let turned = self.open.iter().filter_map(|prefix| {
            let (seen, life) = (seen.get(prefix)?, self.all.get(prefix)?);
            let why = match (&life.silenced, &seen.silence) {
                (Some(_), None) => EndReason::SilenceOver,
                (None, Some(silence)) if silence.ends => EndReason::Silenced,
                _ => return None,
            };
            Some((*prefix, why, seen.is_over()))
        });
        let turned: Vec<_> = turned.collect();
        let mut messages = Vec::new();
        for (prefix, why, is_over) in turned {
            let first = window.start;
            let next = is_over.then_some(Name { first, prefix });
            let ended = self.tell(pace, window, prefix, Said::Ended(why), next);
            if let (Some(next), Some(ended)) = (next, &ended) {
                let mut life = Life::begin(next, window);
                life.over = pace.after;
                life.incident = ended.life.incident;
                self.all.insert(prefix, life);
            }
            messages.extend(ended);
        }
        messages
    }

    /// What silences an alert that starts, of what is `seen` in its window. Not where it takes the place of one that
    /// is not silenced: that goes on, unless the silence is to end it.
    pub(super) fn silenced_by(
        &self,
        prefix: Prefix,
        seen: &BTreeMap<Prefix, Seen>,
    ) -> Option<Arc<str>> {
        let silence = seen.get(&prefix)?.silence.as_ref()?;
        let goes_on = |(other, life): (Prefix, &Life)| {
            // What is not over a threshold any more is open, or it would not be here.
            let is_below = seen.get(&other).is_some_and(|seen| !seen.is_over());
            is_below && life.silenced.is_none()
        };
        let moved = !silence.ends && related(&self.all, prefix).any(goes_on);
        (!moved).then(|| Arc::clone(&silence.name))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::tests::{pace, prefix, seen, window};
    use super::*;
    use crate::detect::life::Hush;

    fn hush(ends: bool) -> Hush {
        Hush {
            name: Arc::from("quiet"),
            ends,
        }
    }

    /// `window prefix said by, silence, incident` of each message over windows in which these are over their threshold, and
    /// those silenced.
    fn told(pace: &Lifecycle, ends: bool, windows: &[(&[u32], &[u32])]) -> Vec<String> {
        let mut lives = Lives::default();
        let mut told = Vec::new();
        for (n, (over, silenced)) in (0..).zip(windows) {
            let open = lives.open().iter().map(|p| (*p, seen(false, 0)));
            let mut all: BTreeMap<Prefix, Seen> = open.collect();
            all.extend(over.iter().map(|p| (prefix(*p), seen(true, 1))));
            for number in *silenced {
                if let Some(seen) = all.get_mut(&prefix(*number)) {
                    seen.silence = Some(hush(ends));
                }
            }
            for m in lives.window(pace, &[], window(n), Some(&all), &BTreeSet::new()) {
                let said = match m.said {
                    Said::Ended(why) => format!("{why:?}"),
                    said => format!("{said:?}"),
                };
                let by = m.by.map_or_else(String::new, |by| {
                    format!(" by {} of {}", by.prefix, by.first.as_millis() / 60_000)
                });
                let silence = m.life.silenced.as_deref().unwrap_or("-");
                let incident = m.life.incident;
                let (of, pulse) = (incident.name.first.as_millis() / 60_000, incident.pulse);
                told.push(format!(
                    "{n} {} {said}{by}, {silence}, {of} {pulse}",
                    m.prefix
                ));
            }
        }
        told
    }

    #[test]
    fn an_alert_that_starts_silenced_is_so_to_its_end_and_starts_again_when_the_silence_is_over() {
        let all = told(
            &pace(2, 2, 1),
            false,
            &[
                (&[1], &[1]),
                (&[1], &[1]),
                (&[1], &[1]),
                (&[1], &[]),
                (&[], &[]),
                (&[], &[1]),
            ],
        );
        assert_eq!(
            all,
            [
                "1 0.0.0.1/32 Started, quiet, 0 1",
                "2 0.0.0.1/32 Ongoing, quiet, 0 1",
                "3 0.0.0.1/32 SilenceOver by 0.0.0.1/32 of 3, quiet, 0 1",
                "3 0.0.0.1/32 Started, -, 0 1",
                "4 0.0.0.1/32 Ongoing, -, 0 1",
                "5 0.0.0.1/32 BelowThreshold, -, 0 1",
            ]
        );
        // What is over no threshold then has ended, and may be the same event again.
        let all = told(
            &pace(1, 3, 1),
            false,
            &[(&[1], &[1]), (&[], &[]), (&[1], &[])],
        );
        assert_eq!(
            all[1..],
            [
                "1 0.0.0.1/32 SilenceOver, quiet, 0 1",
                "2 0.0.0.1/32 Started, -, 0 2",
            ]
        );
    }

    #[test]
    fn an_open_alert_goes_on_through_a_silence_unless_that_is_to_end_it() {
        let windows: &[(&[u32], &[u32])] = &[(&[1], &[]), (&[1], &[1]), (&[1], &[1])];
        assert_eq!(
            told(&pace(1, 2, 1), false, windows)[1..],
            [
                "1 0.0.0.1/32 Ongoing, -, 0 1",
                "2 0.0.0.1/32 Ongoing, -, 0 1"
            ]
        );
        assert_eq!(
            told(
                &pace(3, 2, 1),
                true,
                &[windows[0], windows[0], windows[0], windows[1], (&[], &[1])]
            ),
            [
                "2 0.0.0.1/32 Started, -, 0 1",
                "3 0.0.0.1/32 Silenced by 0.0.0.1/32 of 3, -, 0 1",
                "3 0.0.0.1/32 Started, quiet, 0 1",
                "4 0.0.0.1/32 Ongoing, quiet, 0 1",
            ]
        );
        // Below its threshold, in `hold`, it ends and nothing starts.
        assert_eq!(
            told(&pace(1, 5, 1), true, &[(&[1], &[]), (&[], &[1])])[1..],
            ["1 0.0.0.1/32 Silenced, -, 0 1"]
        );
    }

    #[test]
    fn open_alerts_that_are_silenced_are_counted() {
        let mut lives = Lives::default();
        let mut all: BTreeMap<Prefix, Seen> = (1..=3).map(|n| (prefix(n), seen(true, 1))).collect();
        for number in [1, 3] {
            if let Some(seen) = all.get_mut(&prefix(number)) {
                seen.silence = Some(hush(false));
            }
        }
        lives.window(&pace(1, 1, 1), &[], window(0), Some(&all), &BTreeSet::new());
        assert_eq!((lives.open().len(), lives.silenced()), (3, 2));
    }

    #[test]
    fn what_takes_the_place_of_an_open_alert_is_not_silenced_unless_it_is_to_end() {
        // A host that is not silenced, then its network, which is.
        let moves: &[(&[u32], &[u32])] = &[(&[1], &[]), (&[0], &[0])];
        assert_eq!(
            told(&pace(1, 2, 1), false, moves)[1..],
            [
                "1 0.0.0.0/24 Started, -, 0 1",
                "1 0.0.0.1/32 Superseded by 0.0.0.0/24 of 1, -, 0 1",
            ]
        );
        assert_eq!(
            told(&pace(1, 2, 1), true, moves)[1],
            "1 0.0.0.0/24 Started, quiet, 0 1"
        );
        // Beside one that goes on it starts silenced.
        assert_eq!(
            told(&pace(1, 2, 1), false, &[(&[1], &[]), (&[0, 1], &[0])])[1],
            "1 0.0.0.0/24 Started, quiet, 0 1"
        );
        // What starts beside one that starts again is of its incident, whichever comes first.
        assert_eq!(
            told(&pace(1, 2, 1), false, &[(&[1], &[1]), (&[0, 1], &[])])[1..],
            [
                "1 0.0.0.0/24 Started, -, 0 1",
                "1 0.0.0.1/32 SilenceOver by 0.0.0.1/32 of 1, quiet, 0 1",
                "1 0.0.0.1/32 Started, -, 0 1",
            ]
        );
    }
}
