//! The body of a response, on its own.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame};

use crate::{
    error::{Error, Result},
    response::Response,
};

type Next = Pin<Box<dyn Future<Output = (Response, Result<Option<Bytes>>)> + Send>>;

/// The body of a [`Response`]: [`Response::into_body`].
pub struct ResponseBody(State);

enum State {
    Between(Box<Response>),
    Reading(Next),
    Ended,
}

impl ResponseBody {
    pub(crate) fn new(response: Response) -> ResponseBody {
        ResponseBody(State::Between(Box::new(response)))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        if let State::Between(_) = self.0
            && let State::Between(mut response) = std::mem::replace(&mut self.0, State::Ended)
        {
            self.0 = State::Reading(Box::pin(async move {
                let piece = response.chunk().await;
                (*response, piece)
            }));
        }
        let State::Reading(next) = &mut self.0 else { return Poll::Ready(None) };
        let (response, piece) = ready!(next.as_mut().poll(cx));
        self.0 = match &piece {
            Ok(Some(_)) => State::Between(Box::new(response)),
            Ok(None) | Err(_) => State::Ended,
        };
        Poll::Ready(piece.transpose().map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, State::Ended)
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}
