//! One record, one line.

use std::io::{self, Write};

use serde::Serialize;

use super::{Options, WHAT};
use crate::{
    error::{Error, ErrorKind, Result},
    stamp::write_stamp,
};

/// Of an average record, so that its buffer seldom grows.
const CAPACITY: usize = 256;

/// A record with its line feed. It is the caller's code that runs here, and so it does before anything is locked or written.
pub(super) fn encode<T: Serialize>(record: &T, options: &Options) -> Result<Vec<u8>> {
    let fail = |kind| Error::new(kind, WHAT, &options.path);
    let mut line = Line { bytes: Vec::with_capacity(CAPACITY), max: options.max_record };
    if options.stamped {
        line.write_all(b"{")
            .and_then(|()| write_stamp(&mut line))
            .map_err(|_| fail(ErrorKind::TooLarge))?;
    }
    let begin = line.bytes.len();
    serde_json::to_writer(&mut line, record).map_err(|error| {
        if error.is_io() {
            fail(ErrorKind::TooLarge)
        } else {
            Error::json(WHAT, &options.path, error)
        }
    })?;
    let mut bytes = line.bytes;
    if options.stamped {
        match &bytes[begin..] {
            b"{}" => {
                bytes.remove(begin);
            }
            [b'{', ..] => bytes[begin] = b',',
            _ => {
                return Err(fail(ErrorKind::Json)
                    .with_source(io::Error::other("a record with a stamp has to be an object")));
            }
        }
    }
    // A raw value may be spread over lines; between its tokens, a space is as good.
    bytes.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
    bytes.push(b'\n');
    if bytes.len() > options.max_record {
        return Err(fail(ErrorKind::TooLarge));
    }
    Ok(bytes)
}

/// Stops a record that is too large before it fills memory.
struct Line {
    bytes: Vec<u8>,
    max: usize,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.max.saturating_sub(self.bytes.len()) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
