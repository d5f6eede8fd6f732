use std::fmt::Write as _;

use proptest::prelude::*;

use super::{Filter, sets};
use crate::rule::sets::Sets;

fn messages(sources: &[&str]) -> String {
    let mut out = String::new();
    for source in sources {
        let errors = Filter::compile(source, &sets()).expect_err(source);
        assert!(!errors.is_empty(), "{source} was refused without a reason");
        let _ = writeln!(out, "==== {source}");
        for mut error in errors {
            // The list of what can be written is the same everywhere and has a test of its own.
            if error.help.take().is_some() {
                error.message.push_str(" [+ what filters can do]");
            }
            let _ = writeln!(out, "{error}");
        }
    }
    out
}

fn snapshot(name: &str, sources: &[&str]) {
    insta::with_settings!({omit_expression => true}, {
        insta::assert_snapshot!(name, messages(sources));
    });
}

#[test]
fn unknown_names_come_with_a_suggestion() {
    snapshot(
        "unknown_names",
        &[
            "direction == \"ingress\" && src_if_des.contains(\"DFN\")",
            "SrcIfDesc == \"x\"",
            "sampler_address == \"192.0.2.1\"",
            "xyz == 1",
            "src_if_desc.contain(\"DFN\")",
            "src_if_desc.matches(\"DFN.*\")",
            "src_port.contains(\"5\")",
            "proto == \"tpc\"",
            "direction == \"incoming\"",
            "tcp_flags.has(\"SYM\")",
            "tcp_flags == \"syn\"",
            "etype == \"ip\"",
            "exporter in sets.border",
            "size(src_if_desc) == 0",
            "flow.src_port == 53",
            "normalised",
        ],
    );
}

#[test]
fn wrong_kinds_are_named() {
    snapshot(
        "wrong_kinds",
        &[
            "src_port == \"53\"",
            "src_port == \"http\"",
            "src_port == true",
            "src_port == 70000",
            "proto == 256",
            "src_port == -1",
            "src_port",
            "src_if_desc",
            "src_if_desc == 5",
            "src_if_desc < \"x\"",
            "src_addr == 5",
            "src_addr == \"10.0.0.0/8\"",
            "src_addr in \"10.0.0.1/8\"",
            "src_addr in [\"10.0.0.0/33\", \"foo\"]",
            "src_addr > \"10.0.0.0\"",
            "direction == 0",
            "direction < \"ingress\"",
            "normalized == 1",
            "normalized in [true]",
            "time_received > 5",
            "src_port == src_addr",
            "src_port in \"53\"",
            "src_if_desc in \"DFN\"",
            "\"DFN\" in src_if_desc",
            "src_port in 53",
            "src_port in dst_port",
            "src_port in []",
            "src_port in [[53]]",
            "src_port == [53]",
            "src_addr in sets.peers",
            "src_as in sets.borders",
            "src_as in sets.unknown",
            "sets.peers",
            "src_as == sets.peers",
            "src_if_desc.contains()",
            "src_if_desc.contains(\"\")",
            "src_if_desc.contains(5)",
            "src_if_desc.contains(src_if_name)",
            "tcp_flags.has()",
            "tcp_flags.has(2)",
            "src_port.has(\"SYN\")",
            "src_addr.in_prefix(\"x\")",
        ],
    );
}

#[test]
fn what_cannot_be_lowered_is_refused() {
    snapshot(
        "not_lowered",
        &[
            "bytes / packets < 100",
            "bytes + 1 == 5",
            "-src_port == 5",
            "normalized ? true : false",
            "[1, 2].exists(p, p == src_port)",
            "has(flow.src_port)",
            "{\"a\": 1}",
            "Flow{a: 1}",
            "5",
            "\"text\"",
            "null == src_port",
            "src_port == 1.5",
            "src_if_desc == b\"x\"",
            "1 == 1",
            "src_if_desc[0] == \"x\"",
            "(src_port == 5).contains(\"x\")",
            "src_port == dst_port == true",
        ],
    );
}

#[test]
fn text_that_is_no_cel_is_refused_with_what_was_meant() {
    snapshot(
        "no_cel",
        &[
            "direction == \"ingress\" and proto == 6",
            "proto == 6 or proto == 17",
            "not normalized",
            "proto = 6",
            "proto == 6 & normalized",
            "tcp_flags & 2 == 2",
            "proto == 6 | normalized",
            "src_if_desc like \"x\"",
            "(proto == 6",
            "proto == 6)",
            "proto ==",
            "&& proto == 6",
            "src_if_desc.contains(\"DFN)",
            "proto == 99999999999999999999",
            "src_port in [53, ",
            "proto == 6 proto == 17",
            "src_if_desc == \"\\q\"",
            "if == 5",
            "🦀 == 5",
        ],
    );
}

#[test]
fn positions_count_lines_and_characters() {
    snapshot(
        "positions",
        &[
            "proto == 6 &&\n\tsrc_if_desc == \"Zürich 🦀\" && foo == 1 &&\n  bar.contains(\"x\")",
            "src_if_desc == \"Zürich 🦀\" &&\n  proto == = 6",
            "src_if_desc == \"Zürich\" && src_if_desc . matches (\"x\")",
        ],
    );
}

#[test]
fn every_problem_of_a_filter_is_reported() {
    let errors = Filter::compile("foo == 1 || (bar == 2 && src_port == 70000)", &Sets::new())
        .expect_err("three things are wrong");
    let places: Vec<usize> = errors.iter().map(|e| e.column).collect();
    assert_eq!(places, [1, 14, 38]);
}

#[test]
fn what_filters_can_do_is_listed_and_true() {
    let errors = Filter::compile("bytes / packets < 100", &Sets::new()).expect_err("no division");
    insta::with_settings!({omit_expression => true}, {
        insta::assert_snapshot!("help", errors[0]);
    });
}

#[test]
fn deep_nesting_is_refused_not_a_crash() {
    for depth in [20, 1000, 20_000] {
        let source = format!("{}normalized{}", "(".repeat(depth), ")".repeat(depth));
        let deep = Filter::compile(&source, &Sets::new());
        assert_eq!(deep.is_ok(), depth == 20, "depth {depth}");
    }
    for source in [
        format!("note{}", ".x".repeat(20_000)),
        format!("note{}", "[0]".repeat(20_000)),
        format!("note{}", ".x()".repeat(15_000)),
        "[".repeat(20_000),
        "f(".repeat(20_000),
        format!("{}1", "1 + ".repeat(15_000)),
        format!("{}1", "1 == ".repeat(12_000)),
        format!("{}1", "true ? 1 : ".repeat(5000)),
        format!("{}normalized", "!".repeat(50_001)),
    ] {
        assert!(Filter::compile(&source, &Sets::new()).is_err());
    }
    // As deep as both bounds allow at once.
    let level = format!("({}", "1 + ".repeat(30));
    let deepest = format!("{}1{}", format!("f(0, {level}").repeat(45), "))".repeat(45));
    assert!(Filter::compile(&deepest, &Sets::new()).is_err());
    let nots = format!("{}normalized", "!(".repeat(1000)) + &")".repeat(1000);
    assert!(Filter::compile(&nots, &Sets::new()).is_err());
    let long = vec!["src_port == 1"; 3500].join(" || ");
    assert!(Filter::compile(&long, &Sets::new()).is_ok());
    let too_long = vec!["src_port == 1"; 5000].join(" || ");
    assert!(Filter::compile(&too_long, &Sets::new()).is_err());
}

proptest! {
    #[test]
    fn any_text_compiles_or_is_refused_with_a_reason(source in "\\PC{0,40}") {
        if let Err(errors) = Filter::compile(&source, &sets()) {
            prop_assert!(!errors.is_empty());
        }
    }

    #[test]
    fn any_sequence_of_tokens_compiles_or_is_refused_with_a_reason(
        tokens in proptest::collection::vec(
            prop::sample::select(vec![
                "src_port", "direction", "src_addr", "src_if_desc", "sets", ".peers", "normalized", "foo",
                "==", "!=", "<", "&&", "||", "!", "(", ")", "[", "]", ",", ".", "in", "has", ".contains(",
                "53", "1.5", "-1", "\"x\"", "\"10.0.0.0/8\"", "'", "\"", "+", "?", ":", "{", "}", "ü", "\n",
            ]),
            0..12,
        ),
    ) {
        if let Err(errors) = Filter::compile(&tokens.join(" "), &sets()) {
            prop_assert!(!errors.is_empty());
        }
    }
}
