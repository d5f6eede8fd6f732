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
