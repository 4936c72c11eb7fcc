//! Which requests were redirected on the way to their answer or their failure.

use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use reqwest::redirect::Policy;

thread_local! {
    /// Whether a redirect was followed since the poll that is under way began.
    static FOLLOWED: Cell<bool> = const { Cell::new(false) };
}

/// Follows so many redirects, and tells [`Following`] of them.
pub(crate) fn policy(most: usize) -> Policy {
    if most == 0 {
        return Policy::none();
    }
    Policy::custom(move |attempt| {
        FOLLOWED.set(true);
        if attempt.previous().len() > most {
            attempt.error(format!("redirected more than {most} times"))
        } else {
            attempt.follow()
        }
    })
}

pin_project! {
    /// A request, and whether it was redirected.
    ///
    /// A changed URL would not tell: a form that is answered with 303 often leads back to its own. The policy is asked within a poll of
    /// the request, so what it says during one is of this request and no other.
    pub(crate) struct Following<F> {
        #[pin]
        request: F,
        was_redirected: bool,
    }
}

impl<F> Following<F> {
    pub(crate) fn new(request: F) -> Following<F> {
        Following { request, was_redirected: false }
    }
}

impl<F: Future> Future for Following<F> {
    type Output = (F::Output, bool);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // Kept for whoever polls this within a request of its own.
        let outside = FOLLOWED.replace(false);
        let polled = this.request.poll(cx);
        *this.was_redirected |= FOLLOWED.replace(outside);
        polled.map(|output| (output, *this.was_redirected))
    }
}
