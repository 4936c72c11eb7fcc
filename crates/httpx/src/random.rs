//! What is left to chance.

use std::{collections::hash_map::RandomState, hash::BuildHasher as _, time::Duration};

/// 128 bits, in hexadecimal.
pub(crate) fn key() -> String {
    // std's hasher is keyed by the system's randomness, which is not so good for secrets and good enough to be unique.
    let (high, low) = (RandomState::new().hash_one(0), RandomState::new().hash_one(1));
    format!("{high:016x}{low:016x}")
}

/// Anything from nothing to this.
pub(crate) fn up_to(time: Duration) -> Duration {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX - 1);
    Duration::from_nanos(RandomState::new().hash_one(0) % (nanos + 1))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keys_differ() {
        let keys: HashSet<_> = (0..10_000).map(|_| key()).collect();
        assert_eq!(keys.len(), 10_000);
        assert!(keys.iter().all(|key| key.len() == 32));
    }
}
