//! A run: items waiting for a slot, and the operations that have one.

use std::{
    ops::ControlFlow,
    task::{Context, Poll},
};

use crate::each::slots::{Budget, Slots};

pub(super) struct Run<I, F, Fut: Future> {
    items: I,
    exhausted: bool,
    limit: usize,
    started: usize,
    start: F,
    slots: Slots<Fut>,
}

impl<I, F, Fut> Run<I, F, Fut>
where
    I: Iterator,
    F: FnMut(I::Item) -> Fut,
    Fut: Future,
{
    pub(super) fn new(
        items: impl IntoIterator<IntoIter = I, Item = I::Item>,
        limit: usize,
        start: F,
    ) -> Run<I, F, Fut> {
        let items = items.into_iter();
        Run { items, exhausted: false, limit, started: 0, start, slots: Slots::new() }
    }

    /// How many items there are at least.
    pub(super) fn expected(&self) -> usize {
        self.items.size_hint().0
    }

    /// Polls what was woken, then starts what there is room for, and gives every result to `sink` with the number of its item.
    ///
    /// Both halves have a budget of their own, so that neither can starve the other, nor the rest of the task.
    pub(super) fn poll<B>(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut impl FnMut(usize, Fut::Output) -> ControlFlow<B>,
    ) -> Poll<ControlFlow<B>> {
        self.slots.listen(cx);
        let mut woken = Budget::new();
        if let ControlFlow::Break(value) = self.slots.poll_woken(&mut woken, sink) {
            return Poll::Ready(ControlFlow::Break(value));
        }
        let mut fresh = Budget::new();
        while !self.exhausted && self.slots.live() < self.limit && !fresh.is_spent() {
            let Some(item) = self.items.next() else {
                self.exhausted = true;
                break;
            };
            let number = self.started;
            self.started += 1;
            let operation = (self.start)(item);
            if let ControlFlow::Break(value) = self.slots.start(number, operation, &mut fresh, sink)
            {
                return Poll::Ready(ControlFlow::Break(value));
            }
        }
        if self.exhausted && self.slots.live() == 0 {
            return Poll::Ready(ControlFlow::Continue(()));
        }
        if woken.is_spent() || fresh.is_spent() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Takes no more items, and says how many there were, started or not.
    pub(super) fn close(&mut self) -> usize {
        let rest = if self.exhausted { 0 } else { self.items.by_ref().count() };
        self.exhausted = true;
        self.started + rest
    }

    /// Takes no more items, and leaves the rest of them untouched.
    pub(super) fn stop_starting(&mut self) {
        self.exhausted = true;
    }

    pub(super) fn slots(&mut self) -> &mut Slots<Fut> {
        &mut self.slots
    }
}
