//! A rate limit of our own for each host, where the feature is on, and nothing where it is not.

#[cfg(feature = "ratelimit")]
pub(crate) use with::{Pace, Place};
#[cfg(not(feature = "ratelimit"))]
pub(crate) use without::{Pace, Place};

#[cfg(feature = "ratelimit")]
mod with {
    use std::{fmt, time::Duration};

    use underpin_ratelimit::{Denied, Granted, Limiter};

    /// The limit, if there is one.
    #[derive(Debug, Default)]
    pub(crate) struct Pace(pub(crate) Option<Limiter>);

    /// What was granted, until it is used.
    #[derive(Debug, Default)]
    pub(crate) struct Place(Option<Granted>);

    impl Pace {
        pub(crate) fn is_set(&self) -> bool {
            self.0.is_some()
        }

        /// Waits for a place, and fails at once if it comes too late.
        pub(crate) async fn take(&self, host: &str, within: Duration) -> Result<Place, Denied> {
            let Some(limiter) = &self.0 else { return Ok(Place::default()) };
            limiter.acquire(host, within).await.map(|granted| Place(Some(granted)))
        }

        /// A place that is free at once, if there is one.
        pub(crate) fn take_now(&self, host: &str) -> Option<Place> {
            let Some(limiter) = &self.0 else { return Some(Place::default()) };
            limiter.check(host).ok().map(|granted| Place(Some(granted)))
        }

        /// It was not used.
        pub(crate) fn give_back(&self, place: Place) {
            if let (Some(limiter), Some(granted)) = (&self.0, place.0) {
                limiter.refund(granted);
            }
        }
    }

    impl fmt::Display for Pace {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let Some(limiter) = &self.0 else { return f.write_str("none") };
            let limit = limiter.limit();
            write!(
                f,
                "'{}', {} in {:?} for each host",
                limiter.name(),
                limit.requests(),
                limit.time()
            )
        }
    }
}

#[cfg(not(feature = "ratelimit"))]
mod without {
    use std::{convert::Infallible, fmt, time::Duration};

    #[derive(Debug, Default)]
    pub(crate) enum Pace {
        #[default]
        None,
    }

    #[derive(Debug, Default)]
    pub(crate) enum Place {
        #[default]
        None,
    }

    #[expect(clippy::unused_self, reason = "as with the feature")]
    impl Pace {
        pub(crate) fn is_set(&self) -> bool {
            false
        }

        #[expect(clippy::unused_async, reason = "as with the feature")]
        pub(crate) async fn take(
            &self,
            _host: &str,
            _within: Duration,
        ) -> Result<Place, Infallible> {
            Ok(Place::None)
        }

        #[expect(clippy::unnecessary_wraps, reason = "as with the feature")]
        pub(crate) fn take_now(&self, _host: &str) -> Option<Place> {
            Some(Place::None)
        }

        pub(crate) fn give_back(&self, _: Place) {}
    }

    impl fmt::Display for Pace {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("none")
        }
    }
}
