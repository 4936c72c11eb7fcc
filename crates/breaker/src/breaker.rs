//! The breaker.

use std::{
    borrow::Cow,
    fmt,
    future::IntoFuture,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    builder::Builder,
    call::Call,
    change::{Change, OnChange, tell},
    circuit::{Circuit, Refusal, Step, Ticket},
    permit::{Outcome, OwnedPermit, Permit, Recorded},
    rejected::{Error, Rejected},
    rules::Rules,
    sync::{AtomicU32, Ordering},
    words::{Kind, Tick},
};

/// Stops calls to a dependency that fails, and lets a few through after a while to see whether it still does.
///
/// It is *closed* while calls go through. It *opens* after 5 failures in a row, unless set otherwise, and rejects calls for 30 s without making
/// them. Then it is *half-open*: one call at a time goes through, 3 successes close it, and a failure opens it again.
///
/// The result of a call counts for the stay in a state in which the call began. What comes later is [`Stale`](Recorded::Stale), so that no
/// straggler opens or closes anything.
///
/// Clones are the same breaker. There is no lock and no timer. While all goes well, a call reads two words that nobody writes, and no clock; with
/// [`Trip::over`](crate::Trip::over), it reads the clock and writes one.
#[derive(Clone)]
pub struct Breaker {
    shared: Arc<Shared>,
}

struct Shared {
    circuit: Circuit,
    /// How many isolations there are, and [`DISABLED`].
    manual: AtomicU32,
    epoch: Instant,
    slow: Option<Duration>,
    name: Cow<'static, str>,
    on_change: Option<OnChange>,
}

const DISABLED: u32 = 1 << 31;

/// What a breaker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Calls go through.
    Closed,
    /// Calls are rejected, for a time.
    Open,
    /// A few calls go through, to see.
    HalfOpen,
    /// Calls are rejected, as long as an [`Isolation`] lives.
    Isolated,
    /// Calls go through, and nothing is counted.
    Disabled,
}

/// What a breaker looks like at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Its state.
    pub state: State,
    /// How often that has changed.
    pub generation: u32,
    /// Failures in a row since.
    pub failures: u64,
    /// When it is worth asking again, if it is open.
    pub retry_in: Option<Duration>,
}

impl Breaker {
    /// One with the usual settings: 5 failures in a row, 30 s, 3 successes, one probe at a time.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>) -> Breaker {
        Breaker::builder(name).build()
    }

    /// One with settings of its own. Each rejection carries the name: a `&'static str` costs nothing then, a `String` is copied.
    pub fn builder(name: impl Into<Cow<'static, str>>) -> Builder {
        Builder::new(name.into())
    }

    pub(crate) fn with(
        name: Cow<'static, str>,
        rules: Rules,
        slow: Option<Duration>,
        on_change: Option<OnChange>,
    ) -> Breaker {
        let shared = Shared {
            circuit: Circuit::new(rules),
            manual: AtomicU32::new(0),
            epoch: Instant::now(),
            slow,
            name,
            on_change,
        };
        Breaker { shared: Arc::new(shared) }
    }

    /// Makes a call, if it may. Nothing is decided before the first poll, and a rejected future is not polled.
    ///
    /// An `Err` is a failure, unless [`Call::classify`] says otherwise.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] without a call, [`Error::Inner`] after one.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the call, which is neutral, or slow: see [`Permit`].
    pub fn call<F, T, E>(&self, call: F) -> Call<'_, F::IntoFuture>
    where
        F: IntoFuture<Output = Result<T, E>>,
    {
        Call::new(self, call.into_future())
    }

    /// Makes a blocking call, if it may.
    ///
    /// # Errors
    ///
    /// As [`call`](Breaker::call).
    pub fn run<T, E>(&self, call: impl FnOnce() -> Result<T, E>) -> Result<T, Error<E>> {
        let permit = self.try_acquire().map_err(Error::Rejected)?;
        let result = call();
        permit.record(if result.is_ok() { Outcome::Success } else { Outcome::Failure });
        result.map_err(Error::Inner)
    }

    /// Permission for a call that is made and recorded by hand.
    ///
    /// # Errors
    ///
    /// When there is none.
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit<'_>, Rejected> {
        self.acquire(None)
    }

    /// The same, at a time of the caller's: for tests.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn try_acquire_at(&self, now: Instant) -> Result<Permit<'_>, Rejected> {
        self.acquire(Some(now))
    }

    /// Permission that holds the breaker, for a call that outlives the reference.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn try_acquire_owned(&self) -> Result<OwnedPermit, Rejected> {
        self.acquire(None).map(Permit::into_owned)
    }

    #[inline]
    fn acquire(&self, now: Option<Instant>) -> Result<Permit<'_>, Rejected> {
        if self.shared.manual.load(Ordering::Acquire) != 0 {
            return self.acquire_manual(now);
        }
        // The usual case is all that is worth having in the caller's own code.
        if let Some(ticket) = self.shared.circuit.admit_closed() {
            let began = self.shared.slow.map(|_| now.unwrap_or_else(Instant::now));
            return Ok(Permit::new(self, Some(ticket), began));
        }
        self.acquire_open(now)
    }

    #[cold]
    fn acquire_manual(&self, now: Option<Instant>) -> Result<Permit<'_>, Rejected> {
        match self.manual() {
            Some(State::Disabled) => Ok(Permit::new(self, None, None)),
            Some(state) => Err(self.rejected(state, None)),
            None => self.acquire_open(now),
        }
    }

    #[inline(never)]
    fn acquire_open(&self, now: Option<Instant>) -> Result<Permit<'_>, Rejected> {
        let now = now.unwrap_or_else(Instant::now);
        let tick = self.tick(now);
        // Nearly all who come here are turned away: nothing else is on their way.
        match self.shared.circuit.refuse_open(tick) {
            Some(refusal) => Err(self.refused(refusal)),
            None => self.acquire_probe(now, tick),
        }
    }

    #[cold]
    fn acquire_probe(&self, now: Instant, tick: Tick) -> Result<Permit<'_>, Rejected> {
        let (admitted, step) = self.shared.circuit.admit(tick);
        self.tell(step);
        let began = self.shared.slow.map(|_| now);
        admitted
            .map(|ticket| Permit::new(self, Some(ticket), began))
            .map_err(|refusal| self.refused(refusal))
    }

    fn refused(&self, refusal: Refusal) -> Rejected {
        self.rejected(refusal.kind.into(), Some(Duration::from_millis(refusal.retry_in)))
    }

    fn rejected(&self, state: State, retry_in: Option<Duration>) -> Rejected {
        Rejected { name: self.shared.name.clone(), state, retry_in }
    }

    #[inline]
    pub(crate) fn record(
        &self,
        ticket: Ticket,
        outcome: Outcome,
        began: Option<Instant>,
        now: Option<Instant>,
    ) -> Recorded {
        let circuit = &self.shared.circuit;
        let is_plain = began.is_none() && !ticket.is_probe && !circuit.needs_time();
        if outcome == Outcome::Success && is_plain {
            return circuit.record_success(ticket);
        }
        self.record_slowly(ticket, outcome, began, now)
    }

    #[inline(never)]
    fn record_slowly(
        &self,
        ticket: Ticket,
        outcome: Outcome,
        began: Option<Instant>,
        now: Option<Instant>,
    ) -> Recorded {
        let circuit = &self.shared.circuit;
        if outcome == Outcome::Ignore {
            circuit.abandon(ticket);
            return Recorded::Ignored;
        }
        let now = now.unwrap_or_else(Instant::now);
        let is_slow = match (self.shared.slow, began) {
            (Some(slow), Some(began)) => now.saturating_duration_since(began) >= slow,
            _ => false,
        };
        let outcome = match outcome {
            Outcome::Success if is_slow => Outcome::Failure,
            outcome => outcome,
        };
        let (recorded, step) = circuit.record(ticket, outcome, self.tick(now));
        self.tell(step);
        recorded
    }

    /// The permit was dropped.
    #[cold]
    pub(crate) fn give_up(&self, ticket: Ticket, began: Option<Instant>) {
        let took = began.map(|began| began.elapsed());
        let is_slow = took.zip(self.shared.slow).is_some_and(|(took, slow)| took >= slow);
        if thread::panicking() || is_slow {
            self.record(ticket, Outcome::Failure, None, None);
        } else {
            self.shared.circuit.abandon(ticket);
        }
    }

    /// Its state. One that is open stays so until somebody calls, also when its time is up.
    #[must_use]
    pub fn state(&self) -> State {
        self.manual().unwrap_or_else(|| self.shared.circuit.state().kind.into())
    }

    /// What it looks like now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let word = self.shared.circuit.state();
        let state = self.manual().unwrap_or_else(|| word.kind.into());
        let left = word.tick.saturating_sub(self.tick(Instant::now()));
        let retry_in = (state == State::Open).then(|| Duration::from_millis(left));
        let (generation, failures) = (word.generation.number(), self.shared.circuit.streak());
        Snapshot { state, generation, failures, retry_in }
    }

    /// The name it was made with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Rejects all calls as long as one of these guards lives: an operator's switch. What is counted is kept.
    pub fn isolate(&self) -> Isolation {
        let before = self.state();
        self.shared.manual.fetch_add(1, Ordering::AcqRel);
        self.tell_manual(before);
        Isolation { breaker: self.clone() }
    }

    /// Lets all calls through and counts nothing, or no longer so. An [`isolate`](Breaker::isolate) is stronger.
    pub fn disable(&self, disabled: bool) {
        let before = self.state();
        if disabled {
            self.shared.manual.fetch_or(DISABLED, Ordering::AcqRel);
        } else {
            self.shared.manual.fetch_and(!DISABLED, Ordering::AcqRel);
        }
        self.tell_manual(before);
    }

    /// Closes it and forgets all failures. Calls that are under way have no say any more.
    pub fn reset(&self) {
        let step = self.shared.circuit.reset(self.tick(Instant::now()));
        self.tell(step);
    }

    fn manual(&self) -> Option<State> {
        match self.shared.manual.load(Ordering::Acquire) {
            0 => None,
            DISABLED => Some(State::Disabled),
            _ => Some(State::Isolated),
        }
    }

    /// Milliseconds since it was made; a clock that goes back is one that stands still.
    fn tick(&self, now: Instant) -> Tick {
        let since = now.saturating_duration_since(self.shared.epoch);
        since.as_secs().saturating_mul(1000).saturating_add(since.subsec_millis().into())
    }

    fn tell(&self, step: Option<Step>) {
        if let Some(Step { from, to, failures }) = step {
            self.tell_change(from.into(), to.kind.into(), to.generation.number(), failures);
        }
    }

    fn tell_manual(&self, from: State) {
        let to = self.state();
        if from != to {
            self.tell_change(from, to, self.shared.circuit.state().generation.number(), 0);
        }
    }

    fn tell_change(&self, from: State, to: State, generation: u32, failures: u64) {
        let name = self.shared.name.clone();
        tell(self.shared.on_change.as_ref(), &Change { name, from, to, generation, failures });
    }

    /// Nobody holds it but the one who asks, it is closed, and nothing has failed.
    pub(crate) fn is_spare(&self) -> bool {
        Arc::strong_count(&self.shared) == 1
            && self.state() == State::Closed
            && self.shared.circuit.is_clean(self.tick(Instant::now()))
    }
}

/// Keeps a breaker from letting anything through, until it is dropped: [`Breaker::isolate`].
#[must_use = "the breaker is isolated as long as this lives"]
#[derive(Debug)]
pub struct Isolation {
    breaker: Breaker,
}

impl Drop for Isolation {
    fn drop(&mut self) {
        let before = self.breaker.state();
        self.breaker.shared.manual.fetch_sub(1, Ordering::AcqRel);
        self.breaker.tell_manual(before);
    }
}

impl From<Kind> for State {
    fn from(kind: Kind) -> State {
        match kind {
            Kind::Closed => State::Closed,
            Kind::Open => State::Open,
            Kind::HalfOpen => State::HalfOpen,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Closed => "closed",
            State::Open => "open",
            State::HalfOpen => "half-open",
            State::Isolated => "isolated",
            State::Disabled => "disabled",
        })
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker")
            .field("name", &self.name())
            .field("snapshot", &self.snapshot())
            .finish_non_exhaustive()
    }
}
