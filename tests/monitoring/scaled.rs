//! The shipped rules in the time of a test: a minute of theirs is a second, an hour a minute.
//!
//! Only `for`, ranges and offsets change; names, thresholds and what is compared stay.

use serde_json::Value;

use super::queries;

/// `rules.yaml` with all its durations scaled.
pub(crate) fn rules() -> Value {
    let mut groups = queries::rules();
    let lists = groups["groups"].as_array_mut().into_iter().flatten();
    for rule in lists.flat_map(|group| group["rules"].as_array_mut().into_iter().flatten()) {
        let expr = rule["expr"].as_str().expect("a rule has an expression");
        rule["expr"] = self::expr(expr).into();
        if let Some(pending) = rule["for"].as_str() {
            rule["for"] = duration(pending).into();
        }
    }
    groups
}

/// An expression with its ranges and offsets scaled.
pub(crate) fn expr(expr: &str) -> String {
    let mut scaled = String::new();
    let mut rest = expr;
    while let Some(at) = ["[", "offset "]
        .iter()
        .filter_map(|m| Some(rest.find(m)? + m.len()))
        .min()
    {
        let (before, after) = rest.split_at(at);
        let end = after.find(|c: char| !c.is_ascii_alphanumeric());
        let (time, after) = after.split_at(end.unwrap_or(after.len()));
        scaled.push_str(before);
        scaled.push_str(&duration(time));
        rest = after;
    }
    scaled + rest
}

fn duration(time: &str) -> String {
    let (number, unit) = time.split_at(time.len() - 1);
    let number: u64 = number
        .parse()
        .unwrap_or_else(|_| panic!("`{time}` is no whole number and one unit"));
    match unit {
        "m" => format!("{number}s"),
        "h" => format!("{number}m"),
        _ => panic!("`{time}` is neither in minutes nor in hours"),
    }
}

#[test]
fn durations_are_scaled_and_nothing_else() {
    let before = "sum by (a5m) (rate(x_5m[5m])) > 10 and y[1h] offset 10m unless z offset 2h) * 1m";
    let after = "sum by (a5m) (rate(x_5m[5s])) > 10 and y[1m] offset 10s unless z offset 2m) * 1m";
    assert_eq!(expr(before), after);
}
