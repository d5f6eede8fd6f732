//! What hotprefix wrote, in the model's terms.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde_json::Value;

use super::model::{AlertKey, Found, Volume, WindowFound};

/// One alert or window record, parsed.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) body: Value,
    /// As written, but for `completeness`, which tells the number of partitions.
    pub(crate) comparable: String,
}

impl Message {
    pub(crate) fn parse(payload: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(payload).unwrap_or_else(|error| {
            let text = String::from_utf8_lossy(payload);
            panic!("an output record is not JSON ({error}): {text}")
        });
        let mut rest = body.clone();
        rest.as_object_mut()
            .expect("an output record is an object")
            .remove("completeness");
        Self {
            body,
            comparable: rest.to_string(),
        }
    }

    pub(crate) fn is_final(&self) -> bool {
        self.body["final"] == true || self.body["state"] == "final"
    }

    pub(crate) fn rule(&self) -> &str {
        self.text(&["rule", "name"])
    }

    /// Milliseconds since the epoch.
    pub(crate) fn window_start(&self) -> i64 {
        let start: jiff::Timestamp = self
            .text(&["window", "start"])
            .parse()
            .expect("times are RFC 3339");
        start.as_millisecond()
    }

    pub(crate) fn number(&self, path: &[&str]) -> u64 {
        let value = self.at(path);
        value
            .as_u64()
            .unwrap_or_else(|| panic!("{path:?} is {value}, no whole number"))
    }

    fn text(&self, path: &[&str]) -> &str {
        let value = self.at(path);
        value
            .as_str()
            .unwrap_or_else(|| panic!("{path:?} is {value}, no text"))
    }

    fn at(&self, path: &[&str]) -> &Value {
        path.iter().fold(&self.body, |value, key| &value[key])
    }

    pub(crate) fn volume(&self, name: &str) -> Volume {
        Volume(["bytes", "packets", "flows"].map(|dimension| self.number(&[name, dimension])))
    }

    pub(crate) fn key(&self) -> AlertKey {
        let prefix = self.text(&["prefix"]).to_owned();
        (self.rule().to_owned(), self.window_start(), prefix)
    }

    fn found(&self) -> Found {
        let triggers = self.body["triggers"]
            .as_array()
            .expect("triggers are a list");
        let number = |t: &Value, name: &str| t[name].as_u64().expect("it is a whole number");
        Found {
            volume: self.volume("volume"),
            rule_total: self.volume("rule_total"),
            triggers: triggers
                .iter()
                .map(|t| {
                    let metric = t["metric"]
                        .as_str()
                        .expect("a metric has a name")
                        .to_owned();
                    (metric, number(t, "threshold"), number(t, "value"))
                })
                .collect(),
            hosts: self.number(&["hosts"]),
        }
    }

    fn window_found(&self) -> WindowFound {
        WindowFound {
            total: self.volume("total"),
            alerts: self.number(&["alerts_written"]) + self.number(&["alerts_cut"]),
            leaves: self.number(&["leaves"]),
            late_flows: self.number(&["late_flows"]),
        }
    }
}

/// The final alerts among messages; panics where one is there twice.
pub(crate) fn alerts(messages: impl IntoIterator<Item = Message>) -> BTreeMap<AlertKey, Found> {
    let messages = messages.into_iter().filter(Message::is_final);
    once_each(messages.map(|m| (m.key(), m.found())))
}

/// The final window records with traffic; panics where one is there twice.
pub(crate) fn windows(
    messages: impl IntoIterator<Item = Message>,
) -> BTreeMap<(String, i64), WindowFound> {
    let messages = messages.into_iter().filter(Message::is_final);
    let key = |m: &Message| (m.rule().to_owned(), m.window_start());
    let all = once_each(messages.map(|m| (key(&m), m.window_found())));
    let has_traffic = |w: &WindowFound| w.total != Volume::default() || w.late_flows > 0;
    all.into_iter().filter(|(_, w)| has_traffic(w)).collect()
}

/// The values of all messages as text, sorted: equal for equal sets.
pub(crate) fn comparable(messages: impl IntoIterator<Item = Message>) -> Vec<String> {
    let mut all: Vec<_> = messages.into_iter().map(|m| m.comparable).collect();
    all.sort_unstable();
    all
}

fn once_each<K: Ord + Debug, V>(entries: impl Iterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    for (key, value) in entries {
        let said = format!("{key:?} is final twice");
        assert!(map.insert(key, value).is_none(), "{said}");
    }
    map
}

/// Panics with the first differences when `got` is not `expected`.
pub(crate) fn assert_same<K: Ord + Debug, V: PartialEq + Debug>(
    what: &str,
    got: &BTreeMap<K, V>,
    expected: &BTreeMap<K, V>,
) {
    let missing = expected.iter().filter(|(k, _)| !got.contains_key(k));
    let missing = missing.map(|(k, v)| format!("missing {k:?}: {v:?}"));
    let wrong = got.iter().filter_map(|(k, v)| match expected.get(k) {
        None => Some(format!("unexpected {k:?}: {v:?}")),
        Some(e) if e != v => Some(format!("{k:?} is {v:?}, not {e:?}")),
        Some(_) => None,
    });
    let differences: Vec<_> = missing.chain(wrong).collect();
    assert!(
        differences.is_empty(),
        "{what}: {} of {} differ:\n{}",
        differences.len(),
        expected.len(),
        differences[..differences.len().min(10)].join("\n")
    );
}
