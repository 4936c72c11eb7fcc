//! Times and allocations of contenders, interleaved in one run.
//!
//! Contenders take turns, batch by batch, so that a machine that slows down slows all of them; a figure is the median of the batches.
//! Clocks on shared machines are noisy, so read the ratios, and the allocations, which are exact.

mod instructions;
mod shared;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    hint::black_box,
    time::{Duration, Instant},
};

pub use crate::{
    instructions::{Limits, instructions},
    shared::{Shared, Work, run_shared},
};

/// Counts allocations of the current thread; a benchmark makes it its global allocator.
#[derive(Debug)]
pub struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[expect(unsafe_code, reason = "a global allocator cannot be written without")]
// SAFETY: every call goes to the system allocator unchanged; counting touches a `Cell` that needs neither allocation nor drop.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// The allocations that `work` makes on this thread, with [`Counting`] as the global allocator.
pub fn allocations<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = ALLOCATIONS.with(Cell::get);
    let value = work();
    (value, ALLOCATIONS.with(Cell::get) - before)
}

/// Something to measure.
pub struct Contender<'a> {
    /// Its name in the table.
    pub name: &'a str,
    work: Box<dyn FnMut() + 'a>,
    calls: u32,
}

/// What was measured.
#[derive(Debug, Clone)]
pub struct Figure {
    /// The contender's name.
    pub name: String,
    /// Median time of one call.
    pub time: Duration,
    /// Picoseconds of one call, for figures below a nanosecond's resolution.
    pub picos: u128,
    /// Allocations of one call.
    pub allocations: u64,
}

impl<'a> Contender<'a> {
    /// `work` is called over and over; what it returns is not optimised away.
    pub fn new<T>(name: &'a str, mut work: impl FnMut() -> T + 'a) -> Contender<'a> {
        Contender { name, work: Box::new(move || drop(black_box(work()))), calls: 1 }
    }

    /// `work` makes so many calls each time, and the figures are those of one: for calls that are about as short as calling `work`.
    pub fn of(self, calls: u32) -> Contender<'a> {
        Contender { calls, ..self }
    }
}

/// Runs all contenders in turns: `batches` of about `batch` each.
pub fn run(mut contenders: Vec<Contender<'_>>, batches: usize, batch: Duration) -> Vec<Figure> {
    let sizes: Vec<u32> =
        contenders.iter_mut().map(|contender| calls_in(batch, &mut *contender.work)).collect();
    let mut samples: Vec<Vec<u128>> = vec![Vec::with_capacity(batches); contenders.len()];
    for round in 0..batches {
        for turn in 0..contenders.len() {
            // Nobody always comes after the same neighbour's caches.
            let index = (turn + round) % contenders.len();
            let started = Instant::now();
            for _ in 0..sizes[index] {
                (contenders[index].work)();
            }
            samples[index].push(started.elapsed().as_nanos() * 1000 / u128::from(sizes[index]));
        }
    }
    contenders
        .iter_mut()
        .zip(samples)
        .map(|(contender, mut samples)| {
            samples.sort_unstable();
            let picos = samples[samples.len() / 2] / u128::from(contender.calls);
            let ((), allocations) = allocations(&mut *contender.work);
            let allocations = allocations / u64::from(contender.calls);
            Figure {
                name: contender.name.to_owned(),
                time: Duration::from_nanos(u64::try_from(picos / 1000).unwrap_or(u64::MAX)),
                picos,
                allocations,
            }
        })
        .collect()
}

fn calls_in(batch: Duration, work: &mut dyn FnMut()) -> u32 {
    let mut calls = 1_u32;
    loop {
        let started = Instant::now();
        for _ in 0..calls {
            work();
        }
        let elapsed = started.elapsed();
        if elapsed >= batch / 2 || calls >= 1 << 28 {
            let scale = batch.as_secs_f64() / elapsed.as_secs_f64().max(1e-9);
            return ((f64::from(calls) * scale) as u32).max(1);
        }
        calls *= 2;
    }
}

/// Prints a table with ratios to the first figure.
pub fn print(title: &str, figures: &[Figure]) {
    println!("\n{title}\n");
    println!("{:<34} {:>12} {:>9} {:>12}", "", "time", "ratio", "allocations");
    for figure in figures {
        let ratio = figure.picos as f64 / figures[0].picos.max(1) as f64;
        println!(
            "{:<34} {:>12} {:>8.2}x {:>12}",
            figure.name,
            time(figure.picos),
            ratio,
            figure.allocations
        );
    }
}

fn time(picos: u128) -> String {
    let nanos = picos as f64 / 1e3;
    if nanos < 1e3 { format!("{nanos:.1} ns") } else { format!("{:.2} us", nanos / 1e3) }
}
