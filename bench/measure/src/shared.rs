//! What several threads do at once to something that they share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{Contender, Figure, run};

/// What a thread does over and over.
pub type Work = Box<dyn FnMut() + Send>;

/// A contender, made anew for each thread around what the threads share.
pub struct Shared {
    /// Its name in the table.
    pub name: &'static str,
    /// How many calls one piece of work makes.
    pub calls: u32,
    make: Box<dyn Fn() -> Work>,
}

impl Shared {
    /// `make` makes the work of a thread, which is one call.
    pub fn new(name: &'static str, make: impl Fn() -> Work + 'static) -> Shared {
        Shared { name, calls: 1, make: Box::new(make) }
    }

    /// The work is so many calls.
    pub fn of(self, calls: u32) -> Shared {
        Shared { calls, ..self }
    }

    /// The work of one more thread.
    pub fn work(&self) -> Work {
        (self.make)()
    }
}

/// Measures the first of so many threads that do the same all the time.
///
/// One contender after the other if there are several threads, because those of one would disturb the next. The machine needs as many cores.
pub fn run_shared(
    contenders: Vec<Shared>,
    threads: usize,
    batches: usize,
    batch: Duration,
) -> Vec<Figure> {
    if threads == 1 {
        let contender =
            |shared: &Shared| Contender::new(shared.name, shared.work()).of(shared.calls);
        return run(contenders.iter().map(contender).collect(), batches, batch);
    }
    let mut figures = Vec::new();
    for shared in contenders {
        let stop = Arc::new(AtomicBool::new(false));
        let others: Vec<_> = (1..threads)
            .map(|_| {
                let (mut work, stop) = (shared.work(), stop.clone());
                thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        (0..100).for_each(|_| work());
                    }
                })
            })
            .collect();
        let contender = Contender::new(shared.name, shared.work()).of(shared.calls);
        figures.extend(run(vec![contender], batches, batch));
        stop.store(true, Ordering::Relaxed);
        for other in others {
            other.join().expect("it does not panic");
        }
    }
    figures
}
