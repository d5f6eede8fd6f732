//! The rules that flows are counted by.

use std::sync::Arc;

use hotprefix::config;
use hotprefix::count::Plan;

/// One flow in six.
const ANCESTOR: &str = r#"direction == "ingress" && src_if_desc.contains("DFN")"#;

/// What a hundred rules ask, ten by ten.
const FILTERS: [&str; 10] = [
    ANCESTOR,
    r#"direction == "ingress" && src_if_desc.startsWith("DE-CIX")"#,
    r#"proto == "udp" && src_port in [19, 53, 123, 389, 1900, 11211]"#,
    r#"proto == "tcp" && tcp_flags.has("SYN") && !tcp_flags.has("ACK")"#,
    r#"proto == "udp" && dst_port == 443"#,
    r#"src_addr in ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]"#,
    r#"direction == "egress" && dst_as == 553"#,
    r#"exporter == "192.0.2.1" && in_if == 5"#,
    r#"remote_country in ["DE", "FR", "NL"] && proto == "tcp""#,
    r#"proto == "icmp" || fragment_offset > 0"#,
];

/// The ancestor's rule.
pub(crate) fn ancestor() -> Arc<Plan> {
    plan([ANCESTOR])
}

/// Every flow, by one rule.
pub(crate) fn everything() -> Arc<Plan> {
    plan([""])
}

/// The same with a mode, and the bytes in a window that a prefix must be over.
pub(crate) fn finding(mode: &str, bytes: u64) -> Arc<Plan> {
    load(&rule(0, "", mode, bytes))
}

/// A hundred rules with ten filters between them.
pub(crate) fn hundred() -> Arc<Plan> {
    let filters = FILTERS.iter().cycle().take(100);
    plan(filters.copied())
}

/// A rule for each filter.
fn plan(filters: impl IntoIterator<Item = &'static str>) -> Arc<Plan> {
    let rules = filters.into_iter().enumerate();
    let rules = rules.map(|(n, filter)| rule(n, filter, "most_specific", 1 << 50));
    load(&rules.collect::<String>())
}

fn rule(n: usize, filter: &str, mode: &str, bytes: u64) -> String {
    format!(
        "  - name: rule-{n}\n    \
           filter: '{filter}'\n    \
           mode: {mode}\n    \
           prefix_length: {{ipv4: 0..32, ipv6: 0..128}}\n    \
           thresholds: {{bytes: {bytes}}}\n"
    )
}

fn load(rules: &str) -> Arc<Plan> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("hotprefix.yaml");
    let text = format!("input: {{topics: [flows]}}\ntime: {{max_behind: never}}\nrules:\n{rules}");
    std::fs::write(&file, text).expect("it can be written");
    let loaded = config::load(&[file], [], []).unwrap_or_else(|errors| panic!("{errors}"));
    Arc::new(loaded.config.count_plan())
}
