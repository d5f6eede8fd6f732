//! Where a part of the syntax tree stands in the text.

use cel::common::ast::{Expr, IdedExpr, SourceInfo, operators};

use super::error::FilterError;

/// A stretch of the text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Finds spans. The parser keeps one token per node: the operator of an operation, the parenthesis
/// of a call, the dot of a selection.
pub(super) struct Spans<'s> {
    pub(super) source: &'s str,
    pub(super) info: SourceInfo,
}

impl Spans<'_> {
    /// The node's own token.
    fn token(&self, expr: &IdedExpr) -> Span {
        let (start, last) = self.info.offset_for(expr.id).unwrap_or((0, 0));
        self.stretch(start as usize, last as usize)
    }

    /// From byte `start` to the end of the character at byte `last`, within the text.
    fn stretch(&self, start: usize, last: usize) -> Span {
        let start = floor(self.source, start);
        let last = floor(self.source, last.max(start));
        let width = self.source[last..].chars().next().map_or(0, char::len_utf8);
        Span {
            start,
            end: last + width,
        }
    }

    /// What to point at when something is wrong with `expr`: a literal, a name, an operator, or the
    /// name of a function.
    pub(super) fn of(&self, expr: &IdedExpr) -> Span {
        let token = self.token(expr);
        match &expr.expr {
            Expr::Call(call) if !is_operator(&call.func_name) => {
                self.word_before(token, call.func_name.trim_start_matches('.'))
            }
            Expr::Select(select) if select.test => self.word_before(token, "has"),
            Expr::Select(select) => {
                let start = self.of(&select.operand).start;
                let after = token.end
                    + (self.source[token.end..].len()
                        - self.source[token.end..].trim_start().len());
                Span {
                    start,
                    end: (after + select.field.len()).min(self.source.len()),
                }
            }
            _ => token,
        }
    }

    fn word_before(&self, token: Span, word: &str) -> Span {
        let before = self.source[..token.start].trim_end();
        if before.ends_with(word) {
            Span {
                start: before.len() - word.len(),
                end: before.len(),
            }
        } else {
            token
        }
    }

    /// The text of a span.
    pub(super) fn text(&self, span: Span) -> &str {
        self.source.get(span.start..span.end).unwrap_or_default()
    }

    /// An error that points at `span`.
    pub(super) fn error(
        &self,
        span: Span,
        message: String,
        help: Option<&'static str>,
    ) -> FilterError {
        error_at(self.source, span, message, help)
    }
}

/// Operators of CEL are calls whose names have a `_` or `@` in them that no text can write.
fn is_operator(name: &str) -> bool {
    [operators::IN, operators::NOT_STRICTLY_FALSE].contains(&name)
        || name.starts_with('_')
        || name.ends_with('_') && (name.starts_with('!') || name.starts_with('-'))
}

fn floor(source: &str, mut at: usize) -> usize {
    at = at.min(source.len());
    while !source.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The byte at which character `column` of line `line` begins, both from 1.
pub(super) fn byte_of(source: &str, line: usize, column: usize) -> usize {
    let mut start = 0;
    for (index, text) in source.split_inclusive('\n').enumerate() {
        if index + 1 == line {
            let inside = text.char_indices().nth(column.saturating_sub(1));
            return start + inside.map_or(text.trim_end().len(), |(at, _)| at);
        }
        start += text.len();
    }
    source.len()
}

pub(super) fn error_at(
    source: &str,
    span: Span,
    message: String,
    help: Option<&'static str>,
) -> FilterError {
    let start = floor(source, span.start);
    let line_start = source[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = source[start..]
        .find('\n')
        .map_or(source.len(), |at| start + at);
    let text = source[line_start..line_end].trim_end();
    let column = source[line_start..start].chars().count() + 1;
    let end = floor(source, span.end).clamp(start, line_end);
    let carets = source[start..end].chars().count().max(1);
    // Tabs stay tabs, so that the carets stand under their text.
    let indent: String = source[line_start..start]
        .chars()
        .map(|c| if c == '\t' { '\t' } else { ' ' })
        .collect();
    FilterError {
        line: source[..start].matches('\n').count() + 1,
        column,
        message,
        excerpt: format!("  | {text}\n  | {indent}{}", "^".repeat(carets)),
        help,
    }
}
