//! Thousands of random requests, and a random fault in the way of each of their attempts. All of it comes from one seed.

mod call;
mod desk;
mod fault;
mod judge;
mod worker;

use std::{
    env, fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use testkit::{full_or, is_full};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::resilience::httpx::{
    Random,
    faults::{
        call::{Call, Got},
        desk::Met,
        fault::Class,
        worker::Worker,
    },
    median, tell,
};

const RETRIES: u32 = 3;
const ATTEMPTS: usize = RETRIES as usize + 1;
const DELAY: Duration = Duration::from_millis(1);
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(150);

/// A busy machine may be this late; how late a quiet one is, a full run measures.
const SLACK: Duration = Duration::from_millis(250);

const HELLO: &str = "\"hello\"";
const SENT: &str = "charge 42 to customer 7";

/// `UNDERPIN_SEED`, in hexadecimal, is the seed of another run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_faults_double_nothing_and_are_in_time() {
    const WORKERS: usize = 8;
    let count = full_or(10_000, 1_000);
    let seed = env::var("UNDERPIN_SEED")
        .ok()
        .and_then(|seed| u64::from_str_radix(seed.trim_start_matches("0x"), 16).ok())
        .unwrap_or(0x0dd5_eed5);
    let mut random = Random(seed);
    let mut workers = Vec::new();
    for worker in 0..WORKERS {
        // A quarter of them speaks HTTP/2.
        workers.push(Worker::new(worker % 4 == 0).await);
    }
    let metronome = Arc::new(Metronome::default());
    let ticking = tokio::spawn(Arc::clone(&metronome).tick());
    let mut working = JoinSet::new();
    for worker in workers {
        let seeds = (0..count / WORKERS).map(|_| random.next()).collect();
        working.spawn(worker.work(seeds));
    }
    let mut total = Report::default();
    while let Some(report) = working.join_next().await {
        total = total.sum(report.expect("no panic"));
    }
    ticking.abort();
    tell(&format!(
        "faults, seed {seed:#x}: {total}; a timer alone was {:?} late in the median, {:?} at most",
        metronome.median(),
        metronome.worst()
    ));
    let shown = total.complaints.iter().take(20).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(
        total.complaints.is_empty(),
        "seed {seed:#x}, {} complaints:\n{shown}",
        total.complaints.len()
    );
    let late = total.late.iter().max().copied().unwrap_or_default();
    assert!(late <= SLACK + metronome.worst(), "{total}: {}", total.latest);
    // Else it has not tested what it says.
    assert!(total.disturbed * 20 < total.attempts, "{total}");
    assert!(total.unsent * 20 > total.attempts, "{total}");
    assert!(!total.late.is_empty(), "{total}");
    if is_full() {
        let ours = median(total.late.clone()).saturating_sub(metronome.median());
        assert!(ours <= Duration::from_millis(5), "{total}");
    }
}

#[derive(Default)]
struct Report {
    calls: usize,
    attempts: usize,
    unsent: usize,
    disturbed: usize,
    late: Vec<Duration>,
    /// The call that was.
    latest: String,
    complaints: Vec<String>,
}

impl Report {
    fn add(&mut self, call: &Call, met: &[Met], got: &Got) {
        self.calls += 1;
        self.attempts += met.len();
        let is_unsent = |met: &&Met| met.fault.class(call.terminal) == Class::NotSent;
        self.unsent += met.iter().filter(is_unsent).count();
        if let Some(late) = got.elapsed.checked_sub(call.deadline) {
            if self.late.iter().all(|other| late > *other) {
                self.latest = format!("{call:?}, met {met:?}");
            }
            self.late.push(late);
        }
    }

    fn sum(mut self, other: Report) -> Report {
        self.calls += other.calls;
        self.attempts += other.attempts;
        self.unsent += other.unsent;
        self.disturbed += other.disturbed;
        if other.late.iter().max() > self.late.iter().max() {
            self.latest = other.latest;
        }
        self.late.extend(other.late);
        self.complaints.extend(other.complaints);
        self
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} calls, {} attempts, {} of them provably unsent; {} disturbed; {} ended by their deadline, {:?} late in the median, {:?} at most",
            self.calls,
            self.attempts,
            self.unsent,
            self.disturbed,
            self.late.len(),
            median(self.late.clone()),
            self.late.iter().max().copied().unwrap_or_default()
        )
    }
}

/// A timer beside the others, which knows when it is the machine that is late.
#[derive(Default)]
struct Metronome(Mutex<Vec<Duration>>);

impl Metronome {
    async fn tick(self: Arc<Self>) {
        const TICK: Duration = Duration::from_millis(5);
        loop {
            let begin = Instant::now();
            sleep(TICK).await; // sleep-ok: it measures the timer
            let late = begin.elapsed().saturating_sub(TICK);
            self.lates().push(late);
        }
    }

    fn lates(&self) -> MutexGuard<'_, Vec<Duration>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn worst(&self) -> Duration {
        self.lates().iter().max().copied().unwrap_or_default()
    }

    fn median(&self) -> Duration {
        median(self.lates().clone())
    }
}
