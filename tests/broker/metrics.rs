//! A real run exposes every metric there is, and the numbers are those of the run.

use std::net::Ipv4Addr;

use crate::floods::{HOUR, set_clock};
use crate::run::{Prepared, base, open_alerts};
use crate::support::flows::Load;
use crate::support::kafka_client::{Incoming, Writer, read_all};
use crate::support::kafka_node::Cluster;
use crate::support::model::{Outcome, Volume};
use crate::support::outcome::Message;
use crate::support::rules::rules;
use crate::support::scrape::{Scrape, Seen, Wrong};

/// The partition that says nothing until the others have waited for it.
const SILENT: i32 = 3;
/// An exporter whose clock is hours behind.
const WRONG_CLOCK: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 4);

#[test]
fn every_metric_is_exposed_by_a_real_run_and_fits_it() {
    let cluster = Cluster::shared();
    let load = Load {
        late_permille: 30,
        lateness_ms: 25_000,
        ..Load::new(8, 20_000, 4, base())
    };
    let mut records = load.generate();
    let clamped = set_clock(&mut records, WRONG_CLOCK.into(), -7 * HOUR) as u64;
    let prepared = Prepared::of_records(cluster, "metrics", rules(), load.partitions, records);
    let app = prepared
        .app(cluster, "metrics")
        .set("time.max_wait", "3s")
        .set("time.max_behind", "10m")
        .set("kafka.statistics.interval.ms", 200);
    let (silent, others): (Vec<_>, Vec<_>) =
        prepared.outgoing().partition(|r| r.partition == SILENT);
    let writer = Writer::new(cluster, &prepared.topic);
    writer.write(others);
    let mut instance = app.start(0);
    let mut seen = Seen::default();

    seen.until(&instance, |scrape| {
        let mut wrong = Wrong::default();
        let partition = [("topic", "metrics"), ("partition", "3")];
        wrong.unless_equal(scrape, "hotprefix_missing_source", &partition, 1);
        wrong.unless_equal(scrape, "hotprefix_missing_sources", &[], 1);
        wrong.unless_equal(scrape, "hotprefix_ready", &[], 0);
        let provisional = [("final", "false")];
        wrong.unless(scrape, "hotprefix_alerts_total", &provisional, |v| v > 0.0);
        // The pass of provisional alerts is one, too.
        let passes = "hotprefix_finalise_duration_seconds_count";
        wrong.unless(scrape, passes, &[], |v| v > 0.0);
        wrong.unless(scrape, "hotprefix_open_windows", &[], |v| v > 0.0);
        wrong.unless(scrape, "hotprefix_detect_leaves", &[], |v| v > 0.0);
        wrong
    });
    let (status, reasons) = instance.get("/readyz").expect("it answers");
    assert_eq!(
        (status, reasons.contains("metrics/3")),
        (503, true),
        "{reasons}"
    );
    assert_eq!(instance.get("/livez").map(|(status, _)| status), Some(200));

    writer.write(silent);
    prepared.until_final(&app);
    seen.until(&instance, |scrape| {
        let mut wrong = Wrong::default();
        count(&mut wrong, scrape, &prepared.outcome);
        let exporter = WRONG_CLOCK.to_string();
        let labels = [("exporter", exporter.as_str())];
        wrong.unless_equal(scrape, "hotprefix_clamped_flows_total", &labels, clamped);
        let told = read_all(cluster, &app.topic("alerts"));
        detect(&mut wrong, scrape, &prepared.outcome, &told);
        time(&mut wrong, scrape, &load);
        clients(&mut wrong, scrape);
        process(&mut wrong, scrape);
        wrong
    });
    instance.ready();
    seen.compare();
    prepared.finish(&app, vec![instance]);
}

/// Fates and sums by rule are the model's.
fn count(wrong: &mut Wrong, scrape: &Scrape, model: &Outcome) {
    let fates = model.fates;
    for (fate, expected) in [
        ("selected", fates.selected),
        ("not_selected", fates.not_selected),
        ("late", fates.late),
        ("not_ip", fates.not_ip),
        ("undecodable", fates.undecodable),
        ("implausible", 0),
    ] {
        let labels = [("fate", fate), ("topic", "metrics")];
        wrong.unless_equal(scrape, "hotprefix_records_total", &labels, expected);
    }
    let lost = [("event", "lost")];
    wrong.unless_equal(scrape, "hotprefix_record_events_total", &lost, 0);
    for rule in rules() {
        let windows = model
            .windows
            .iter()
            .filter(|((name, _), _)| name == rule.name);
        let (mut total, mut late) = (Volume::default(), 0);
        for (_, window) in windows {
            total.add(window.total);
            late += window.late_flows;
        }
        let labels = [("rule", rule.name)];
        for (name, expected) in [
            ("hotprefix_rule_bytes_total", total.0[0]),
            ("hotprefix_rule_packets_total", total.0[1]),
            ("hotprefix_rule_flows_total", total.0[2]),
            ("hotprefix_rule_late_flows_total", late),
        ] {
            wrong.unless_equal(scrape, name, &labels, expected);
        }
    }
    wrong.unless_equal(scrape, "hotprefix_count_leaves", &[], 0);
    wrong.unless(scrape, "hotprefix_flush_bytes_total", &[], |v| v > 0.0);
    let exporter = [("exporter", "192.0.2.1")];
    let unknown = "hotprefix_unknown_sampling_flows_total";
    wrong.unless(scrape, unknown, &exporter, |v| v > 0.0);
    transactions(wrong, scrape, "count", "flush", "hotprefix_flushes_total");
}

/// Alerts are as many as the topic has of them.
fn alerts(wrong: &mut Wrong, scrape: &Scrape, model: &Outcome, told: &[Incoming]) {
    let final_ones: Vec<_> = told
        .iter()
        .map(Incoming::message)
        .filter(Message::is_final)
        .collect();
    let is_final = [("final", "true")];
    let written = final_ones.len() as u64;
    wrong.unless_equal(scrape, "hotprefix_alerts_total", &is_final, written);
    assert!(final_ones.len() >= model.alerts.len());
    for status in ["started", "ended"] {
        let (silenced, said): (Vec<_>, Vec<_>) = final_ones
            .iter()
            .filter(|m| m.body["status"] == status)
            .partition(|m| m.is_silenced());
        let labels = [("status", status)];
        let said = said.len() as u64;
        wrong.unless_equal(scrape, "hotprefix_alert_changes_total", &labels, said);
        if status == "started" {
            let silenced = silenced.len() as u64;
            wrong.unless_equal(scrape, "hotprefix_silenced_alerts_total", &[], silenced);
        }
    }
    let open = open_alerts(told);
    for rule in rules() {
        let labels = [("rule", rule.name)];
        let of_rule = |key: &&Vec<u8>| key.starts_with(format!("{}|", rule.name).as_bytes());
        let open = open.keys().filter(of_rule).count() as u64;
        wrong.unless_equal(scrape, "hotprefix_active_alerts", &labels, open);
    }
}

/// Alerts, windows and what was recorded of them are the model's, and what is in the topic of alerts.
fn detect(wrong: &mut Wrong, scrape: &Scrape, model: &Outcome, told: &[Incoming]) {
    alerts(wrong, scrape, model, told);
    for (name, expected) in [
        ("hotprefix_alerts_cut_total", 0),
        ("hotprefix_late_deltas_total", 0),
        ("hotprefix_missing_sources", 0),
        ("hotprefix_open_windows", 0),
    ] {
        wrong.unless_equal(scrape, name, &[], expected);
    }
    let windows = model.windows.len() as f64;
    wrong.unless(scrape, "hotprefix_windows_total", &[], |v| v >= windows);
    for rule in rules() {
        let labels = [("rule", rule.name)];
        let of_rule = || {
            model
                .windows
                .iter()
                .filter(|((name, _), _)| name == rule.name)
        };
        let leaves = of_rule().map(|(_, window)| window.leaves).sum();
        wrong.unless_equal(scrape, "hotprefix_window_leaves_sum", &labels, leaves);
    }
    let waits = "hotprefix_completeness_wait_seconds";
    let waited = |le| {
        let labels: &[_] = &[("le", le)];
        scrape.sum(&format!("{waits}_bucket"), labels)
    };
    wrong.unless_equal(
        scrape,
        &format!("{waits}_count"),
        &[],
        model.windows.len() as u64,
    );
    // Provisional alerts were written for some window that waited for `max_wait`.
    if waited("2.5") >= waited("+Inf") {
        wrong.say("no window waited for max_wait".to_owned());
    }
    let with_alerts = model.windows.values().filter(|w| w.alerts > 0).count();
    let latency = "hotprefix_alert_latency_seconds";
    wrong.unless_equal(scrape, &format!("{latency}_count"), &[], with_alerts as u64);
    // All windows ended minutes ago.
    let early = [("le", "300")];
    wrong.unless_equal(scrape, &format!("{latency}_bucket"), &early, 0);
    let finalise = "hotprefix_finalise_duration_seconds_count";
    wrong.unless(scrape, finalise, &[], |v| v > 0.0);
    wrong.unless(scrape, "hotprefix_emission_bytes_total", &[], |v| v > 0.0);
    transactions(
        wrong,
        scrape,
        "detect",
        "emission",
        "hotprefix_emissions_total",
    );
}

/// Each transaction has a duration, each committed one that of its commit.
fn transactions(wrong: &mut Wrong, scrape: &Scrape, stage: &str, name: &str, total: &str) {
    let outcome = |outcome| scrape.sum(total, &[("outcome", outcome)]).unwrap_or(0.0) as u64;
    let (committed, aborted) = (outcome("committed"), outcome("aborted"));
    wrong.unless(scrape, total, &[], |v| v > 0.0);
    let durations = format!("hotprefix_{name}_duration_seconds_count");
    wrong.unless_equal(scrape, &durations, &[], committed + aborted);
    let commits = "hotprefix_commit_duration_seconds_count";
    wrong.unless_equal(scrape, commits, &[("stage", stage)], committed);
}

/// Partitions stand at the load's last record and have nothing left.
fn time(wrong: &mut Wrong, scrape: &Scrape, load: &Load) {
    let end = load.base + load.interval_ms * load.intervals + load.closer_ms;
    // Its time is in whole seconds.
    let end = (end / 1000) as u64;
    let now = jiff::Timestamp::now().as_second() as f64;
    for partition in ["0", "1", "2", "3"] {
        let labels = [("topic", "metrics"), ("partition", partition)];
        let time = "hotprefix_input_stream_time_seconds";
        wrong.unless_equal(scrape, time, &labels, end);
        let delay = "hotprefix_input_delay_seconds";
        wrong.unless(scrape, delay, &labels, |v| {
            (v - (now - end as f64)).abs() < 5.0
        });
        wrong.unless_equal(scrape, "hotprefix_input_lag_records", &labels, 0);
        wrong.unless_equal(scrape, "hotprefix_input_idle", &labels, 0);
    }
    wrong.unless_equal(scrape, "hotprefix_partials_lag_records", &[], 0);
}

/// Every client has reported, and each only what it has.
fn clients(wrong: &mut Wrong, scrape: &Scrape) {
    for client in [
        "count-consumer",
        "count-producer",
        "detect-consumer",
        "detect-producer",
    ] {
        let labels = [("client", client)];
        for name in ["brokers_up", "received_bytes_total", "sent_bytes_total"] {
            let name = format!("hotprefix_kafka_{name}");
            wrong.unless(scrape, &name, &labels, |v| v > 0.0);
        }
        for name in [
            "request_timeouts",
            "retries",
            "request_errors",
            "disconnects",
        ] {
            let name = format!("hotprefix_kafka_{name}_total");
            wrong.unless(scrape, &name, &labels, |v| v >= 0.0);
        }
        wrong.unless_equal(scrape, "hotprefix_kafka_throttle_seconds", &labels, 0);
        let rtt = "hotprefix_kafka_rtt_p99_seconds";
        if scrape
            .sum(rtt, &labels)
            .is_some_and(|v| v <= 0.0 || v > 60.0)
        {
            wrong.say(format!("{rtt} of {client}"));
        }
        let (consumer, producer) = (client.ends_with("consumer"), client.ends_with("producer"));
        for (name, has) in [
            ("hotprefix_kafka_rebalances_total", consumer),
            ("hotprefix_kafka_fetch_queue_records", consumer),
            ("hotprefix_kafka_fetch_queue_bytes", consumer),
            ("hotprefix_kafka_producer_queue_records", producer),
        ] {
            if scrape.sum(name, &labels).is_some() != has {
                wrong.say(format!("{name} of {client}: expected {has}"));
            }
        }
    }
    let group = [("client", "count-consumer")];
    let rebalances = "hotprefix_kafka_rebalances_total";
    wrong.unless(scrape, rebalances, &group, |v| v >= 1.0);
}

fn process(wrong: &mut Wrong, scrape: &Scrape) {
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    wrong.unless_equal(scrape, "hotprefix_build_info", &version, 1);
    wrong.unless_equal(scrape, "hotprefix_ready", &[], 1);
    let now = jiff::Timestamp::now().as_second() as f64;
    wrong.unless(scrape, "process_start_time_seconds", &[], |v| {
        v <= now + 2.0 && v > now - 600.0
    });
    wrong.unless(scrape, "process_cpu_seconds_total", &[], |v| {
        v > 0.0 && v < 600.0
    });
    wrong.unless(scrape, "process_resident_memory_bytes", &[], |v| {
        v > 1e6 && v < 1e10
    });
    let limit = scrape.sum("process_max_fds", &[]).unwrap_or(0.0);
    wrong.unless(scrape, "process_open_fds", &[], |v| v > 3.0 && v < limit);
}
