//! Where somebody has got to in a file that may be another one by now.

use std::{
    fmt,
    fs::File,
    io,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    str::FromStr,
};

use crate::error::{Error, ErrorKind};

/// Where to go on in a file: which file it was, and how far it has been read.
///
/// It is written and parsed as text, to be kept somewhere. It knows the file by its inode and by the beginning of its content, because inodes are used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token {
    pub(super) file: Fingerprint,
    pub(super) offset: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint {
    device: u64,
    inode: u64,
    /// How many of the first bytes the hash is of: at most 256.
    head: u64,
    hash: u64,
}

const MAX_HEAD: usize = 256;

impl Fingerprint {
    pub(super) fn of(file: &File) -> io::Result<Fingerprint> {
        let metadata = file.metadata()?;
        let (head, hash) = head(file, MAX_HEAD)?;
        Ok(Fingerprint { device: metadata.dev(), inode: metadata.ino(), head, hash })
    }

    /// Whether the file is this one, which may have grown since.
    pub(super) fn fits(&self, file: &File) -> io::Result<bool> {
        let metadata = file.metadata()?;
        let length = usize::try_from(self.head).unwrap_or(MAX_HEAD).min(MAX_HEAD);
        Ok((metadata.dev(), metadata.ino()) == (self.device, self.inode)
            && head(file, length)? == (self.head, self.hash))
    }

    /// Whether it knows as much of the beginning as it can.
    pub(super) fn is_whole(&self) -> bool {
        self.head == MAX_HEAD as u64
    }
}

/// The length and the FNV-1a hash of the first bytes: a hash that stays what it is, for it is kept.
fn head(file: &File, most: usize) -> io::Result<(u64, u64)> {
    let mut bytes = [0; MAX_HEAD];
    let mut length = 0;
    while length < most {
        match file.read_at(&mut bytes[length..most], length as u64) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    Ok((length as u64, bytes[..length].iter().fold(0xcbf2_9ce4_8422_2325, step)))
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fingerprint { device, inode, head, hash } = self.file;
        write!(f, "{device:x}-{inode:x}-{head:x}-{hash:x}-{:x}", self.offset)
    }
}

impl FromStr for Token {
    type Err = Error;

    fn from_str(text: &str) -> Result<Token, Error> {
        let mut numbers = text.split('-').map(|number| u64::from_str_radix(number, 16));
        let mut next = || numbers.next()?.ok();
        let mut token = || {
            let file =
                Fingerprint { device: next()?, inode: next()?, head: next()?, hash: next()? };
            Some(Token { file, offset: next()? })
        };
        match (token(), numbers.next()) {
            (Some(token), None) => Ok(token),
            _ => Err(Error::new(ErrorKind::InvalidToken, "read token", text.as_ref())),
        }
    }
}
