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
        let mut bytes = [0; MAX_HEAD];
        let head = read(file, &mut bytes)?;
        let (device, inode) = (metadata.dev(), metadata.ino());
        Ok(Fingerprint { device, inode, head: head.len() as u64, hash: hash(head) })
    }

    /// Whether the file is this one, which may have grown since.
    pub(super) fn fits(&self, file: &File) -> io::Result<bool> {
        let metadata = file.metadata()?;
        let is_it = (metadata.dev(), metadata.ino()) == (self.device, self.inode);
        Ok(is_it && self.grown(file)?.is_some())
    }

    /// The file now, as far as it has only grown. None: its beginning is another one.
    pub(super) fn grown(&self, file: &File) -> io::Result<Option<Fingerprint>> {
        let mut bytes = [0; MAX_HEAD];
        // In one look, so that the beginning that is known and the rest are of the same content.
        let head = read(file, &mut bytes)?;
        let known = usize::try_from(self.head).unwrap_or(MAX_HEAD);
        let is_it = head.get(..known).is_some_and(|known| hash(known) == self.hash);
        Ok(is_it.then(|| Fingerprint { head: head.len() as u64, hash: hash(head), ..*self }))
    }
}

/// The first bytes of a file, as many as there is room for.
fn read<'a>(file: &File, bytes: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let mut length = 0;
    while length < bytes.len() {
        match file.read_at(&mut bytes[length..], length as u64) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(&bytes[..length])
}

/// FNV-1a: a hash that stays what it is, for it is kept.
fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
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
