//! A limiter's settings.

use std::borrow::Cow;

use crate::{limit::Limit, limiter::Limiter, table::WhenFull};

/// Settings of a limiter: [`Limiter::builder`].
#[derive(Debug, Clone)]
#[must_use = "nothing is made before `build`"]
pub struct Builder {
    limit: Limit,
    name: Cow<'static, str>,
    keys: usize,
    when_full: WhenFull,
}

impl Builder {
    pub(crate) fn new(limit: Limit) -> Builder {
        Builder { limit, name: "default".into(), keys: 100_000, when_full: WhenFull::default() }
    }

    /// How many keys it has room for at once: 100,000 unless set.
    ///
    /// A key takes room while its state is not as good as new. So many always find room, but for one in seven billion; up to 45 % more may.
    /// A key takes at most 24 bytes, 59 with [`Limit::window`]; the least is 4 KiB, or 10 KiB.
    ///
    /// # Panics
    ///
    /// With 0.
    #[track_caller]
    pub fn keys(mut self, keys: usize) -> Builder {
        assert!(keys > 0, "there is no room for 0 keys: give 1 or more");
        self.keys = keys;
        self
    }

    /// Its name in errors, events and headers: `default` unless set. Each denial carries it: a `&'static str` costs nothing then, a `String` is copied.
    ///
    /// # Panics
    ///
    /// When it is empty, or has a character that cannot stand in a header's string: anything but printable ASCII, `"` and `\`.
    #[track_caller]
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Builder {
        let name = name.into();
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        assert!(
            !name.is_empty() && name.bytes().all(is_plain),
            "the name {name:?} cannot stand in a header: use printable ASCII without quotes and backslashes"
        );
        self.name = name;
        self
    }

    /// What to do with a new key when there is no room: deny it, unless set.
    pub fn when_full(mut self, when_full: WhenFull) -> Builder {
        self.when_full = when_full;
        self
    }

    /// Makes it.
    #[must_use]
    pub fn build(self) -> Limiter {
        Limiter::with(self.limit, self.name, self.keys, self.when_full)
    }
}
