//! One request, and what came of it.

use std::{io, time::Duration};

use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use reqwest::Method;
use tokio::time::Instant;
use underpin_httpx::{Body, Client, Error, Request};

use crate::resilience::httpx::{
    Random,
    faults::{ATTEMPTS, SENT, fault::Fault},
};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Terminal {
    Send,
    Json,
    Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Payload {
    None,
    Bytes,
    Replay,
    Once,
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) has_key: bool,
    pub(super) payload: Payload,
    pub(super) terminal: Terminal,
    pub(super) deadline: Duration,
    pub(super) faults: [Fault; ATTEMPTS],
}

impl Call {
    pub(super) fn random(seed: u64, is_h2: bool) -> Call {
        let random = &mut Random(seed);
        let methods =
            [Method::GET, Method::PUT, Method::POST, Method::POST, Method::DELETE, Method::PATCH];
        let method = methods[random.below(methods.len())].clone();
        Call {
            has_key: random.below(3) == 0,
            payload: match method {
                Method::GET | Method::DELETE => Payload::None,
                _ => random.pick(&[
                    Payload::None,
                    Payload::Bytes,
                    Payload::Bytes,
                    Payload::Replay,
                    Payload::Once,
                ]),
            },
            method,
            terminal: random.pick(&[Terminal::Send, Terminal::Json, Terminal::Bytes]),
            deadline: Duration::from_millis(random.pick(&[50, 200, 5_000, 5_000, 5_000])),
            faults: std::array::from_fn(|_| Fault::random(random, is_h2)),
        }
    }

    pub(super) fn is_repeatable(&self) -> bool {
        self.has_key || !matches!(self.method, Method::POST | Method::PATCH)
    }

    pub(super) fn body(&self) -> &'static [u8] {
        if self.payload == Payload::None { b"" } else { SENT.as_bytes() }
    }

    pub(super) fn request(&self, client: &Client, url: &str) -> Request {
        let stream =
            || StreamBody::new(stream::iter([Ok::<_, io::Error>(Frame::data(SENT.as_bytes()))]));
        let request = client.request(self.method.clone(), url).deadline(self.deadline);
        let request = if self.has_key { request.idempotent() } else { request };
        match self.payload {
            Payload::None => request,
            Payload::Bytes => request.body(SENT),
            Payload::Replay => request.body(Body::replay(stream)),
            Payload::Once => request.body(Body::once(stream())),
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) outcome: Result<Vec<u8>, Error>,
    pub(super) status: Option<u16>,
    pub(super) attempts: Option<u32>,
    pub(super) elapsed: Duration,
}

pub(super) async fn make(call: &Call, client: &Client, url: &str) -> Got {
    let request = call.request(client, url);
    let begin = Instant::now();
    let (mut status, mut attempts) = (None, None);
    let outcome = match call.terminal {
        Terminal::Json => {
            request.json::<String>().await.map(|text| format!("{text:?}").into_bytes())
        }
        Terminal::Bytes => request.bytes().await.map(|bytes| bytes.to_vec()),
        Terminal::Send => match request.send().await {
            Err(error) => Err(error),
            Ok(mut response) => {
                (status, attempts) = (Some(response.status().as_u16()), Some(response.attempts()));
                let mut body = Vec::new();
                loop {
                    match response.chunk().await {
                        Ok(Some(chunk)) => body.extend(chunk),
                        Ok(None) => break Ok(body),
                        Err(error) => break Err(error),
                    }
                }
            }
        },
    };
    let elapsed = begin.elapsed();
    if let Err(error) = &outcome {
        attempts = attempts.or(Some(error.attempts()));
        status = status.or(error.status().map(|status| status.as_u16()));
    } else {
        status = status.or(Some(200));
    }
    Got { outcome, status, attempts, elapsed }
}
