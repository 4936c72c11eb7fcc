//! Names that nobody else has.

use std::hash::{BuildHasher as _, RandomState};

/// 128 random bits in hexadecimal. Each `RandomState` has keys of its own, from the operating system's source.
pub(crate) fn name() -> String {
    let bits = || RandomState::new().hash_one(0_u8);
    format!("{:016x}{:016x}", bits(), bits())
}
