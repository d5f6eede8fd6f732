//! The mutator of text: edits words and punctuation instead of bytes, with the words that the language knows.

use std::ops::Range;

use crate::random::Random;

/// Values that are hostile in any language.
const HOSTILE: [&str; 24] = [
    "0",
    "-1",
    "1e400",
    "1.5",
    "18446744073709551615",
    "18446744073709551616",
    "9223372036854775808",
    "-9223372036854775809",
    "1568127847",
    "253402300800000",
    "\"\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "null",
    "true",
    "[",
    "]",
    "{",
    "}",
    "\u{feff}",
    "é",
    "192.0.2.1",
    "2001:db8::/32",
    "::ffff:192.0.2.1",
];

/// Edits one text with `words` of its language.
pub fn edit(text: &mut Vec<u8>, random: &mut Random, words: &[&str]) {
    let tokens = tokens(text);
    if tokens.is_empty() {
        text.extend_from_slice(random.pick(words).as_bytes());
        return;
    }
    let one = random.below(tokens.len());
    let run = one..(one + 1 + random.below(8)).min(tokens.len());
    let span = tokens[run.start].start..tokens[run.end - 1].end;
    let at = random.pick(&tokens).start;
    match random.below(8) {
        0 => drop(text.drain(span)),
        1 => {
            let copy = text[span].to_vec();
            text.splice(at..at, copy);
        }
        2 => {
            let copy = text[span].to_vec();
            let over = random.pick(&tokens).clone();
            text.splice(over, copy);
        }
        3 => {
            let open = random.pick(&["[", "{\"a\":", "(", "!", "- ", "\n  "]);
            let depth = *random.pick(&[1, 2, 64, 127, 128, 200]);
            text.splice(at..at, open.repeat(depth).into_bytes());
        }
        4 | 5 => {
            let word = *random.pick(words);
            text.splice(tokens[one].clone(), word.bytes());
        }
        6 => {
            let word = *random.pick(words);
            text.splice(at..at, word.bytes());
        }
        _ => {
            let value = *random.pick(&HOSTILE);
            text.splice(tokens[one].clone(), value.bytes());
        }
    }
}

/// Runs of letters and digits, runs of white space, and everything else by itself.
fn tokens(text: &[u8]) -> Vec<Range<usize>> {
    let kind = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | 0x80.. => 1,
        b' ' | b'\n' | b'\t' => 2,
        _ => 0,
    };
    let mut tokens = Vec::new();
    let mut start = 0;
    for at in 1..=text.len() {
        let goes_on =
            at < text.len() && kind(text[at]) != 0 && kind(text[at]) == kind(text[at - 1]);
        if !goes_on {
            tokens.push(start..at);
            start = at;
        }
    }
    tokens
}
