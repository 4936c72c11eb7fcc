//! Checks that the registry runs itself.

use std::{
    fmt::Display,
    hash::{BuildHasher as _, RandomState},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use tokio::time::{sleep, timeout};

use crate::{
    component::{Component, Weight},
    damper::{Damper, Rule},
    registry::Registry,
};

/// The first runs are spread over at most this long, so that checks and replicas do not all ask at once.
const MAX_FIRST_DELAY: Duration = Duration::from_secs(1);
/// A result this many intervals old is a failure.
const MAX_AGE: u32 = 3;

/// The loop of one check, to be spawned by `run`.
pub(crate) type Runner = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A check that is being described, from [`Health::check`](crate::Health::check); [`register`](Self::register) ends it.
#[must_use = "a check exists once it is registered"]
#[derive(Debug)]
pub struct CheckBuilder<F> {
    registry: Registered,
    name: String,
    run: F,
    weight: Weight,
    startup: bool,
    every: Duration,
    timeout: Duration,
    fail_after: u32,
    among: Option<u32>,
    recover_after: u32,
}

impl<F> CheckBuilder<F> {
    pub(crate) fn new(registry: Arc<Registry>, name: String, run: F) -> Self {
        Self {
            registry: Registered(registry),
            name,
            run,
            weight: Weight::Critical,
            startup: false,
            every: Duration::from_secs(10),
            timeout: Duration::from_secs(2),
            fail_after: 2,
            among: None,
            recover_after: 1,
        }
    }

    /// Startup waits for its first success.
    pub fn startup(mut self) -> Self {
        self.startup = true;
        self
    }

    /// What it means for readiness that it is down; [`Weight::Critical`] if not said.
    pub fn weight(mut self, weight: Weight) -> Self {
        self.weight = weight;
        self
    }

    /// The pause between the end of a run and the start of the next, give or take 10 %; 10 s if not said.
    ///
    /// A result older than three times this is a failure.
    pub fn every(mut self, every: Duration) -> Self {
        self.every = every;
        self
    }

    /// A run that takes longer has failed, and its future is dropped; 2 s if not said, and never more than the interval.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// So many failures in a row are down; 2 if not said. The very first run decides alone.
    pub fn fail_after(mut self, failures: u32) -> Self {
        self.fail_after = failures;
        self
    }

    /// Counts the failures among this many of the last runs, at most 64, in place of a row: what flaps is down too.
    pub fn among(mut self, runs: u32) -> Self {
        self.among = Some(runs);
        self
    }

    /// So many successes in a row are up again; 1 if not said.
    pub fn recover_after(mut self, successes: u32) -> Self {
        self.recover_after = successes;
        self
    }

    /// Adds it. It runs when [`Health::run`](crate::Health::run) does.
    ///
    /// # Panics
    ///
    /// Panics if the name is taken, an interval, timeout or count is zero, or more failures are asked for than runs are
    /// counted.
    pub fn register<Fut, E>(self)
    where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + 'static,
    {
        let among = self.among.unwrap_or(self.fail_after);
        let name = self.name;
        assert!(!self.every.is_zero(), "{name:?} has no interval: say every(...) above zero");
        assert!(
            !self.timeout.is_zero(),
            "{name:?} has no time to run: say timeout(...) above zero"
        );
        assert!(
            self.fail_after > 0,
            "{name:?} would fail without a failure: say fail_after(1) or more"
        );
        assert!(
            self.recover_after > 0,
            "{name:?} would recover without a success: say recover_after(1) or more"
        );
        assert!(among <= 64, "{name:?} counts {among} runs: at most 64 are kept");
        assert!(
            self.fail_after <= among,
            "{name:?} needs {} failures among {among} runs",
            self.fail_after
        );

        let registry = self.registry.0;
        let component = registry.check(name, self.every.saturating_mul(MAX_AGE));
        component.set_weight(self.weight);
        if self.startup {
            component.set_startup();
        }
        let pace = Pace { every: self.every, timeout: self.timeout.min(self.every) };
        let rule = Rule { fail_after: self.fail_after, among, recover_after: self.recover_after };
        let runner = drive(Arc::downgrade(&registry), component, pace, Damper::new(rule), self.run);
        registry.queue(Box::pin(runner));
    }
}

/// Keeps the registry out of `Debug`.
struct Registered(Arc<Registry>);

impl std::fmt::Debug for Registered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("_")
    }
}

struct Pace {
    every: Duration,
    timeout: Duration,
}

/// Runs never overlap, because this loop is the only one that starts them.
///
/// It does not own the registry, which holds it until it is spawned.
async fn drive<F, Fut, E>(
    registry: std::sync::Weak<Registry>,
    component: Arc<Component>,
    pace: Pace,
    mut damper: Damper,
    mut run: F,
) where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<(), E>>,
    E: Display,
{
    sleep(pace.every.min(MAX_FIRST_DELAY).mul_f64(random())).await;
    loop {
        let result = run_once(&mut run, pace.timeout).await;
        let Some(registry) = registry.upgrade() else { return };
        let now = registry.now();
        let state = damper.observe(result.is_ok());
        component.set(state, now, &result.err().unwrap_or_default());
        registry.refresh(now);
        drop(registry);
        sleep(pace.every.mul_f64(0.9 + 0.2 * random())).await;
    }
}

async fn run_once<F, Fut, E>(run: &mut F, limit: Duration) -> Result<(), String>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<(), E>>,
    E: Display,
{
    // The call and the rendering of the error are inside, so that a panic in either is a result like any other.
    let mut attempt = pin!(async { run().await.map_err(|error| error.to_string()) });
    let caught = std::future::poll_fn(|cx| {
        match catch_unwind(AssertUnwindSafe(|| attempt.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(result)) => Poll::Ready(result),
            Err(panic) => Poll::Ready(Err(format!("panicked: {}", message(&*panic)))),
        }
    });
    timeout(limit, caught).await.unwrap_or_else(|_| Err(format!("timed out after {limit:?}")))
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// A number from 0 up to 1. Each `RandomState` has keys of its own, which is random enough to spread load.
fn random() -> f64 {
    let bits = u32::try_from(RandomState::new().hash_one(0_u8) >> 32).unwrap_or(0);
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}
