//! Operations in flight: each has a place that never moves and a waker that says whose turn it is.

use std::{
    ops::ControlFlow,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use tokio::task::coop;

use crate::each::ready::{Bell, BitWaker, WORD, Word};

/// How many polls one half of a run makes before the task is given back to the runtime.
const POLLS: u32 = 128;

/// What is left of the polls of one turn.
pub(super) struct Budget {
    polls: u32,
}

impl Budget {
    pub(super) fn new() -> Budget {
        Budget { polls: POLLS }
    }

    pub(super) fn is_spent(&self) -> bool {
        self.polls == 0
    }

    fn spend(&mut self, pending: bool) {
        // Once the task's own budget is used up, everything of tokio's is pending: polling the others would cost time and get nowhere.
        self.polls =
            if pending && !coop::has_budget_remaining() { 0 } else { self.polls.saturating_sub(1) };
    }
}

/// Slots are made when they are first needed and used again, so there are as many as ever ran at once.
pub(super) struct Slots<Fut: Future> {
    all: Vec<Slot<Fut>>,
    words: Vec<Arc<Word>>,
    free: Vec<usize>,
    bell: Arc<Bell>,
    /// The word and the bit where the next scan begins.
    cursor: (usize, u32),
}

struct Slot<Fut> {
    /// The number of the item that this is the operation of.
    number: usize,
    /// A box for each slot, because without unsafe code nothing else gives a pinned place that can be filled again.
    operation: Pin<Box<Option<Fut>>>,
    waker: Waker,
}

impl<Fut: Future> Slots<Fut> {
    pub(super) fn new() -> Slots<Fut> {
        let bell = Arc::new(Bell::new());
        Slots { all: Vec::new(), words: Vec::new(), free: Vec::new(), bell, cursor: (0, 0) }
    }

    pub(super) fn live(&self) -> usize {
        self.all.len() - self.free.len()
    }

    /// From here on, whoever wakes an operation wakes this task.
    pub(super) fn listen(&mut self, cx: &Context<'_>) {
        self.bell.listen(cx.waker());
    }

    /// Polls the operations that were woken since the last time.
    /// What the budget leaves unpolled stays woken, and comes first next time.
    pub(super) fn poll_woken<B>(
        &mut self,
        budget: &mut Budget,
        sink: &mut impl FnMut(usize, Fut::Output) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if self.words.is_empty() {
            return ControlFlow::Continue(());
        }
        let (start, first) = self.cursor;
        let from_first = u64::MAX << first;
        // Once around, back to where it began: what woke itself meanwhile waits for the next time.
        for step in 0..=self.words.len() {
            let mask = match step {
                0 => from_first,
                _ if step == self.words.len() => !from_first,
                _ => u64::MAX,
            };
            let word = (start + step) % self.words.len();
            let mut bits = self.words[word].take(mask);
            while bits != 0 {
                let bit = bits.trailing_zeros();
                if budget.is_spent() {
                    self.cursor = (word, bit);
                    self.words[word].put_back(bits);
                    return ControlFlow::Continue(());
                }
                bits &= bits - 1;
                self.poll_slot(word * WORD + bit as usize, budget, sink)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Puts an operation into a slot and polls it for the first time.
    pub(super) fn start<B>(
        &mut self,
        number: usize,
        operation: Fut,
        budget: &mut Budget,
        sink: &mut impl FnMut(usize, Fut::Output) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let index = self.free.pop().unwrap_or_else(|| self.grow());
        let slot = &mut self.all[index];
        slot.number = number;
        slot.operation.set(Some(operation));
        self.poll_slot(index, budget, sink)
    }

    /// Every operation in flight.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = Pin<&mut Fut>> {
        self.all.iter_mut().filter_map(|slot| slot.operation.as_mut().as_pin_mut())
    }

    fn poll_slot<B>(
        &mut self,
        index: usize,
        budget: &mut Budget,
        sink: &mut impl FnMut(usize, Fut::Output) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let slot = &mut self.all[index];
        // A waker outlives its operation wherever somebody keeps it: then it wakes an empty slot, or the next operation for nothing.
        let Some(operation) = slot.operation.as_mut().as_pin_mut() else {
            return ControlFlow::Continue(());
        };
        let polled = operation.poll(&mut Context::from_waker(&slot.waker));
        budget.spend(polled.is_pending());
        let Poll::Ready(output) = polled else {
            return ControlFlow::Continue(());
        };
        let number = slot.number;
        slot.operation.set(None);
        self.free.push(index);
        sink(number, output)
    }

    fn grow(&mut self) -> usize {
        let index = self.all.len();
        if index.is_multiple_of(WORD) {
            self.words.push(Arc::new(Word::new(Arc::clone(&self.bell))));
        }
        let word = Arc::clone(&self.words[index / WORD]);
        let waker = Waker::from(Arc::new(BitWaker::new(word, index % WORD)));
        self.all.push(Slot { number: 0, operation: Box::pin(None), waker });
        index
    }
}
