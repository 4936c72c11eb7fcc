//! What is at a path, in a few words.

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hasher as _},
    io::Read as _,
    os::unix::fs::MetadataExt as _,
    path::Path,
};

/// A larger file is known by its inode, size and time alone.
const MAX_HASHED: u64 = 1 << 20;

/// A file, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    Missing,
    Present { identity: (u64, u64, i64, i64), size: u64, hash: Option<u64> },
}

impl Content {
    pub(crate) fn at(path: &Path) -> Content {
        let Ok(metadata) = fs::metadata(path) else { return Content::Missing };
        let identity = (metadata.dev(), metadata.ino(), metadata.mtime(), metadata.mtime_nsec());
        let hash = (metadata.is_file() && metadata.len() <= MAX_HASHED).then(|| hash(path));
        Content::Present { identity, size: metadata.len(), hash: hash.flatten() }
    }

    pub(crate) fn is_same(&self, other: &Content) -> bool {
        match (self, other) {
            (
                Content::Present { size, hash: Some(hash), .. },
                Content::Present { size: other_size, hash: Some(other_hash), .. },
            ) => (size, hash) == (other_size, other_hash),
            _ => self == other,
        }
    }
}

fn hash(path: &Path) -> Option<u64> {
    let mut bytes = Vec::new();
    // It can have grown meanwhile; then it will be looked at again.
    File::open(path).ok()?.take(MAX_HASHED + 1).read_to_end(&mut bytes).ok()?;
    let mut hasher = DefaultHasher::new();
    hasher.write(&bytes);
    Some(hasher.finish())
}
