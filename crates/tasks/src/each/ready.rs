//! Which operations were woken, and whether the task that polls them knows: one bit each, and one bell for all.

use std::task::{Wake, Waker};

#[cfg(underpin_loom)]
use loom::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use std::sync::{Arc, PoisonError};
#[cfg(not(underpin_loom))]
use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// Bits in a word.
pub(super) const WORD: usize = 64;

/// Wakes the polling task once for any number of wakes since it last listened.
pub(super) struct Bell {
    rung: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Bell {
    pub(super) fn new() -> Bell {
        // Rung until somebody listens, so that no wake looks for a waker that is not there yet.
        Bell { rung: AtomicBool::new(true), waker: Mutex::new(None) }
    }

    /// The caller reads the words *after* this: a bit that it misses is one whose wake finds the bell unrung, and rings it.
    pub(super) fn listen(&self, waker: &Waker) {
        {
            let mut current = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
            if !current.as_ref().is_some_and(|current| current.will_wake(waker)) {
                *current = Some(waker.clone());
            }
        }
        self.rung.swap(false, Ordering::AcqRel);
    }

    fn ring(&self) {
        if self.rung.swap(true, Ordering::AcqRel) {
            return;
        }
        // Woken outside of the lock: a waker is somebody else's code.
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The bits of 64 neighbouring slots.
pub(super) struct Word {
    woken: AtomicU64,
    bell: Arc<Bell>,
}

impl Word {
    pub(super) fn new(bell: Arc<Bell>) -> Word {
        Word { woken: AtomicU64::new(0), bell }
    }

    /// The bits of `mask` that were set, which are clear from now on.
    pub(super) fn take(&self, mask: u64) -> u64 {
        // A read alone keeps the line shared where nothing was woken, which is most of them; `listen` has made it current.
        if self.woken.load(Ordering::Relaxed) & mask == 0 {
            return 0;
        }
        self.woken.fetch_and(!mask, Ordering::AcqRel) & mask
    }

    /// Sets bits again without ringing, for the task that took them.
    pub(super) fn put_back(&self, bits: u64) {
        self.woken.fetch_or(bits, Ordering::Release);
    }

    fn wake(&self, bit: usize) {
        self.woken.fetch_or(1 << bit, Ordering::Release);
        self.bell.ring();
    }
}

/// The waker of one slot.
pub(super) struct BitWaker {
    word: Arc<Word>,
    bit: usize,
}

impl BitWaker {
    pub(super) fn new(word: Arc<Word>, bit: usize) -> BitWaker {
        BitWaker { word, bit }
    }
}

impl Wake for BitWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.word.wake(self.bit);
    }
}

#[cfg(all(test, underpin_loom))]
mod models {
    //! `cargo xtask loom`.

    use loom::{sync::Notify, thread};

    use super::{Arc, Bell, Wake, Waker, Word};

    struct Task(Notify);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.notify();
        }
    }

    /// Two wakers against a task that polls and then waits to be woken: if a wake could be lost, it would wait for ever, which loom sees.
    #[test]
    fn no_wake_is_lost() {
        loom::model(|| {
            let bell = Arc::new(Bell::new());
            let word = Arc::new(Word::new(Arc::clone(&bell)));
            let task = Arc::new(Task(Notify::new()));
            let waker = Waker::from(Arc::clone(&task));
            let wakers = [0, 1].map(|bit| {
                let word = Arc::clone(&word);
                thread::spawn(move || word.wake(bit))
            });
            let mut seen = 0;
            loop {
                bell.listen(&waker);
                seen |= word.take(u64::MAX);
                if seen == 0b11 {
                    break;
                }
                task.0.wait();
            }
            for thread in wakers {
                thread.join().unwrap();
            }
        });
    }
}
