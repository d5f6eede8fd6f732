//! A filter's text → a predicate or errors with their place; the predicate decides as CEL's own interpreter does where that
//! knows all of the words, and its negation decides the opposite.
#![no_main]

use std::sync::LazyLock;

use cel::{Context, Program, Value};
use hotprefix_fuzz::edit_text;
use hotprefix_fuzz::flow::{Direction, Field, FieldSet, Flow, Normalized};
use hotprefix_fuzz::net::Addr;
use hotprefix_fuzz::rule::{Filter, NamedSet, Sets};

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    match Filter::compile(text, &SETS) {
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in errors {
                assert!(!error.to_string().is_empty());
            }
        }
        Ok(filter) => {
            assert!(!filter.canonical().is_empty());
            denies(&filter, text);
            interpreted(&filter, text);
        }
    }
});

hotprefix_fuzz::mutator!(|input: &mut Vec<u8>, random: &mut _| edit_text::edit(
    input, random, &WORDS
));

static SETS: LazyLock<Sets> = LazyLock::new(|| {
    Sets::from([
        (
            "borders".to_owned(),
            NamedSet::from_file("192.0.2.1\n198.51.100.0/24\n"),
        ),
        ("peers".to_owned(), NamedSet::from_file("64496\n64497\n")),
        ("none".to_owned(), NamedSet::default()),
    ])
});

/// What CEL's interpreter is given.
const PLAIN: FieldSet = FieldSet::EMPTY
    .with(Field::SrcPort)
    .with(Field::DstPort)
    .with(Field::SrcAs)
    .with(Field::SrcIfDesc)
    .with(Field::Note)
    .with(Field::Direction)
    .with(Field::Normalized);

fn samples() -> Vec<Flow<'static>> {
    let flow = |n: u32, desc: &'static [u8], direction, normalized| Flow {
        src_addr: (n > 0).then_some(Addr::V4(0x0a00_0000 + n)),
        exporter: Some(Addr::V4(0xc000_0200 + n)),
        bytes: u64::MAX >> n,
        src_port: n,
        dst_port: 53,
        src_as: 64_496 + n,
        tcp_flags: n,
        src_if_desc: desc,
        note: b"a",
        direction,
        normalized,
        ..Flow::default()
    };
    vec![
        flow(0, b"", Direction::Unknown, Normalized::No),
        flow(1, b"DFN", Direction::Ingress, Normalized::Yes),
        flow(53, "é".as_bytes(), Direction::Egress, Normalized::No),
    ]
}

/// A valid filter can be negated, and then takes what it did not.
fn denies(filter: &Filter, text: &str) {
    if text.trim().is_empty() {
        return;
    }
    let Ok(opposite) = Filter::compile(&format!("!(\n{text}\n)"), &SETS) else {
        // It was as deep or as long as is allowed.
        return;
    };
    for flow in samples() {
        assert_ne!(filter.matches(&flow), opposite.matches(&flow), "{flow:?}");
    }
}

fn interpreted(filter: &Filter, text: &str) {
    if filter.fields().minus(PLAIN) != FieldSet::EMPTY {
        return;
    }
    let Ok(program) = Program::compile(text) else {
        return;
    };
    for flow in samples() {
        if let Ok(Value::Bool(value)) = program.execute(&context(&flow)) {
            assert_eq!(filter.matches(&flow), value, "{flow:?}");
        }
    }
}

fn context(flow: &Flow<'_>) -> Context<'static, 'static> {
    let mut context = Context::default();
    for (name, value) in [
        ("src_port", flow.src_port),
        ("dst_port", flow.dst_port),
        ("src_as", flow.src_as),
    ] {
        context.add_variable_from_value(name, i64::from(value));
    }
    for (name, value) in [("src_if_desc", flow.src_if_desc), ("note", flow.note)] {
        context.add_variable_from_value(name, String::from_utf8_lossy(value).into_owned());
    }
    let direction = match flow.direction {
        Direction::Unknown => "unknown",
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    };
    context.add_variable_from_value("direction", direction.to_owned());
    context.add_variable_from_value("normalized", flow.normalized == Normalized::Yes);
    context
}

const WORDS: [&str; 56] = [
    " && ",
    " || ",
    "!",
    "(",
    ")",
    " == ",
    " != ",
    " < ",
    " <= ",
    " > ",
    " >= ",
    " in ",
    "[53, 123]",
    ", ",
    "src_port",
    "dst_port",
    "src_as",
    "src_if_desc",
    "note",
    "direction",
    "normalized",
    "src_addr",
    "exporter",
    "bytes",
    "tcp_flags",
    "proto",
    "etype",
    "flow_type",
    "\"ingress\"",
    "\"egress\"",
    "\"DFN\"",
    "\"tcp\"",
    "\"10.0.0.0/8\"",
    "\"::/0\"",
    "\"192.0.2.1\"",
    ".contains(",
    ".startsWith(",
    ".endsWith(",
    ".matches(",
    ".has(",
    ".has_any(",
    "\"SYN\"",
    "sets.borders",
    "sets.peers",
    "sets.none",
    "true",
    "false",
    "53",
    "4294967296",
    "1u",
    "'a'",
    "r\"\\\"",
    "b\"a\"",
    "// x\n",
    " ? ",
    " : ",
];
