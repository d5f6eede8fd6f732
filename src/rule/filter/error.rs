//! What is wrong with a filter, and where.

use std::fmt;

/// One thing that is wrong with a filter's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// Line in the filter's text, from 1.
    pub line: usize,
    /// Character in that line, from 1.
    pub column: usize,
    /// What is wrong, and what would be valid.
    pub message: String,
    /// The line, and a second one with carets under the place.
    pub excerpt: String,
    /// More about what filters can do.
    pub help: Option<&'static str>,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}, column {}: {}\n{}",
            self.line, self.column, self.message, self.excerpt
        )?;
        match self.help {
            Some(help) => write!(f, "\n{help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for FilterError {}

/// What can be lowered, for those who tried something else.
pub(super) const CAN: &str = "\
a filter combines conditions with &&, ||, ! and parentheses; a condition is one of
  NUMBER == != < <= > >= 53        NUMBER in [53, 123]      NUMBER in sets.NAME
  TEXT == != \"x\"                   TEXT in [\"x\", \"y\"]       TEXT in sets.NAME
  TEXT.contains(\"x\")               TEXT.startsWith(\"x\")     TEXT.endsWith(\"x\")
  ADDRESS == != \"192.0.2.1\"        ADDRESS in \"10.0.0.0/8\"  ADDRESS in [\"10.0.0.0/8\", \"2001:db8::/32\"]
  ADDRESS in sets.NAME             ADDRESS.in_prefix(\"10.0.0.0/8\")
  direction == \"ingress\"           proto == \"tcp\"           etype == \"ipv4\"
  tcp_flags.has(\"SYN\")             tcp_flags.has_any(\"SYN\", \"RST\")
  normalized                       two fields of one kind, such as src_as == dst_as";
