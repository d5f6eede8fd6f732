//! Thresholds and labels of single prefixes: the longest match decides, on top of the table by length.
//!
//! An entry's threshold holds in its prefix and inside it, for its length and longer ones, up to an
//! entry inside that states the same metric: what an entry does not state, it inherits. What lies in an
//! entry with thresholds does not count towards shorter prefixes, unless the entry says so.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};

use super::model::{Fingerprint, Limit, Metric};
use super::prefixes::PrefixTable;
use crate::net::{Family, Prefix};

/// No place: see [`Places`].
pub const NOWHERE: u32 = u32::MAX;

/// Thresholds by metric: (prefix length, threshold in the metric's unit), each for its length and
/// longer ones up to the next.
pub type Steps = Vec<(Metric, Vec<(u8, u64)>)>;

/// One prefix with what is different there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The prefix.
    pub prefix: Prefix,
    /// Its thresholds, none below the prefix's length, in the order of [`Metric::ALL`].
    pub steps: Steps,
    /// Nothing in it is reported, up to an override inside with thresholds.
    pub never: bool,
    /// Whether what is in it counts towards shorter prefixes, too.
    pub count_in_parents: bool,
    /// Copied into the target of alerts inside it.
    pub labels: BTreeMap<String, String>,
}

impl Override {
    /// Whether it says anything of thresholds.
    pub const fn decides(&self) -> bool {
        self.never || !self.steps.is_empty()
    }
}

/// A rule's overrides, sorted by prefix, without repeats.
#[derive(Clone)]
pub struct Overrides {
    entries: Vec<Override>,
    table: PrefixTable<u32>,
    places: Places,
}

impl fmt::Debug for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overrides")
            .field("entries", &self.entries.len())
            .finish_non_exhaustive()
    }
}

impl Overrides {
    /// Sorts the entries, for a rule whose limits are in `metrics` and whose gate asks for a label, if it
    /// has one. A prefix given twice is the error.
    pub fn new(
        mut entries: Vec<Override>,
        metrics: &[Metric],
        interval_ms: u64,
        gate: Option<&str>,
    ) -> Result<Self, Prefix> {
        entries.sort_by_key(|e| e.prefix);
        let mut table = PrefixTable::default();
        for (index, entry) in entries.iter().enumerate() {
            if table.insert(entry.prefix, index as u32).is_some() {
                return Err(entry.prefix);
            }
        }
        let places = Places::new(&entries, metrics, interval_ms, gate);
        Ok(Self {
            entries,
            table,
            places,
        })
    }

    /// All entries, sorted by prefix.
    pub fn entries(&self) -> &[Override] {
        &self.entries
    }

    /// Those that decide.
    pub const fn places(&self) -> &Places {
        &self.places
    }

    /// The entry behind each place, and the place around it or [`NOWHERE`].
    pub(super) fn place_entries(&self) -> impl Iterator<Item = (&Override, u32)> {
        let places = self.places.all.iter();
        places.map(|place| (&self.entries[place.entry as usize], place.around))
    }

    /// The entries that hold `prefix`, longest first.
    pub fn around(&self, prefix: Prefix) -> impl Iterator<Item = &Override> {
        let find = |prefix| {
            let index: Option<&u32> = self.table.around(prefix);
            index.map(|index| &self.entries[*index as usize])
        };
        std::iter::successors(find(prefix), move |inner| {
            let shorter = inner.prefix.length().checked_sub(1)?;
            find(Prefix::new(inner.prefix.addr(), shorter))
        })
    }

    /// A digest of everything that they say.
    pub(super) fn digest(&self) -> Fingerprint {
        let mut digest = Sha256::new();
        for entry in &self.entries {
            digest.update(canonical(entry).as_bytes());
        }
        let mut first = [0; 8];
        first.copy_from_slice(&digest.finalize()[..8]);
        Fingerprint(u64::from_be_bytes(first))
    }
}

fn canonical(entry: &Override) -> String {
    let mut words = vec![entry.prefix.to_string()];
    words.extend(entry.never.then(|| "never".to_owned()));
    words.extend(
        entry
            .count_in_parents
            .then(|| "count_in_parents".to_owned()),
    );
    for (metric, steps) in &entry.steps {
        let steps = steps
            .iter()
            .map(|(length, stated)| format!("{}.{length}={stated}", metric.name()));
        words.extend(steps);
    }
    let labels = &entry.labels;
    words.extend(
        labels
            .iter()
            .map(|(key, value)| format!("{key}={}", value.escape_default())),
    );
    words.join(" ") + "\n"
}

/// A threshold that holds from a prefix length on.
#[derive(Clone, Copy, Debug)]
struct Step {
    from: u8,
    stated: u64,
    /// In volume per interval, see [`Limit`].
    volume: u128,
}

/// What a pass asks of one place and limit.
#[derive(Clone, Copy, Debug)]
struct Held {
    /// Where its steps are: its own, and those it inherits.
    steps: (u32, u32),
    /// The nearest place, itself or around, that states a threshold for its own length.
    looked_at: u32,
    /// No volume at or below this is over a threshold here, in it or around.
    least: u128,
}

/// One prefix with thresholds or a group of its own.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The prefix.
    pub prefix: Prefix,
    /// Whether what is in it counts in it alone.
    pub is_apart: bool,
    /// The next longest place that covers it, or [`NOWHERE`].
    around: u32,
    /// Position among all overrides.
    entry: u32,
}

/// The overrides that decide on thresholds or on a gate's group, sorted by prefix. A place is named by its
/// position.
#[derive(Clone, Debug, Default)]
pub struct Places {
    all: Vec<Place>,
    limits: usize,
    /// By place, then limit.
    held: Vec<Held>,
    steps: Vec<Step>,
}

impl Places {
    fn new(entries: &[Override], metrics: &[Metric], interval_ms: u64, gate: Option<&str>) -> Self {
        let mut places = Self {
            limits: metrics.len(),
            ..Self::default()
        };
        let mut open: Vec<u32> = Vec::new();
        let groups = |o: &Override| gate.is_some_and(|label| o.labels.contains_key(label));
        for (index, entry) in entries.iter().enumerate() {
            if !entry.decides() && !groups(entry) {
                continue;
            }
            let covers = |place: &u32| places.all[*place as usize].prefix.covers(entry.prefix);
            while open.pop_if(|place| !covers(place)).is_some() {}
            let around = open.last().copied().unwrap_or(NOWHERE);
            let place = places.all.len() as u32;
            places.all.push(Place {
                prefix: entry.prefix,
                is_apart: entry.decides() && !entry.count_in_parents,
                around,
                entry: index as u32,
            });
            for (limit, metric) in metrics.iter().enumerate() {
                let held = places.hold(place, entry, limit, *metric, interval_ms);
                places.held.push(held);
            }
            open.push(place);
        }
        places
    }

    fn hold(
        &mut self,
        place: u32,
        entry: &Override,
        limit: usize,
        metric: Metric,
        interval_ms: u64,
    ) -> Held {
        let length = entry.prefix.length();
        let outer = match self.all[place as usize].around {
            NOWHERE => Held {
                steps: (0, 0),
                looked_at: NOWHERE,
                least: Limit::NO_LIMIT,
            },
            around => *self.held(around, limit),
        };
        let step = |(from, stated): &(u8, u64)| Step {
            from: *from,
            stated: *stated,
            volume: metric.volume_limit(*stated, interval_ms),
        };
        let stated = entry.steps.iter().find(|(m, _)| *m == metric);
        let own: Vec<Step> = match stated {
            _ if entry.never => vec![Step {
                from: length,
                stated: Limit::NOT_STATED,
                volume: Limit::NO_LIMIT,
            }],
            Some((_, steps)) => steps.iter().map(step).collect(),
            None => return outer,
        };
        let Some(first) = own.first().copied() else {
            return outer;
        };
        let start = self.steps.len() as u32;
        let (from, to) = outer.steps;
        for index in from..to {
            let inherited = self.steps[index as usize];
            if inherited.from < first.from {
                self.steps.push(inherited);
            }
        }
        let least = own.iter().map(|s| s.volume).fold(outer.least, u128::min);
        self.steps.extend(own);
        Held {
            steps: (start, self.steps.len() as u32),
            looked_at: if first.from == length && !entry.never {
                place
            } else {
                outer.looked_at
            },
            least,
        }
    }

    fn held(&self, place: u32, limit: usize) -> &Held {
        &self.held[place as usize * self.limits + limit]
    }

    fn step(&self, place: u32, limit: usize, length: u8) -> Option<&Step> {
        let (from, to) = self.held(place, limit).steps;
        let steps = &self.steps[from as usize..to as usize];
        steps.iter().rev().find(|step| step.from <= length)
    }

    /// The places of one family, with their names.
    pub fn of(&self, family: Family) -> impl Iterator<Item = (u32, &Place)> {
        let v6 = self
            .all
            .partition_point(|p| p.prefix.family() == Family::V4);
        let range = match family {
            Family::V4 => 0..v6,
            Family::V6 => v6..self.all.len(),
        };
        range.clone().map(|i| i as u32).zip(&self.all[range])
    }

    /// The longest place that covers `prefix`, or [`NOWHERE`].
    pub fn around(&self, prefix: Prefix) -> u32 {
        let behind = self.all.partition_point(|p| p.prefix <= prefix);
        let mut place = behind.checked_sub(1).map_or(NOWHERE, |i| i as u32);
        while place != NOWHERE && !self.all[place as usize].prefix.covers(prefix) {
            place = self.all[place as usize].around;
        }
        place
    }

    /// `place`, or the longest around it, that is not longer than `length`.
    #[inline]
    pub fn within(&self, mut place: u32, length: i16) -> u32 {
        while place != NOWHERE {
            let Place { prefix, around, .. } = &self.all[place as usize];
            if i16::from(prefix.length()) <= length {
                break;
            }
            place = *around;
        }
        place
    }

    /// The limit for prefixes of `length` whose longest place is `place`, in volume per interval.
    /// `None`: the rule's own holds.
    #[inline]
    pub fn volume(&self, place: u32, limit: usize, length: u8) -> Option<u128> {
        self.step(place, limit, length).map(|s| s.volume)
    }

    /// The same as it is stated, in the metric's unit.
    pub fn stated(&self, place: u32, limit: usize, length: u8) -> Option<u64> {
        self.step(place, limit, length).map(|s| s.stated)
    }

    /// No volume at or below this is over a limit of `place` or of one around it.
    #[inline]
    pub fn least(&self, place: u32, limit: usize) -> u128 {
        self.held(place, limit).least
    }

    /// The length of the longest place, `place` or around it, that states this limit for its own
    /// length: it is looked at, whatever lengths the rule looks at.
    #[inline]
    pub fn looked_at(&self, place: u32, limit: usize) -> Option<u8> {
        match self.held(place, limit).looked_at {
            NOWHERE => None,
            looked_at => Some(self.all[looked_at as usize].prefix.length()),
        }
    }
}
