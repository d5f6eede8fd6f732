//! What hotprefix wrote, in the model's terms.

use std::collections::BTreeMap;
use std::fmt::Debug;

use ipnet::IpNet;
use serde_json::{Value, json};

use super::model::{AlertKey, Found, Outcome, Volume, WindowFound};

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

    /// Whether it is an alert on a prefix that is over a threshold in its window.
    pub(crate) fn is_over(&self) -> bool {
        self.body["triggers"]
            .as_array()
            .is_some_and(|triggers| !triggers.is_empty())
    }

    pub(crate) fn is_silenced(&self) -> bool {
        self.body.get("silenced_by").is_some()
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
            alerts: self.number(&["prefixes_over"]) + self.number(&["alerts_cut"]),
            leaves: self.number(&["leaves"]),
            late_flows: self.number(&["late_flows"]),
        }
    }
}

/// The prefixes over a threshold in final alerts; panics where one is there twice.
pub(crate) fn alerts(messages: impl IntoIterator<Item = Message>) -> BTreeMap<AlertKey, Found> {
    let messages = messages.into_iter().filter(|m| m.is_final() && m.is_over());
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

/// The values of all alerts on prefixes over a threshold as text, sorted: equal for equal sets. How many
/// empty windows follow the last one with traffic, with alerts that end in them, is a matter of time.
pub(crate) fn comparable(messages: impl IntoIterator<Item = Message>) -> Vec<String> {
    let over = messages.into_iter().filter(Message::is_over);
    let mut all: Vec<_> = over.map(|m| m.comparable).collect();
    all.sort_unstable();
    all
}

/// An alert ends in the third window in a row without its prefix over a threshold.
const HOLD: usize = 3;

/// A time in which alerts on a prefix and those inside are silenced; those that are open when it begins go on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Silence {
    pub(crate) prefix: IpNet,
    pub(crate) from: i64,
    pub(crate) until: i64,
}

impl Silence {
    /// The second third of a load's time, for what is around the prefix in the middle of those over a threshold.
    pub(crate) fn within(outcome: &Outcome) -> Option<Self> {
        let found: Vec<_> = outcome.alerts.keys().collect();
        let (_, _, prefix) = found.get(found.len() / 2)?;
        let prefix = net(prefix);
        let around = IpNet::new(prefix.addr(), prefix.prefix_len().min(16));
        let starts = || outcome.windows.keys().map(|(_, start)| *start);
        let (first, last) = (starts().min()?, starts().max()?);
        let third = (last - first) / 3;
        let silence = Self {
            prefix: around.expect("a shorter length").trunc(),
            from: first + third,
            until: last - third,
        };
        (silence.from < silence.until).then_some(silence)
    }

    /// As an operator writes it.
    pub(crate) fn as_config(self) -> Value {
        let time = |millis| {
            let time = jiff::Timestamp::from_millisecond(millis);
            time.expect("a load is of our times").to_string()
        };
        json!({
            "name": "maintenance",
            "prefixes": [self.prefix.to_string()],
            "from": time(self.from),
            "until": time(self.until),
        })
    }

    fn covers(&self, prefix: IpNet, start: i64) -> bool {
        self.prefix.contains(&prefix) && (self.from..self.until).contains(&start)
    }
}

/// Of one prefix, in a window: what is said of its alert, and the end of one whose silence is over.
#[derive(Default)]
struct Told<'m> {
    alerts: BTreeMap<i64, &'m Message>,
    turned: BTreeMap<i64, &'m Message>,
}

/// Panics where final alerts are not what a rule's lifecycle makes of those that are over a threshold:
/// started, then going on in each window, until they have ended, silenced all along or not at all. Nothing is said of
/// others.
pub(crate) fn assert_lives(
    what: &str,
    alerts: &[Message],
    windows: &[Message],
    silence: Option<Silence>,
) {
    let mut by_prefix: BTreeMap<(&str, &str), Told<'_>> = BTreeMap::new();
    // What only a provisional message said was taken back.
    let counts = |a: &&Message| a.is_final() && a.body["end_reason"] != "unconfirmed";
    for alert in alerts.iter().filter(counts) {
        let of = (alert.rule(), alert.text(&["prefix"]));
        let told = by_prefix.entry(of).or_default();
        let windows = match alert.body["end_reason"].as_str() {
            Some("silence_over") => &mut told.turned,
            _ => &mut told.alerts,
        };
        let known = windows.insert(alert.window_start(), alert);
        assert!(known.is_none(), "{what}: twice: {}", alert.body);
    }
    let mut looked_at: BTreeMap<&str, BTreeMap<i64, &Message>> = BTreeMap::new();
    for window in windows.iter().filter(|w| w.is_final()) {
        let of_rule = looked_at.entry(window.rule()).or_default();
        of_rule.insert(window.window_start(), window);
    }
    let mut all: BTreeMap<&str, BTreeMap<IpNet, Vec<&Message>>> = BTreeMap::new();
    for ((rule, prefix), told) in &by_prefix {
        let of_prefix = all.entry(rule).or_default().entry(net(prefix)).or_default();
        of_prefix.extend(told.alerts.values());
    }
    for ((rule, prefix), told) in &by_prefix {
        let what = format!("{what}: {rule} {prefix}");
        // Alerts that may have taken its place.
        let others = related(&all[rule], net(prefix));
        let is_silenced = |start| silence.is_some_and(|s| s.covers(net(prefix), start));
        let windows = looked_at[rule].keys().copied();
        assert_life(&what, told, windows, &others, is_silenced);
    }
}

fn net(prefix: &str) -> IpNet {
    prefix.parse().expect("a prefix")
}

/// What is about other prefixes that cover `net`, or that it covers.
fn related<'m>(all: &BTreeMap<IpNet, Vec<&'m Message>>, net: IpNet) -> Vec<&'m Message> {
    let around = std::iter::successors(net.supernet(), IpNet::supernet);
    let around = around.filter_map(|around| all.get(&around));
    // Those inside come right after it.
    let inside = all.range(net..).skip_while(|(inside, _)| **inside == net);
    let inside = inside.take_while(|(inside, _)| net.contains(*inside));
    let messages = around.chain(inside.map(|(_, messages)| messages));
    messages.flatten().copied().collect()
}

fn assert_life(
    what: &str,
    told: &Told<'_>,
    windows: impl Iterator<Item = i64>,
    others: &[&Message],
    is_silenced: impl Fn(i64) -> bool,
) {
    // Of the open alert: its first message, and how many windows it was below.
    let mut open: Option<(&Message, usize)> = None;
    let (mut revision, mut looked_at, mut last) = (0, 0, String::new());
    let mut turned = 0;
    for start in windows {
        let message = told.alerts.get(&start).copied();
        let is_over = message.is_some_and(Message::is_over);
        if let Some((first, _)) = open
            && first.is_silenced()
            && !is_silenced(start)
        {
            let end = told.turned.get(&start);
            let end = end.unwrap_or_else(|| panic!("{what}: its silence is over at {start}"));
            assert_turned(what, first, end, message.filter(|_| is_over));
            turned += 1;
            open = None;
        }
        let (first, below) = match open {
            None if !is_over => {
                assert!(message.is_none(), "{what}: {:?}", message.map(|m| &m.body));
                continue;
            }
            None => (message.expect("it is over"), 0),
            Some((first, _)) if is_over => (first, 0),
            Some((first, below)) => (first, below + 1),
        };
        let message = message.unwrap_or_else(|| panic!("{what}: nothing is said of {start}"));
        if is_over {
            message.text(&["window", "end"]).clone_into(&mut last);
        }
        looked_at += 1;
        let is_new = open.is_none();
        revision = if is_new { 0 } else { revision + 1 };
        let now = others.iter().filter(|other| other.window_start() == start);
        let now: Vec<_> = now.copied().collect();
        let status = assert_status(what, message, is_new, below, &last, &now);
        // Provisional messages take revisions, too.
        let said = message.number(&["revision"]);
        assert!(said >= revision, "{what}: {}", message.body);
        revision = said;
        assert_kept(what, message, first);
        // What takes the place of an alert that is not silenced is not silenced either.
        let mut now = now.iter();
        let may_go_on = now.any(|other| !other.is_over() && !other.is_silenced());
        let is_silenced = if is_new {
            is_silenced(start) && !may_go_on
        } else {
            first.is_silenced()
        };
        let marked = message.is_silenced();
        assert_eq!(marked, is_silenced, "{what}: {}", message.body);
        open = (status != "ended").then_some((first, below));
    }
    assert_eq!(
        (looked_at, turned),
        (told.alerts.len(), told.turned.len()),
        "{what}: in windows that are not final"
    );
}

/// Where in its life an alert must be said to be that was not over a threshold for `below` windows, the last time in the window that
/// ended at `last`. `now` are the messages on related prefixes in the same window.
fn assert_status(
    what: &str,
    message: &Message,
    is_new: bool,
    below: usize,
    last: &str,
    now: &[&Message],
) -> &'static str {
    // Those that are over a threshold now, and whose alert began when it was no more.
    let began_since = |other: &&&Message| other.is_over() && other.text(&["first_seen"]) >= last;
    let successors = now.iter().filter(began_since);
    let successors: Vec<&str> = successors.map(|other| other.text(&["id"])).collect();
    let is_superseded = below > 0 && !successors.is_empty();
    let status = match below {
        _ if is_new => "started",
        _ if is_superseded => "ended",
        HOLD => "ended",
        _ => "ongoing",
    };
    let body = &message.body;
    assert_eq!(message.text(&["status"]), status, "{what}: {body}");
    let by = body["superseded_by"].as_str();
    assert_eq!(by.is_some(), is_superseded, "{what}: {body}");
    let is_known = by.is_none_or(|by| successors.contains(&by));
    assert!(is_known, "{what}: {body}");
    status
}

/// What does not change from an alert's first message on.
fn assert_kept(what: &str, message: &Message, first: &Message) {
    for same in ["id", "incident_id", "first_seen"] {
        assert_eq!(message.text(&[same]), first.text(&[same]), "{what}: {same}");
    }
    let began = first.text(&["window", "start"]);
    assert_eq!(first.text(&["first_seen"]), began, "{what}");
}

/// The end of a silenced alert whose silence is over, and the alert in its place.
fn assert_turned(what: &str, first: &Message, end: &Message, next: Option<&Message>) {
    assert_eq!(end.text(&["status"]), "ended", "{what}: {}", end.body);
    assert!(end.is_silenced(), "{what}: {}", end.body);
    assert_eq!(end.text(&["id"]), first.text(&["id"]), "{what}");
    let next_id = next.map(|next| next.text(&["id"]));
    let by = end.body["superseded_by"].as_str();
    assert_eq!(by, next_id, "{what}: {}", end.body);
    if let Some(next) = next {
        let incident = |m: &Message| m.text(&["incident_id"]).to_owned();
        assert_eq!(incident(next), incident(first), "{what}: {}", next.body);
    }
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
