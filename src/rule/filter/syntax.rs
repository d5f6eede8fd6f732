//! Text that is no CEL at all: the parser's messages, with what people from other filter languages
//! usually meant.

use cel::parser::ParseErrors;

use super::error::{CAN, FilterError};
use super::span::{Span, byte_of, error_at};

/// Longest chain of operators without `&&`, `||` or a comma.
const MAX_CHAIN: usize = 32;

/// Refuses what would overflow the stack. The parser bounds how deep parentheses nest, but not chains
/// such as `a.b.c.d` or `1 + 1 + 1`, which it walks recursively too; `&&` and `||` it balances.
pub(super) fn check_chains(source: &str) -> Result<(), FilterError> {
    let mut chars = source.char_indices().peekable();
    let (mut chain, mut before) = (0, ' ');
    while let Some((at, c)) = chars.next() {
        match c {
            '"' | '\'' => skip_text(&mut chars, c, before.eq_ignore_ascii_case(&'r')),
            '/' if chars.peek().is_some_and(|(_, next)| *next == '/') => {
                while chars.next().is_some_and(|(_, c)| c != '\n') {}
            }
            ',' => chain = 0,
            '&' | '|' if before == c => chain = 0,
            '.' | '(' | '[' | '{' | '+' | '-' | '*' | '/' | '%' | '?' | '<' | '>' | '=' | '!' => {
                chain += 1;
            }
            // The operator `in`, or a word that ends like it: too many of those are no filter either.
            'n' if before == 'i' => chain += 1,
            _ => {}
        }
        if chain > MAX_CHAIN {
            let span = Span {
                start: at,
                end: at + c.len_utf8(),
            };
            let message = format!(
                "this is nested too deeply: more than {MAX_CHAIN} operators without &&, || or a comma"
            );
            return Err(error_at(source, span, message, None));
        }
        before = c;
    }
    Ok(())
}

/// Moves behind the quote that closes the text. In raw text a backslash is nothing special.
fn skip_text(chars: &mut impl Iterator<Item = (usize, char)>, quote: char, raw: bool) {
    while let Some((_, c)) = chars.next() {
        if c == quote {
            return;
        }
        if c == '\\' && !raw {
            chars.next();
        }
    }
}

/// How the parser begins a message about text that does not fit its grammar.
const SYNTAX: &str = "Syntax error: ";

/// The first syntax error. Those after it are mostly its consequences.
pub(super) fn first_error(source: &str, errors: &ParseErrors) -> FilterError {
    let Some(first) = errors.errors.first() else {
        let all = Span {
            start: 0,
            end: source.len(),
        };
        return error_at(source, all, "this is no expression".to_owned(), Some(CAN));
    };
    let (line, column) = (first.pos.0, first.pos.1);
    if line < 1 {
        let at = Span { start: 0, end: 0 };
        let message = "the filter is nested too deeply".to_owned();
        return error_at(source, at, message, None);
    }
    let start = byte_of(source, line as usize, column.max(1) as usize);
    let span = Span {
        start,
        end: start + word_len(&source[start..]),
    };
    // The parser's own words are better where it understood the token.
    let (span, message) = Some(&first.msg)
        .filter(|msg| msg.starts_with(SYNTAX))
        .and_then(|_| meant(source, span))
        .unwrap_or_else(|| (span, shorten(&first.msg)));
    error_at(source, span, message, Some(CAN))
}

/// Length of the word, or of the one character, that `rest` begins with.
fn word_len(rest: &str) -> usize {
    let word = rest
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(rest.len());
    word.max(rest.chars().next().map_or(0, char::len_utf8))
}

/// What was probably meant, and where to point.
fn meant(source: &str, span: Span) -> Option<(Span, String)> {
    let rest = &source[span.start..];
    let word = rest.get(..span.end - span.start)?;
    let before = source[..span.start].trim_end();
    let instead = |right: &str| format!("`{word}` is no operator: write {right}");
    let message = match word.to_ascii_lowercase().as_str() {
        "and" => instead("&&"),
        "or" => instead("||"),
        "not" => instead("!"),
        "like" | "contains" => instead("TEXT.contains(\"x\")"),
        _ if rest.trim_start().is_empty() => "the filter ends too early".to_owned(),
        _ if before.ends_with("not") => {
            let not = Span {
                start: before.len() - 3,
                end: before.len(),
            };
            return Some((not, "`not` is no operator: write !".to_owned()));
        }
        _ if rest.starts_with("&&") || rest.starts_with("||") => {
            format!("there is no condition before `{}`", &rest[..2])
        }
        "=" => instead("=="),
        "&" => instead("&& between conditions, tcp_flags.has(\"SYN\") for bits"),
        "|" => instead("|| between conditions"),
        "\"" | "'" => "the text is not closed, or does not belong here".to_owned(),
        _ => return None,
    };
    Some((span, message))
}

/// The parser's message without the list of tokens, which says nothing to an operator.
fn shorten(message: &str) -> String {
    let message = message.strip_prefix(SYNTAX).unwrap_or(message);
    let end = message.find(" expecting ").unwrap_or(message.len());
    let message = message[..end]
        .replace('\'', "`")
        .replace("<EOF>", "end of the filter");
    format!("this is no expression: {message}")
}
