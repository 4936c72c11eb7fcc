//! One cache line a thread, so that threads do not wait for each other's.

use std::{
    cell::Cell,
    num::NonZero,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// Two lines of 64 bytes, because processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

/// How many shards make it unlikely that two busy threads share one: a power of two, at most 128.
pub(crate) fn shard_count() -> usize {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    (threads * 4).next_power_of_two().min(128)
}

/// A number of the current thread; threads that start one after the other get neighbouring ones.
pub(crate) fn thread_number() -> usize {
    const UNSET: usize = usize::MAX;
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        // Without a destructor it can be read while the thread ends, when guards are still dropped.
        static NUMBER: Cell<usize> = const { Cell::new(UNSET) };
    }
    NUMBER.with(|number| {
        if number.get() == UNSET {
            number.set(NEXT.fetch_add(1, Ordering::Relaxed) & (UNSET >> 1));
        }
        number.get()
    })
}
