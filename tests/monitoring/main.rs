//! What an operator would see: a real Prometheus with the shipped rules scrapes hotprefix on a real Kafka, and a
//! real Alertmanager with the shipped routing gets exactly the alerts of each staged incident. Started by
//! `tests/monitoring/run.sh`.

mod feed;
mod prometheus;
mod promql;
mod queries;
mod scaled;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use feed::{FRAGILE, Feed, PARTITIONS, Traffic};
use prometheus::{JOB, Monitoring, Received};
use queries::Query;
use support::app::App;
use support::kafka_client::{Topic, use_internal_topics};
use support::kafka_node::Cluster;
use support::model::{BYTES, Key, Late, Lengths, Mode, Rule};
use support::{topics, wait};

const TOPIC: &str = "monitored-input";
const PATIENCE: Duration = Duration::from_mins(2);
const EVERY: Duration = Duration::from_millis(200);
/// Longer than any rule looks back and any alert is pending, but for those of an hour.
const QUIET: Duration = Duration::from_secs(30);
/// How long an incident goes on after its alerts are there, to see that nothing else comes.
const SETTLED: Duration = Duration::from_secs(4);
/// Queries that return nothing while all is well, and the incident in which they do.
const EMPTY_WHILE_WELL: [(&str, Traffic); 2] = [
    (
        "detection.json: Exporters that do not say their sampling rate A",
        Traffic::Garbage,
    ),
    ("health.json: Partitions C", Traffic::WithoutFragile),
];

#[test]
fn the_alertmanager_gets_the_alerts_of_each_incident_and_no_others() {
    let mut cluster = Cluster::start();
    // Kafka's own topics and ours live on the first broker, and so outlive the second.
    use_internal_topics(&cluster);
    let second = cluster.add_broker();
    Topic::new(TOPIC, PARTITIONS)
        .place(FRAGILE, second)
        .create(&cluster);
    topics::create_internal(&cluster, "monitored");
    let app = App::new(&cluster, "monitored", TOPIC, &rules())
        .set("time.idle_timeout", "2s")
        .set("time.max_wait", "3s")
        // Clients report a lost broker when they try it, and are then silent about it for 30 s: at once they
        // do so together. Spread over seconds it would be lasting errors in the rules' scaled time.
        .set("kafka.reconnect.backoff.max.ms", 500);
    let feed = Feed::start(&cluster, TOPIC);
    let mut instance = app.start(0);
    instance.ready();
    let monitoring = Monitoring::start(instance.listen);
    let watched = Watched { monitoring, feed };

    watched.undisturbed();
    watched.every_query_returns_data();
    watched.incident(Traffic::Garbage, &["HotprefixDeadLetters"], || {});
    watched.incident(Traffic::Late, &["HotprefixLateFlood"], || {});
    let expected = ["HotprefixPartitionMissing", "HotprefixProvisionalAlerts"];
    watched.incident(Traffic::WithoutFragile, &expected, || cluster.kill(second));
    watched.inhibits(&["HotprefixProvisionalAlerts"]);
    cluster.restart(second);
    watched.recovers();
    watched.every_condition_has_something_to_look_at();
    watched.monitoring.assert_rules_work();

    let written = watched.feed.end();
    let what = "Prometheus knows of each record that was written";
    wait::until(what, PATIENCE, EVERY, || {
        let counted = watched.monitoring.query("sum(hotprefix_records_total)");
        let counted = counted[0].1 as u64;
        assert!(counted <= written, "{counted} of {written}");
        (counted == written).then_some(())
    });
    instance.stop();
}

/// What is fed to hotprefix, and what is seen of it.
struct Watched {
    monitoring: Monitoring,
    feed: Feed,
}

impl Watched {
    /// Nothing fires for a while.
    fn undisturbed(&self) {
        let until = Instant::now() + QUIET;
        while Instant::now() < until {
            let alerts = self.monitoring.alerts();
            assert!(alerts.is_empty(), "nothing is wrong, but {alerts:#?}");
            wait::pass(EVERY);
        }
    }

    /// Each query of each panel and each recorded rule, but for those of trouble.
    fn every_query_returns_data(&self) {
        let queries: Vec<_> = recorded().chain(queries::of_dashboards()).collect();
        let (empty, others): (Vec<_>, Vec<_>) = queries.iter().partition(|query| {
            let mut listed = EMPTY_WHILE_WELL.iter().map(|(place, _)| *place);
            listed.any(|place| place == query.place)
        });
        assert_eq!(empty.len(), EMPTY_WHILE_WELL.len());
        for query in &others {
            self.returns_data(query);
        }
        for query in empty {
            let found = self.ask(query);
            assert!(found.is_empty(), "{}: {found:?}", query.place);
        }
        println!("{} queries return data", others.len());
    }

    /// Whatever an alert's condition looks at has been there: what it does not find is not for lack of a series.
    fn every_condition_has_something_to_look_at(&self) {
        let selectors: BTreeSet<_> = queries::of_rules()
            .iter()
            .flat_map(|query| promql::parse(&query.expr).0)
            .map(|selector| selector.to_string())
            .collect();
        for selector in &selectors {
            let found = self
                .monitoring
                .query(&format!("last_over_time({selector}[1h])"));
            assert!(!found.is_empty(), "there was no {selector}");
        }
        println!("{} selectors have found series", selectors.len());
    }

    fn returns_data(&self, query: &Query) {
        let what = format!("{}: there is data for {}", query.place, query.expr);
        wait::until(&what, PATIENCE, EVERY, || {
            (!self.ask(query).is_empty()).then_some(())
        });
    }

    /// A query as Grafana would ask it with everything chosen, in scaled time.
    fn ask(&self, query: &Query) -> Vec<(serde_json::Value, f64)> {
        let expr = scaled::expr(&query.expr.replace("$__rate_interval", "10m"))
            .replace("$application", JOB)
            .replace("$instance", ".*")
            .replace("$rule", ".*");
        assert!(!expr.contains('$'), "{}: {expr}", query.place);
        self.monitoring.query(&expr)
    }

    /// Traffic goes wrong, and what else `happens`: exactly the `expected` alerts come.
    fn incident(&self, traffic: Traffic, expected: &[&str], happens: impl FnOnce()) {
        let started = Instant::now();
        self.feed.set(traffic);
        happens();
        let expected: BTreeSet<_> = expected.iter().map(|name| (*name).to_owned()).collect();
        let what = format!("{traffic:?}: {expected:?} are there");
        let mut before = BTreeSet::new();
        let all = wait::until(&what, PATIENCE, EVERY, || {
            let alerts = self.only(&expected);
            let names: BTreeSet<_> = alerts.iter().map(|alert| alert.name.clone()).collect();
            if names != before {
                println!("{traffic:?}: {names:?} after {:?}", started.elapsed());
                before.clone_from(&names);
            }
            (names == expected).then_some(alerts)
        });
        all.iter().for_each(is_readable);
        let empty = queries::of_dashboards();
        for (place, _) in EMPTY_WHILE_WELL.iter().filter(|(_, when)| *when == traffic) {
            let query = empty.iter().find(|query| query.place == *place);
            self.returns_data(query.expect("the list names queries that there are"));
        }
        let until = Instant::now() + SETTLED;
        while Instant::now() < until {
            self.only(&expected);
            wait::pass(EVERY);
        }
        if traffic != Traffic::WithoutFragile {
            self.recovers();
        }
    }

    /// The alerts of now, of which none may be unexpected.
    fn only(&self, expected: &BTreeSet<String>) -> Vec<Received> {
        let alerts = self.monitoring.alerts();
        let other = alerts.iter().find(|alert| !expected.contains(&alert.name));
        assert!(other.is_none(), "expected are {expected:?}, not {other:#?}");
        alerts
    }

    /// Of the alerts of now, these are not sent on, because another tells why they fire.
    fn inhibits(&self, expected: &[&str]) {
        let alerts = self.monitoring.alerts();
        let inhibited = alerts.iter().filter(|alert| {
            let by = alert.body["status"]["inhibitedBy"].as_array();
            by.is_some_and(|by| !by.is_empty())
        });
        let inhibited: BTreeSet<_> = inhibited.map(|alert| alert.name.as_str()).collect();
        assert_eq!(inhibited, expected.iter().copied().collect());
    }

    /// Traffic is fine again, and all alerts go.
    fn recovers(&self) {
        let started = Instant::now();
        self.feed.set(Traffic::Fine);
        wait::until("all alerts are resolved", PATIENCE, EVERY, || {
            self.monitoring.alerts().is_empty().then_some(())
        });
        println!("resolved after {:?}", started.elapsed());
    }
}

/// The recording rules.
fn recorded() -> impl Iterator<Item = Query> {
    let recorded = |query: &Query| query.place.starts_with("rules.yaml: job");
    queries::of_rules().into_iter().filter(recorded)
}

/// Its texts are filled in, and it says where it comes from and what to do.
fn is_readable(alert: &Received) {
    let (labels, notes) = (&alert.body["labels"], &alert.body["annotations"]);
    assert_eq!(labels["job"], JOB);
    assert!(!labels["severity"].is_null(), "{labels}");
    for note in ["summary", "description", "runbook_url"] {
        let text = notes[note].as_str().unwrap_or_default();
        println!("  {} {note}: {text}", alert.name);
        assert!(!text.is_empty(), "{notes}");
        for sign in ["{{", "<no value>", "error executing", "NaN"] {
            assert!(!text.contains(sign), "{text}");
        }
    }
    let summary = notes["summary"].as_str().unwrap_or_default();
    assert!(
        summary.starts_with(&format!("hotprefix {JOB}: ")),
        "{summary}"
    );
}

/// A rule whose windows have an alert each, and one that has none and counts late flows.
fn rules() -> Vec<Rule> {
    let hosts = Rule {
        name: "hosts",
        filter: "",
        selects: |_| true,
        key: Key::Dst,
        interval_ms: 2_000,
        grace_ms: 1_000,
        late: Late::Drop,
        mode: Mode::MostSpecific,
        ipv4: Lengths::List(vec![32, 24]),
        ipv6: Lengths::List(vec![128, 64]),
        thresholds: vec![(BYTES, vec![(0, 1_000)])],
        max_alerts: 100,
    };
    let quiet = Rule {
        name: "quiet",
        late: Late::OldestOpen,
        thresholds: vec![(BYTES, vec![(0, 1 << 40)])],
        ..hosts.clone()
    };
    vec![hosts, quiet]
}
