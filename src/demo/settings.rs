//! The configuration that the demo runs with: what an operator would write.

use super::scenario::{THRESHOLD_BITS_PER_SECOND, WINDOW_SECONDS};

/// The topic that the demo's flows are in.
pub const TOPIC: &str = "flows";
/// Its partitions.
pub const PARTITIONS: i32 = 4;
/// The demo's application id.
pub const APPLICATION: &str = "hotprefix-demo";
/// Partitions of the topics between the stages.
pub const INTERNAL_PARTITIONS: i32 = 2;

/// The configuration file for a cluster at `bootstrap`. The service under it listens on any free port.
pub fn configuration(bootstrap: &str) -> String {
    let threshold = THRESHOLD_BITS_PER_SECOND / 1_000_000;
    format!(
        r#"# The configuration of `hotprefix demo`.
application_id: {APPLICATION}
input: {{topics: [{TOPIC}], start: earliest}}
flush_interval: 500ms
internal: {{partitions: {INTERNAL_PARTITIONS}}}
kafka:
  bootstrap.servers: "{bootstrap}"
  # The embedded cluster takes 3 s to assign the partitions of a classic group.
  group.protocol: consumer
http: {{listen: "127.0.0.1:0"}}
telemetry: {{log: {{filter: warn}}}}
rules:
  - name: demo
    filter: 'direction == "ingress"'
    interval: {WINDOW_SECONDS}s
    grace: 1s
    mode: discounted
    prefix_length: {{ipv4: [32, 24, 22], ipv6: [128, 64, 48]}}
    thresholds: {{bits_per_second: {threshold}Mbps}}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;
    use crate::rule::Mode;

    #[test]
    fn configuration_is_valid_without_warnings() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hotprefix.yaml");
        std::fs::write(&path, configuration("127.0.0.1:9092")).unwrap();
        let loaded = load(&[path], [], []).unwrap();
        assert_eq!(loaded.warnings, []);
        let rule = &loaded.config.rules[0];
        assert_eq!(rule.mode, Mode::Discounted);
        assert_eq!(rule.limits[0].stated_v4[22], THRESHOLD_BITS_PER_SECOND);
        assert_eq!(rule.interval.as_secs(), WINDOW_SECONDS);
    }
}
