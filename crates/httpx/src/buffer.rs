//! A body that is put together.

use bytes::{Bytes, BytesMut};

/// Pieces, and one allocation only if there are several.
#[derive(Default)]
pub(crate) struct Buffer {
    first: Bytes,
    all: BytesMut,
}

impl From<Bytes> for Buffer {
    fn from(first: Bytes) -> Buffer {
        Buffer { first, all: BytesMut::new() }
    }
}

impl Buffer {
    pub(crate) fn len(&self) -> usize {
        self.first.len() + self.all.len()
    }

    pub(crate) fn push(&mut self, piece: Bytes) {
        if self.len() == 0 {
            self.first = piece;
            return;
        }
        self.all.extend_from_slice(&std::mem::take(&mut self.first));
        self.all.extend_from_slice(&piece);
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.freeze() }
    }
}
