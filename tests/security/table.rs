//! The table of rights in docs/security.md: what it says is what the tests allow.

use crate::support::kafka_acls::Acl;

const PAGE: &str = include_str!("../../docs/security.md");

/// Whether a command works without a right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// It ends.
    Yes,
    /// It warns.
    May,
}

/// The rights of a column, for an application and its input.
pub(crate) fn rights(column: &str, application: &str, input: &str) -> Vec<(Acl, Need)> {
    let mut rows = PAGE
        .lines()
        .skip_while(|line| !line.starts_with("| right | on |"))
        .take_while(|line| line.starts_with('|'))
        .map(cells);
    let head = rows.next().expect("the page has the table");
    let at = head
        .iter()
        .position(|name| name.trim_matches('`') == column);
    let at = at.unwrap_or_else(|| panic!("the table has no column {column}"));
    let of = |row: &[&str]| {
        let need = match row[at] {
            "" => return None,
            "yes" => Need::Yes,
            "may" => Need::May,
            other => panic!("a right is `yes`, `may` or nothing, not {other}"),
        };
        let (kind, name) = row[1].rsplit_once(' ').expect("a kind and a name");
        let name = name.trim_matches('`');
        let name = name.replace("<app>", application).replace("<input>", input);
        let acl = Acl {
            operation: row[0].to_owned(),
            kind: kind.to_owned(),
            name,
        };
        Some((acl, need))
    };
    let found: Vec<_> = rows.skip(1).filter_map(|row| of(&row)).collect();
    assert!(!found.is_empty(), "{column} needs nothing");
    found
}

fn cells(line: &'static str) -> Vec<&'static str> {
    line.trim_matches('|').split('|').map(str::trim).collect()
}

/// The table's `run` as commands: one for each resource, in the order of the table.
#[test]
fn commands_on_the_page_are_those_of_its_table() {
    let mut resources: Vec<(String, String, Vec<String>)> = Vec::new();
    for (acl, _) in rights("run", "hotprefix", "flows") {
        let same = |(kind, name, _): &&mut (String, String, Vec<String>)| {
            *kind == acl.kind && *name == acl.name
        };
        match resources.iter_mut().find(same) {
            Some((_, _, operations)) => operations.push(acl.operation),
            None => resources.push((acl.kind, acl.name, vec![acl.operation])),
        }
    }
    let command = |(kind, name, operations): &(String, String, Vec<String>)| {
        let kind = kind.replace(' ', "-");
        let name = match name.strip_suffix('*') {
            Some(prefix) => format!("{prefix} --resource-pattern-type prefixed"),
            None => name.clone(),
        };
        let operations: Vec<_> = operations
            .iter()
            .map(|operation| format!(" --operation {operation}"))
            .collect();
        let operations = operations.concat();
        format!(
            "kafka-acls.sh --bootstrap-server kafka:9092 --add --allow-principal User:hotprefix --{kind} {name}{operations}"
        )
    };
    let expected: Vec<_> = resources.iter().map(command).collect();
    let page: Vec<_> = PAGE
        .lines()
        .filter(|line| line.starts_with("kafka-acls.sh"))
        .collect();
    assert_eq!(page, expected);
}

/// What the chart gives Strimzi's user: all of `run` and `tail`, and Read on the other topics that `tail` may be told
/// to read. Describe is in Read and Write.
#[test]
fn chart_gives_its_user_what_the_table_says() {
    const RENDERED: &str = include_str!("../../deploy/helm/examples/strimzi-keda/rendered.yaml");
    let user = RENDERED
        .split("\n---")
        .find(|document| document.contains("kind: KafkaUser"))
        .expect("the example has a user");
    let user: serde_json::Value = serde_norway::from_str(user).expect("it is YAML");
    let mut given = Vec::new();
    for acl in user["spec"]["authorization"]["acls"]
        .as_array()
        .expect("a list")
    {
        let text = |value: &serde_json::Value| value.as_str().expect("it is text").to_owned();
        let resource = &acl["resource"];
        let star = if resource["patternType"] == "prefix" {
            "*"
        } else {
            ""
        };
        for operation in acl["operations"].as_array().expect("a list") {
            given.push(Acl {
                operation: text(operation),
                kind: text(&resource["type"]).replace("transactionalId", "transactional id"),
                name: text(&resource["name"]) + star,
            });
        }
    }
    given.retain(|acl| acl.operation != "Describe");
    let mut expected: Vec<_> = ["run", "tail", "tail --active"]
        .iter()
        .flat_map(|column| rights(column, "hotprefix", "flow-messages-enriched"))
        .map(|(acl, _)| acl)
        .collect();
    expected.extend(["windows", "dead-letters"].map(|which| Acl {
        operation: "Read".to_owned(),
        kind: "topic".to_owned(),
        name: format!("hotprefix-{which}"),
    }));
    given.sort();
    expected.sort();
    assert_eq!(given, expected);
}
