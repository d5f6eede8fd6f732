//! Records in a file: lines of text, or protobuf messages behind their length.

use std::io::{self, BufRead, Read as _};

/// The largest record. Kafka's default limit is 1 MiB; this leaves room for clusters that allow more.
const MAX_RECORD: u64 = 64 << 20;
/// How many bytes tell text from protobuf.
const LOOK_AHEAD: usize = 64;

/// Why a file cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system does not give more.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file was cut.
    #[error("ends inside the record that begins at byte {at}")]
    Cut {
        /// Where that record's length begins.
        at: u64,
    },
    /// What should be a length is none.
    #[error(
        "no record length at byte {at}; valid is a stream of protobuf messages, each behind its length as a varint, or lines of JSON"
    )]
    Length {
        /// Where it should be.
        at: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Lines,
    Delimited,
}

/// The records of one file, in order. Which form it has shows in its first bytes.
#[derive(Debug)]
pub struct Records<R> {
    from: R,
    form: Option<Form>,
    at: u64,
    record: Vec<u8>,
}

impl<R: BufRead> Records<R> {
    /// Reads from the beginning.
    pub const fn new(from: R) -> Self {
        Self {
            from,
            form: None,
            at: 0,
            record: Vec::new(),
        }
    }

    /// The next record, or `None` at the end. Empty lines are none. After an error there is no next.
    pub fn next_record(&mut self) -> Result<Option<&[u8]>, ReadError> {
        let form = match self.form {
            Some(form) => form,
            None => *self.form.insert(form_of(self.from.fill_buf()?)),
        };
        let found = match form {
            Form::Lines => self.line()?,
            Form::Delimited => self.delimited()?,
        };
        Ok(found.then_some(&self.record))
    }

    fn line(&mut self) -> Result<bool, ReadError> {
        loop {
            self.record.clear();
            if self.from.read_until(b'\n', &mut self.record)? == 0 {
                return Ok(false);
            }
            let end = self.record.trim_ascii_end().len();
            self.record.truncate(end);
            if end > 0 {
                return Ok(true);
            }
        }
    }

    fn delimited(&mut self) -> Result<bool, ReadError> {
        let at = self.at;
        let Some(length) = self.length()? else {
            return Ok(false);
        };
        self.record.clear();
        let mut body = (&mut self.from).take(length);
        let read = body.read_to_end(&mut self.record)? as u64;
        self.at += read;
        if read < length {
            return Err(ReadError::Cut { at });
        }
        Ok(true)
    }

    /// A varint, or `None` at the end.
    fn length(&mut self) -> Result<Option<u64>, ReadError> {
        let at = self.at;
        let mut length = 0u64;
        for shift in (0..).step_by(7) {
            let Some(&byte) = self.from.fill_buf()?.first() else {
                return if shift == 0 {
                    Ok(None)
                } else {
                    Err(ReadError::Cut { at })
                };
            };
            self.from.consume(1);
            self.at += 1;
            length |= u64::from(byte & 0x7f) << shift;
            if length > MAX_RECORD || shift > 28 {
                break;
            }
            if byte & 0x80 == 0 {
                return Ok(Some(length));
            }
        }
        Err(ReadError::Length { at })
    }
}

/// Text has no control characters but line breaks and tabs; a protobuf flow has many, since the tags of
/// its first fields are some.
fn form_of(beginning: &[u8]) -> Form {
    let beginning = &beginning[..beginning.len().min(LOOK_AHEAD)];
    let is_text = |b: &u8| *b >= b' ' || matches!(b, b'\n' | b'\r' | b'\t');
    if beginning.iter().all(is_text) {
        Form::Lines
    } else {
        Form::Delimited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>, ReadError> {
        // The smallest buffer that shows the form: records must not need more at once.
        let mut records = Records::new(io::BufReader::with_capacity(LOOK_AHEAD, bytes));
        let mut found = Vec::new();
        while let Some(record) = records.next_record()? {
            found.push(record.to_vec());
        }
        Ok(found)
    }

    fn delimited(records: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for record in records {
            prost::encode_length_delimiter(record.len(), &mut bytes).unwrap();
            bytes.extend_from_slice(record);
        }
        bytes
    }

    #[test]
    fn lines_lose_their_breaks_and_blank_ones_are_skipped() {
        let found = read(b"{\"a\":1}\r\n\n  \n{\"b\":2}").unwrap();
        assert_eq!(found, [b"{\"a\":1}".to_vec(), b"{\"b\":2}".to_vec()]);
    }

    #[test]
    fn messages_come_out_as_they_went_in() {
        let long = vec![0x08; 300];
        let records: [&[u8]; 4] = [&[0x08, 3], &long, &[], &[0x10, 1]];
        assert_eq!(read(&delimited(&records)).unwrap(), records);
    }

    #[test]
    fn a_message_as_long_as_a_brace_is_no_text() {
        let record = [0x08u8; 0x7b];
        assert_eq!(read(&delimited(&[&record])).unwrap(), [record]);
    }

    #[test]
    fn nothing_is_no_record() {
        assert!(read(b"").unwrap().is_empty());
        assert!(read(b"\n").unwrap().is_empty());
    }

    #[test]
    fn a_cut_file_says_where() {
        let bytes = delimited(&[&[0x08, 3], &[0x08; 200]]);
        let error = read(&bytes[..bytes.len() - 1]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "ends inside the record that begins at byte 3"
        );
        let error = read(&bytes[..4]).unwrap_err();
        assert!(matches!(error, ReadError::Cut { at: 3 }), "{error}");
    }

    #[test]
    fn a_length_beyond_reason_is_refused_before_it_is_read() {
        let error = read(&[0x02, 0x08, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]).unwrap_err();
        assert!(matches!(error, ReadError::Length { at: 3 }), "{error}");
        let error = read(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]).unwrap_err();
        assert!(matches!(error, ReadError::Length { at: 0 }), "{error}");
    }
}
