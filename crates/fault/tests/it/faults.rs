//! Faults for property tests.

use std::{error::Error, fmt, time::Duration};

use proptest::{option, prelude::*, sample::select};
use underpin_fault::{Classify, Fault, Kind, Retry};

/// A fault of any kind, with any retry.
#[derive(Debug, Clone, Copy)]
struct Any(Kind, Retry);

impl fmt::Display for Any {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any")
    }
}

impl Error for Any {}

impl Classify for Any {
    fn kind(&self) -> Kind {
        self.0
    }

    fn code(&self) -> &'static str {
        "any.code-1"
    }

    fn retry(&self) -> Retry {
        self.1
    }
}

pub(crate) fn any_fault() -> impl Strategy<Value = Fault> {
    let delays =
        (0..86_400_u64, 0..1_000_000_000_u32).prop_map(|(secs, nanos)| Duration::new(secs, nanos));
    let retries =
        prop_oneof![Just(Retry::Never), Just(Retry::Backoff), delays.prop_map(Retry::After)];
    (select(Kind::ALL.as_slice()), retries, option::of(400..600_u16)).prop_map(
        |(kind, retry, status)| {
            let fault = Fault::from(Any(kind, retry)).message("text");
            status.into_iter().fold(fault, Fault::status)
        },
    )
}
