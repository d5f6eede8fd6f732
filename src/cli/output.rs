//! Lines on stdout, for people and pipes.

use std::io::{self, Write};

use super::CliError;

/// Stdout, line by line: each line is out before the next is made.
#[derive(Debug)]
pub(crate) struct Output<W: Write = io::Stdout>(W);

impl Output {
    pub(crate) fn stdout() -> Self {
        Self(io::stdout())
    }
}

impl<W: Write> Output<W> {
    #[cfg(test)]
    pub(crate) fn to(writer: W) -> Self {
        Self(writer)
    }

    /// Writes `text` and a line break, and sends it on.
    pub(crate) fn line(&mut self, text: impl AsRef<[u8]>) -> Result<(), CliError> {
        self.text([text.as_ref(), b"\n"].concat())
    }

    /// Writes `text` as it is, and sends it on.
    pub(crate) fn text(&mut self, text: impl AsRef<[u8]>) -> Result<(), CliError> {
        let written = self
            .0
            .write_all(text.as_ref())
            .and_then(|()| self.0.flush());
        written.map_err(|e| match e.kind() {
            // The reader has seen enough, as in `hotprefix tail | head -1`.
            io::ErrorKind::BrokenPipe => CliError::Closed,
            _ => CliError::Failed(format!("stdout: {e}")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn reader_that_left_is_no_error() {
        let closed = Output::to(Closed).line("alert").unwrap_err();
        assert!(matches!(closed, CliError::Closed));
        assert_eq!(closed.exit_code(), 0);
    }
}
