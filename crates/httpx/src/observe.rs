//! Spans and events, where the feature is on, and nothing where it is not.

use std::{future::Future, time::Duration};

use reqwest::Url;
use underpin_retry::Why;

use crate::{disposition::Disposition, operation::Operation, response::Response};

pub(crate) fn operation<F: Future>(_tag: &'static str, run: F) -> F {
    run
}

pub(crate) fn attempt<F: Future>(_: &Operation, _number: u32, sent: F) -> F {
    sent
}

pub(crate) fn answered(_: &Response) {}

pub(crate) fn retry(_: &Operation, _attempt: u32, _delay: Duration, _: Disposition) {}

pub(crate) fn timeout(_: &Url, _time: Duration) {}

pub(crate) fn gave_up(_: &Operation, _attempts: u32, _why: Option<Why>) {}
