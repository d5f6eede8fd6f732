//! How far each source is, and which sources there must be.
//!
//! Invariant: the expected set is raised in log order and never lowered, so that no window closes
//! before every source that was ever known has closed it or is known to be empty.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::alert::Completeness;
use crate::partial::{Marker, SourceId};
use crate::rule::Fingerprint;
use crate::time::Timestamp;
use crate::window::Window;

/// Records of a source that nobody counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    /// Windows that end at or before this were closed before the gap.
    pub(super) closed: Timestamp,
    /// Windows that start at or after this are whole again.
    pub(super) until: Timestamp,
}

/// One selection in one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) from: Timestamp,
    pub(super) closed_through: Timestamp,
    /// Whether the latest marker lists it: otherwise it is counted no more.
    pub(super) listed: bool,
    pub(super) gaps: Vec<Gap>,
}

impl Counted {
    /// What it is closed through, once the source has a record.
    pub(super) fn closed(&self) -> Option<Timestamp> {
        Some(self.closed_through).filter(|c| *c > Timestamp::MIN)
    }
}

/// What the markers of one source said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) stream_time: Option<Timestamp>,
    pub(super) idle: bool,
    pub(super) complete_from: Timestamp,
    pub(super) counted: BTreeMap<Fingerprint, Counted>,
}

impl Source {
    const fn new() -> Self {
        Self {
            stream_time: None,
            idle: false,
            complete_from: Timestamp::MIN,
            counted: BTreeMap::new(),
        }
    }

    fn apply(&mut self, marker: &Marker) {
        let gap = (marker.complete_from > self.complete_from).then_some(marker.complete_from);
        self.stream_time = marker.stream_time;
        self.idle = marker.idle;
        self.complete_from = self.complete_from.max(marker.complete_from);
        for counted in self.counted.values_mut() {
            counted.listed = false;
        }
        for rule in &marker.rules {
            let new = || Counted {
                from: rule.counted_from,
                closed_through: Timestamp::MIN,
                listed: true,
                gaps: Vec::new(),
            };
            let known = self.counted.contains_key(&rule.selection);
            let counted = self.counted.entry(rule.selection).or_insert_with(new);
            let missing = gap.or((!known).then_some(self.complete_from));
            if let Some(until) = missing.filter(|u| *u > Timestamp::MIN) {
                counted.gaps.push(Gap {
                    closed: counted.closed_through,
                    until,
                });
            }
            counted.from = rule.counted_from;
            counted.closed_through = rule.closed_through;
            counted.listed = true;
        }
    }

    /// No later delta of `selection` has a window that ends at or before this. A source that is
    /// known to be empty holds nothing back.
    pub(super) fn closed_through(&self, selection: Fingerprint) -> Timestamp {
        match (self.stream_time, self.counted.get(&selection)) {
            (None, _) if self.idle => Timestamp::MAX,
            (None, _) => Timestamp::MIN,
            (Some(_), Some(counted)) if counted.listed => counted.closed_through,
            (Some(stream_time), _) => stream_time,
        }
    }

    /// Whether `selection` was counted here through all of a closed window.
    fn covers(&self, selection: Fingerprint, window: Window) -> bool {
        self.stream_time.is_none()
            || self.counted.get(&selection).is_some_and(|c| {
                c.from <= window.start && (c.listed || window.end <= c.closed_through)
            })
    }

    fn lacks_records(&self, selection: Fingerprint, window: Window) -> bool {
        self.counted.get(&selection).is_some_and(|c| {
            c.gaps
                .iter()
                .any(|g| g.closed < window.end && window.start < g.until)
        })
    }
}

/// What a marker changed, to be able to say how things were before it.
#[derive(Clone, Debug)]
pub(super) struct Before {
    pub(super) id: SourceId,
    pub(super) source: Option<Source>,
    pub(super) partitions: Option<usize>,
}

/// All expected sources. `None`: no marker came yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    topics: BTreeMap<Arc<str>, Vec<Option<Source>>>,
}

impl Sources {
    /// Expects at least `partitions` (and one at any rate) of `topic`.
    pub(super) fn expect(&mut self, topic: &Arc<str>, partitions: usize) {
        let sources = self.topics.entry(Arc::clone(topic)).or_default();
        let partitions = partitions.max(1).max(sources.len());
        sources.resize(partitions, None);
    }

    /// Puts back what was saved.
    pub(super) fn restore(&mut self, id: &SourceId, source: Source) {
        let partition = id.partition.max(0) as usize;
        self.expect(&id.topic, partition + 1);
        if let Some(sources) = self.topics.get_mut(&id.topic) {
            sources[partition] = Some(source);
        }
    }

    /// Applies a marker. `None` if it names no partition.
    pub(super) fn apply(&mut self, marker: &Marker) -> Option<Before> {
        let id = &marker.source;
        let partition = usize::try_from(id.partition).ok()?;
        let partitions = self.topics.get(&id.topic).map(Vec::len);
        self.expect(
            &id.topic,
            (marker.topic_partitions as usize).max(partition + 1),
        );
        let slot = self.topics.get_mut(&id.topic)?.get_mut(partition)?;
        let before = slot.clone();
        slot.get_or_insert_with(Source::new).apply(marker);
        Some(Before {
            id: id.clone(),
            source: before,
            partitions,
        })
    }

    pub(super) fn get(&self, id: &SourceId) -> Option<&Source> {
        let partition = usize::try_from(id.partition).ok()?;
        self.topics.get(&id.topic)?.get(partition)?.as_ref()
    }

    /// Expected partitions by topic.
    pub(super) fn topics(&self) -> impl Iterator<Item = (&Arc<str>, usize)> {
        self.topics.iter().map(|(t, s)| (t, s.len()))
    }

    /// Every expected source.
    pub(super) fn iter(&self) -> impl Iterator<Item = (SourceId, Option<&Source>)> {
        self.topics.iter().flat_map(|(topic, sources)| {
            sources.iter().enumerate().map(|(partition, source)| {
                let id = SourceId {
                    topic: Arc::clone(topic),
                    partition: partition as i32,
                };
                (id, source.as_ref())
            })
        })
    }

    fn all(&self) -> impl Iterator<Item = Option<&Source>> {
        self.topics.values().flatten().map(Option::as_ref)
    }

    /// Every source has closed the windows of `selection` that end at or before this.
    pub(super) fn closed_through(&self, selection: Fingerprint) -> Timestamp {
        self.all()
            .map(|s| s.map_or(Timestamp::MIN, |s| s.closed_through(selection)))
            .min()
            .unwrap_or(Timestamp::MIN)
    }

    /// Some source that has records has closed the windows that end at or before this.
    pub(super) fn closed_somewhere(&self, selection: Fingerprint) -> Timestamp {
        self.all()
            .flatten()
            .filter(|s| s.stream_time.is_some())
            .map(|s| s.closed_through(selection))
            .max()
            .unwrap_or(Timestamp::MIN)
    }

    /// Whether every source that reported counted all of `window`.
    pub(super) fn cover(&self, selection: Fingerprint, window: Window) -> bool {
        self.all().flatten().all(|s| s.covers(selection, window))
    }

    /// Whether some source's latest marker lists `selection`.
    pub(super) fn list(&self, selection: Fingerprint) -> bool {
        let lists = |s: &Source| s.counted.get(&selection).is_some_and(|c| c.listed);
        self.all().flatten().any(lists)
    }

    /// What can be said of a window's completeness now.
    pub(super) fn completeness(&self, selection: Fingerprint, window: Window) -> Completeness {
        let reported = |s: &Source| {
            !s.idle && s.stream_time.is_some() && s.closed_through(selection) >= window.end
        };
        Completeness {
            partitions_reported: self.all().flatten().filter(|s| reported(s)).count() as u32,
            partitions_expected: self.all().count() as u32,
            partial: self
                .all()
                .any(|s| s.is_none_or(|s| s.lacks_records(selection, window))),
        }
    }

    /// Forgets gaps before `next`, the oldest window of `selection` that is still needed.
    pub(super) fn forget_gaps(&mut self, selection: Fingerprint, next: Timestamp) {
        for source in self.topics.values_mut().flatten().flatten() {
            if let Some(counted) = source.counted.get_mut(&selection) {
                counted.gaps.retain(|g| g.until > next);
            }
        }
    }

    /// Forgets what a source said of selections that `is_needed` does not name.
    pub(super) fn forget_selections(
        &mut self,
        id: &SourceId,
        is_needed: impl Fn(Fingerprint) -> bool,
    ) {
        let sources = self.topics.get_mut(&id.topic);
        if let Some(Some(source)) = sources.and_then(|s| s.get_mut(id.partition.max(0) as usize)) {
            source.counted.retain(|s, c| c.listed || is_needed(*s));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partial::{Fates, RuleProgress};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    /// A marker of a source whose records are complete from `complete_from` on, with selections and what each is closed
    /// through.
    fn marker(complete_from: Timestamp, selections: &[(u64, i64)]) -> Marker {
        let rules = selections.iter().map(|(selection, closed)| RuleProgress {
            selection: Fingerprint(*selection),
            counted_from: Timestamp::MIN,
            closed_through: at(*closed),
        });
        Marker {
            source: SourceId {
                topic: "flows".into(),
                partition: 0,
            },
            next_offset: 0,
            stream_time: Some(at(100)),
            idle: false,
            topic_partitions: 1,
            complete_from,
            rules: rules.collect(),
            fates: Fates::default(),
        }
    }

    fn gaps(source: &Source, selection: u64) -> Vec<(Timestamp, Timestamp)> {
        let gaps = &source.counted[&Fingerprint(selection)].gaps;
        gaps.iter().map(|gap| (gap.closed, gap.until)).collect()
    }

    #[test]
    fn a_gap_is_kept_once_for_each_selection_from_what_was_closed_before_it() {
        let mut source = Source::new();
        source.apply(&marker(Timestamp::MIN, &[(1, 10)]));
        assert_eq!(gaps(&source, 1), []);
        source.apply(&marker(at(50), &[(1, 60)]));
        source.apply(&marker(at(50), &[(1, 70), (2, 70)]));
        let (first, new) = ((at(10), at(50)), (Timestamp::MIN, at(50)));
        assert_eq!(gaps(&source, 1), [first]);
        assert_eq!(gaps(&source, 2), [new]);
        source.apply(&marker(at(80), &[(1, 90), (2, 90)]));
        assert_eq!(gaps(&source, 1), [first, (at(70), at(80))]);
        assert_eq!(gaps(&source, 2), [new, (at(70), at(80))]);
    }

    #[test]
    fn windows_that_a_gap_touches_lack_records_until_the_gap_is_forgotten() {
        let mut sources = Sources::default();
        sources.apply(&marker(Timestamp::MIN, &[(1, 10)]));
        sources.apply(&marker(at(50), &[(1, 60)]));
        let partial = |sources: &Sources, start, seconds| {
            let window = Window::starting(at(start), std::time::Duration::from_secs(seconds));
            sources.completeness(Fingerprint(1), window).partial
        };
        // Closed before the gap; closed later; still within it; whole again.
        let of_all = |sources: &Sources| {
            [(0, 10), (0, 20), (40, 10), (50, 10)].map(|(start, s)| partial(sources, start, s))
        };
        assert_eq!(of_all(&sources), [false, true, true, false]);
        sources.forget_gaps(Fingerprint(1), at(49));
        assert_eq!(of_all(&sources), [false, true, true, false]);
        sources.forget_gaps(Fingerprint(1), at(50));
        assert_eq!(of_all(&sources), [false; 4]);
    }

    #[test]
    fn a_partition_is_expected_with_those_before_it_whatever_a_marker_says_of_their_number() {
        let mut marker = marker(Timestamp::MIN, &[]);
        marker.source.partition = 3;
        let mut sources = Sources::default();
        assert!(sources.apply(&marker).is_some());
        assert_eq!(sources.iter().count(), 4);
        let saved = sources
            .get(&marker.source)
            .cloned()
            .expect("it was applied");
        let mut restored = Sources::default();
        restored.restore(&marker.source, saved.clone());
        assert_eq!(restored.iter().count(), 4);
        assert_eq!(restored.get(&marker.source), Some(&saved));
        marker.source.partition = -1;
        assert!(sources.apply(&marker).is_none());
    }

    #[test]
    fn selections_are_forgotten_that_are_neither_counted_nor_needed() {
        let mut sources = Sources::default();
        let marker = marker(Timestamp::MIN, &[(1, 10), (2, 10), (3, 10)]);
        sources.apply(&marker);
        sources.apply(&Marker {
            rules: marker.rules[..1].to_vec(),
            ..marker.clone()
        });
        sources.forget_selections(&marker.source, |s| s == Fingerprint(2));
        let left = &sources.get(&marker.source).expect("it was applied").counted;
        let left: Vec<_> = left.keys().copied().collect();
        assert_eq!(left, [Fingerprint(1), Fingerprint(2)]);
        assert!(sources.list(Fingerprint(1)));
        assert!(!sources.list(Fingerprint(2)));
    }
}
