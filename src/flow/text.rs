//! Text records as goflow2 writes them: `bytes=1500 src_addr=192.0.2.1 …`, one record a line.

use super::named::{Draft, Key};

/// Reads one record. Words that are no `name=value` are skipped; a value in double quotes may hold spaces.
pub(super) fn read<'a>(record: &'a [u8], draft: &mut Draft<'a>) {
    let mut rest = record.trim_ascii();
    while !rest.is_empty() {
        let word_end = rest.iter().position(u8::is_ascii_whitespace);
        let word = &rest[..word_end.unwrap_or(rest.len())];
        let Some(equals) = memchr::memchr(b'=', word) else {
            rest = rest[word.len()..].trim_ascii_start();
            continue;
        };
        let (value, after) = value(&rest[equals + 1..]);
        if let Some(key) = Key::of(&rest[..equals]) {
            draft.named_text(key, value);
        }
        rest = after.trim_ascii_start();
    }
}

/// A value and what follows it.
fn value(rest: &[u8]) -> (&[u8], &[u8]) {
    if let Some(quoted) = rest.strip_prefix(b"\"")
        && let Some(end) = memchr::memchr(b'"', quoted)
    {
        return (&quoted[..end], &quoted[end + 1..]);
    }
    let end = rest.iter().position(u8::is_ascii_whitespace);
    rest.split_at(end.unwrap_or(rest.len()))
}

/// Whether the record begins with `name=`.
pub(super) fn begins_pair(record: &[u8]) -> bool {
    let record = record.trim_ascii_start();
    let name = record
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
        .count();
    name > 0 && record.get(name) == Some(&b'=')
}
