//! Futures that are ready at once: what is measured is what is around them.

use std::{
    future::Future,
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};

/// What a protected call fails with.
#[derive(Debug, Clone, Copy)]
pub struct Failed;

/// A call that succeeds at once, with a number that the compiler cannot know.
pub async fn succeeds() -> Result<u64, Failed> {
    Ok(black_box(7))
}

/// A call that fails at once.
pub async fn fails() -> Result<u64, Failed> {
    Err(black_box(Failed))
}

/// What a future resolves to that is ready when it is first polled.
#[inline]
pub fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future is not ready"),
    }
}

/// Makes a call that is ready at once, and keeps the compiler from leaving it out.
#[inline]
pub fn make<F: Future>(future: F) {
    let _ = black_box(ready(future));
}
