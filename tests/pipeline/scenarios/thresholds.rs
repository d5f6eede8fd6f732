//! Thresholds by prefix, gates and severities.

use super::{told, told_of};

/// A /22 in which nobody is over a threshold of hosts, and one host that is so all day.
fn carpet(hosts: u32, each: u64) -> Vec<(String, u64)> {
    let first = u32::from_be_bytes([198, 51, 100, 0]);
    let carpet = (0..hosts).map(|host| (std::net::Ipv4Addr::from(first + host).to_string(), each));
    let hot = std::iter::once(("198.51.101.7".to_owned(), 900_000));
    carpet.chain(hot).collect()
}

#[test]
fn a_carpet_beside_a_hot_host_is_one_alert() {
    let rules = "rules:\n\
                 - name: carpet\n  \
                   mode: discounted\n  \
                   thresholds: {bytes: {32: 500kB, 24: 2MB, 22: 4MB}}\n";
    // 1,024 hosts with 5,000 bytes each: 1.28 MB in a /24, 5.12 MB in the /22.
    let minutes = [carpet(0, 0), carpet(1024, 5_000), carpet(1024, 3_000)];
    assert_eq!(
        told_of(rules, &minutes),
        "0 carpet 198.51.101.7/32 900000 of 1 hosts, bytes>500000, warning\n\
         1 carpet 198.51.100.0/22 5115000 of 1024 hosts, bytes>4000000, warning\n\
         1 carpet 198.51.101.7/32 905000 of 1 hosts, bytes>500000, warning\n\
         2 carpet 198.51.101.7/32 903000 of 1 hosts, bytes>500000, warning\n"
    );
}

#[test]
fn the_longest_override_decides_and_counts_apart() {
    let rules = "rules:\n\
                 - name: r\n  \
                   mode: most_specific\n  \
                   prefix_length: {ipv4: [32, 24], ipv6: []}\n  \
                   thresholds: {bytes: {32: 100, 24: 200}}\n  \
                   overrides:\n  \
                   - {prefix: 203.0.113.0/24, thresholds: {bytes: 1kB}, labels: {customer: large, site: x}}\n  \
                   - {prefix: 203.0.113.64/26, thresholds: {bytes: {26: 50, 32: 500}}, labels: {site: y}}\n  \
                   - {prefix: 198.51.100.9/32, never: true}\n  \
                   - {prefix: 198.51.100.10/32, never: true, count_in_parents: true}\n";
    assert_eq!(
        told(
            rules,
            &[
                // Below its customer's threshold, over everybody else's.
                &[("203.0.113.1", 900), ("192.0.2.1", 101)],
                // The /26 has a threshold at its own length, and is no part of the /24.
                &[
                    ("203.0.113.1", 900),
                    ("203.0.113.65", 60),
                    ("203.0.113.66", 60)
                ],
                &[("203.0.113.65", 501)],
                // What is never reported counts in its parents only where it says so.
                &[("198.51.100.9", 5_000), ("198.51.100.1", 90)],
                &[("198.51.100.10", 5_000), ("198.51.100.1", 90)],
            ]
        ),
        "0 r 192.0.2.1/32 101 of 1 hosts, bytes>100, warning\n\
         1 r 203.0.113.64/26 120 of 2 hosts, bytes>50, warning, 203.0.113.64/26 {\"customer\": \"large\", \"site\": \"y\"}\n\
         2 r 203.0.113.65/32 501 of 1 hosts, bytes>500, warning, 203.0.113.64/26 {\"customer\": \"large\", \"site\": \"y\"}\n\
         4 r 198.51.100.0/24 5090 of 2 hosts, bytes>200, warning\n"
    );
}

#[test]
fn a_gate_opens_when_the_group_is_over_its_limit() {
    let rules = "rules:\n\
                 - name: r\n  \
                   prefix_length: {ipv4: [32], ipv6: [128]}\n  \
                   thresholds: {bytes: 100}\n  \
                   scope:\n  \
                   - {prefix: 198.51.100.0/24, labels: {customer: a}}\n  \
                   - {prefix: '2001:db8:40::/44', labels: {customer: a}}\n  \
                   - {prefix: 203.0.113.0/24, labels: {customer: b}}\n  \
                   - {prefix: 192.0.2.0/24}\n  \
                   gate: {label: customer, thresholds: {bytes: 1kB}, groups: {b: {bytes: 150}}}\n";
    let a = "198.51.100.0/24 {\"customer\": \"a\"}";
    let a6 = "2001:db8:40::/44 {\"customer\": \"a\"}";
    let b = "203.0.113.0/24 {\"customer\": \"b\"}";
    assert_eq!(
        told(
            rules,
            &[
                // a is within its contract, in no group there is no gate.
                &[
                    ("198.51.100.1", 500),
                    ("2001:db8:40::1", 500),
                    ("192.0.2.1", 101)
                ],
                &[
                    ("198.51.100.1", 500),
                    ("2001:db8:40::1", 501),
                    ("203.0.113.1", 150)
                ],
                &[("203.0.113.1", 151)],
            ]
        ),
        format!(
            "0 r 192.0.2.1/32 101 of 1 hosts, bytes>100, warning, 192.0.2.0/24 {{}}\n\
             1 r 198.51.100.1/32 500 of 1 hosts, bytes>100, warning, {a}, customer=a 1001\n\
             1 r 2001:db8:40::1/128 501 of 1 hosts, bytes>100, warning, {a6}, customer=a 1001\n\
             2 r 203.0.113.1/32 151 of 1 hosts, bytes>100, warning, {b}, customer=b 151\n"
        )
    );
}

#[test]
fn severity_is_the_highest_that_is_reached() {
    let rules = "rules:\n\
                 - name: r\n  \
                   prefix_length: {ipv4: [32], ipv6: []}\n  \
                   thresholds: {bytes: 100, packets: 2}\n  \
                   severity: minor\n  \
                   overrides: [{prefix: 203.0.113.0/24, thresholds: {bytes: 1kB}}]\n  \
                   escalation:\n  \
                   - {severity: major, times: '1.5'}\n  \
                   - {severity: critical, thresholds: {bytes: 5kB}}\n";
    let own = "203.0.113.0/24 {}";
    assert_eq!(
        told(
            rules,
            &[
                &[("192.0.2.1", 150), ("203.0.113.1", 1_500)],
                &[("192.0.2.1", 151), ("203.0.113.1", 1_501)],
                &[("192.0.2.1", 5_001), ("203.0.113.1", 5_000)],
                // Three packets of a byte are over another threshold, one and a half times.
                &[("192.0.2.1", 1), ("192.0.2.1", 1), ("192.0.2.1", 1)],
                &[("192.0.2.1", 1); 4],
            ]
        ),
        format!(
            "0 r 192.0.2.1/32 150 of 1 hosts, bytes>100, minor\n\
             0 r 203.0.113.1/32 1500 of 1 hosts, bytes>1000, minor, {own}\n\
             1 r 192.0.2.1/32 151 of 1 hosts, bytes>100, major\n\
             1 r 203.0.113.1/32 1501 of 1 hosts, bytes>1000, major, {own}\n\
             2 r 192.0.2.1/32 5001 of 1 hosts, bytes>100, critical\n\
             2 r 203.0.113.1/32 5000 of 1 hosts, bytes>1000, major, {own}\n\
             3 r 192.0.2.1/32 3 of 1 hosts, packets>2, minor\n\
             4 r 192.0.2.1/32 4 of 1 hosts, packets>2, major\n"
        )
    );
}
