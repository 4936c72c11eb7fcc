//! Rate limiters: what the cases ask of them.

use std::{future::Future, pin::Pin, time::Duration};

use crate::{
    report::{Column, Suite},
    verdict::{Case, Stop},
};

mod calls;
mod cases;
mod clock;
mod peers;

/// A crate that has rate limiters. Time is tokio's, which most cases pause.
pub trait Contender: Sync {
    /// A limiter of this quota, or why there is none.
    fn limiter(&self, quota: Quota) -> Result<Box<dyn Limiter>, Stop>;

    /// Two limits that are asked at once: one of a single request a second, and one of ten.
    fn both(&self) -> Result<Box<dyn Both>, Stop> {
        Err(Stop::Cannot("several limits are asked one after the other"))
    }
}

/// A limiter; the cases know nothing else of it.
pub trait Limiter: Send + Sync {
    /// Asks for so many at once, for a key.
    fn check(&self, key: u64, n: u32) -> Result<Answer, Stop>;

    /// The same, with a clock that is this much behind.
    fn check_behind(&self, _key: u64, _behind: Duration) -> Result<Answer, Stop> {
        Err(Stop::Cannot("it reads the clock itself"))
    }

    /// How many keys it keeps.
    fn kept(&self) -> Result<usize, Stop> {
        Err(Stop::Cannot("it has no keys"))
    }

    /// Waits until so many are granted, but not longer than `within`.
    fn wait(&self, _n: u32, _within: Option<Duration>) -> Result<Wait, Stop> {
        Err(Stop::Cannot("it does not wait"))
    }
}

/// Whether they were granted, and not too late.
pub type Wait = Pin<Box<dyn Future<Output = bool> + Send>>;

/// Two limits that are asked at once.
pub trait Both {
    /// Asks both.
    fn ask(&self) -> bool;

    /// Asks the second one alone.
    fn ask_second(&self) -> bool;
}

/// What a limiter says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Granted,
    /// No, and when it is worth asking again, if it tells.
    Denied(Option<Duration>),
    /// No, and it never will.
    Never,
}

/// So many in a time.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// How they are counted.
    pub kind: Kind,
    /// So many.
    pub count: u32,
    /// In this time.
    pub time: Duration,
    /// At once, for [`Kind::Smooth`].
    pub burst: u32,
    /// Room for so many keys; `None`: there is one.
    pub keys: Option<usize>,
}

/// How requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A bucket that fills at a rate: GCRA, a token bucket.
    Smooth,
    /// Never more than the count in any window.
    Window,
}

impl Quota {
    /// A bucket of `burst` that fills with `count` a second.
    pub fn smooth(count: u32, burst: u32) -> Quota {
        let time = Duration::from_secs(1);
        Quota { kind: Kind::Smooth, count, time, burst, keys: None }
    }

    /// So many in every second.
    pub fn window(count: u32) -> Quota {
        let time = Duration::from_secs(1);
        Quota { kind: Kind::Window, count, time, burst: count, keys: None }
    }

    /// With room for so many keys.
    pub fn keys(self, keys: usize) -> Quota {
        Quota { keys: Some(keys), ..self }
    }
}

/// All cases whose names contain `wanted`, or all.
pub fn suite(wanted: &str) -> Option<Suite<dyn Contender>> {
    let is_wanted = |case: &Case<dyn Contender>| wanted == "limiters" || case.name.contains(wanted);
    let cases: Vec<_> = cases::all().into_iter().filter(is_wanted).collect();
    let contenders: Vec<Column<dyn Contender>> = peers::all();
    (!cases.is_empty()).then_some(Suite { title: "rate limiters", cases, contenders })
}
