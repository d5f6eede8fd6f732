//! Just enough of the query language's grammar to find the metrics that an expression names, and their labels.

use std::collections::BTreeSet;
use std::fmt;

/// A metric's name with the labels that are matched on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selector {
    pub(crate) metric: String,
    /// Label, operator, value.
    pub(crate) matchers: Vec<(String, String, String)>,
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let matchers = self.matchers.iter();
        let matchers =
            matchers.map(|(label, operator, value)| format!(r#"{label}{operator}"{value}""#));
        write!(
            f,
            "{}{{{}}}",
            self.metric,
            matchers.collect::<Vec<_>>().join(",")
        )
    }
}

/// What takes a list of labels in parentheses after it.
const GROUPINGS: [&str; 6] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];
const OPERATORS: [&str; 8] = [
    "and", "or", "unless", "bool", "offset", "atan2", "inf", "nan",
];

/// The selectors of an expression, and the labels by which it groups or joins.
///
/// A name that is neither operator nor grouping nor followed by `(` is a metric's.
pub(crate) fn parse(expr: &str) -> (Vec<Selector>, BTreeSet<String>) {
    let tokens = tokens(expr);
    let token = |at: usize| tokens.get(at).map_or("", String::as_str);
    let (mut selectors, mut labels) = (Vec::<Selector>::new(), BTreeSet::new());
    let mut at = 0;
    while at < tokens.len() {
        let word = token(at);
        at += 1;
        if !is_name(word) || OPERATORS.contains(&word) {
            continue;
        }
        if GROUPINGS.contains(&word) {
            if token(at) == "(" {
                let end = (at..tokens.len()).find(|i| token(*i) == ")");
                let end = end.unwrap_or_else(|| panic!("no end of ( in {expr}"));
                let names = tokens[at..end].iter().filter(|t| is_name(t));
                labels.extend(names.cloned());
                at = end;
            }
            continue;
        }
        if token(at) == "(" || GROUPINGS.contains(&token(at)) {
            // A function, or an aggregation as in `sum by (job) (…)`.
            continue;
        }
        let mut matchers = Vec::new();
        if token(at) == "{" {
            let end = (at..tokens.len()).find(|i| token(*i) == "}");
            let end = end.unwrap_or_else(|| panic!("no end of {{ in {expr}"));
            let inside = &tokens[at + 1..end];
            for matcher in inside.split(|t| t == ",").filter(|m| !m.is_empty()) {
                let [label, operator, value] = matcher else {
                    panic!("{matcher:?} is no matcher, in {expr}");
                };
                let value = value.trim_matches('"').to_owned();
                matchers.push((label.clone(), operator.clone(), value));
            }
            at = end + 1;
        }
        selectors.push(Selector {
            metric: word.to_owned(),
            matchers,
        });
    }
    (selectors, labels)
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == ':')
}

/// Names, strings, numbers, operators; a range in brackets is dropped.
fn tokens(expr: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = expr.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => rest[1..].find('"').map(|end| end + 2),
            '[' => rest.find(']').map(|end| end + 1),
            c if c.is_ascii_alphanumeric() || "_:.".contains(c) => {
                let other = |c: char| !(c.is_ascii_alphanumeric() || "_:.".contains(c));
                Some(rest.find(other).unwrap_or(rest.len()))
            }
            '=' | '!' | '>' | '<' => {
                let two = rest[1..].starts_with(['=', '~']);
                Some(1 + usize::from(two))
            }
            c => Some(c.len_utf8()),
        };
        let length = length.unwrap_or_else(|| panic!("no end of {first} in {expr}"));
        if first != '[' {
            tokens.push(rest[..length].to_owned());
        }
        rest = rest[length..].trim_start();
    }
    tokens
}

#[test]
fn names_are_told_from_functions_labels_and_operators() {
    let expr = r#"histogram_quantile(0.9, sum by (le, job) (rate(a_bucket{x="y, {z}", i=~"$i"}[5m]))) > 1
        unless on (job) b:c == bool 0 or count without (pod) (last_over_time(d[1h] offset 5m)) * 1e3"#;
    let (selectors, labels) = parse(expr);
    let names: Vec<_> = selectors.iter().map(|s| s.metric.as_str()).collect();
    assert_eq!(names, ["a_bucket", "b:c", "d"]);
    assert_eq!(selectors[0].to_string(), r#"a_bucket{x="y, {z}",i=~"$i"}"#);
    assert_eq!(labels.into_iter().collect::<Vec<_>>(), ["job", "le", "pod"]);
}
