//! Going on with a body where it broke off.

use bytes::Bytes;
use reqwest::{
    StatusCode,
    header::{
        ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, IF_RANGE,
        RANGE,
    },
};

use crate::{
    disposition::Disposition,
    error::{Error, Kind, Result, What},
    operation::Operation,
    response::Response,
};

/// What has to be known to go on with a body.
pub(crate) struct Resume {
    operation: Operation,
    etag: HeaderValue,
    received: u64,
    total: Option<u64>,
}

impl Resume {
    /// `None` where the server has not said which version it is, or does not do ranges.
    pub(crate) fn of(response: &Response, operation: Operation) -> Option<Resume> {
        let headers = response.headers();
        let is_whole = response.status() == StatusCode::OK && !is_encoded(headers);
        let has_ranges = headers.get(ACCEPT_RANGES).is_none_or(|ranges| ranges != "none");
        let etag = headers.get(ETAG).filter(|etag| etag.as_bytes().starts_with(b"\""))?.clone();
        let total = response.content_length();
        (is_whole && has_ranges).then_some(Resume { operation, etag, received: 0, total })
    }

    /// Counts a piece, or its absence at the end; whether there may be such a one here. What has no length of its own could be
    /// shorter or longer than the range that it claims to be.
    pub(crate) fn follows(&mut self, piece: Option<&Bytes>) -> bool {
        self.received += piece.map_or(0, |piece| piece.len() as u64);
        match piece {
            Some(_) => self.total.is_none_or(|total| self.received <= total),
            None => self.total.is_none_or(|total| self.received == total),
        }
    }

    /// How long it is altogether, once it is said.
    pub(crate) fn learn(&mut self, headers: &HeaderMap) {
        self.total = self.total.or_else(|| range_of(headers)?.total);
    }

    pub(crate) async fn go_on(&self, broken: Error) -> Result<Response> {
        self.operation.go_on(self, broken).await
    }

    /// What makes the request one for the rest.
    pub(crate) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(2);
        if let Ok(range) = HeaderValue::try_from(format!("bytes={}-", self.received)) {
            headers.insert(RANGE, range);
        }
        headers.insert(IF_RANGE, self.etag.clone());
        headers
    }

    /// Whether this response is exactly what is missing, of the same version.
    pub(crate) fn check(&self, response: &Response) -> Result<()> {
        let headers = response.headers();
        let etag = headers.get(ETAG);
        let fits = match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let length = response.content_length();
                // One without a name is of a server that may not have looked at ours.
                etag == Some(&self.etag)
                    && range_of(headers).is_some_and(|range| self.continues(range, length))
                    && !is_encoded(headers)
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {
                let range = headers.get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
                let total = range.and_then(|range| range.strip_prefix("bytes */")).and_then(number);
                etag.is_none_or(|etag| *etag == self.etag)
                    && total == Some(self.received)
                    && self.total.is_none_or(|known| total == Some(known))
            }
            _ => false,
        };
        if fits {
            return Ok(());
        }
        let what = What::Text("the body broke off, and the server does not go on with the same");
        Err(Error::new(Kind::Body, Disposition::Final, what).with_status(response.status()))
    }

    fn continues(&self, range: Range, length: Option<u64>) -> bool {
        let Range { first, last, total } = range;
        first == self.received
            && last >= first
            // Up to the end of all, which has to be known by now.
            && self.total.or(total) == Some(last + 1)
            && total.is_none_or(|total| total == last + 1)
            && length.is_none_or(|length| length == last - first + 1)
    }

    /// Whether the server says that nothing is missing.
    pub(crate) fn is_complete(status: StatusCode) -> bool {
        status == StatusCode::RANGE_NOT_SATISFIABLE
    }
}

fn range_of(headers: &HeaderMap) -> Option<Range> {
    let mut ranges = headers.get_all(CONTENT_RANGE).iter();
    let range = ranges.next()?.to_str().ok()?;
    if ranges.next().is_some() { None } else { Range::parse(range) }
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity")
}

/// `bytes first-last/total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    first: u64,
    last: u64,
    total: Option<u64>,
}

impl Range {
    fn parse(text: &str) -> Option<Range> {
        let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let total = if total == "*" { None } else { Some(number(total)?) };
        Some(Range { first: number(first)?, last: number(last)?, total })
    }
}

/// Digits only; a length that is near the end of what there is is nonsense.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|number| is_number && *number < u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_exact_or_none() {
        let range = |first, last, total| Some(Range { first, last, total });
        assert_eq!(Range::parse("bytes 5-9/10"), range(5, 9, Some(10)));
        assert_eq!(Range::parse("bytes 0-0/*"), range(0, 0, None));
        for text in [
            "bytes 5-9",
            "bytes=5-9/10",
            "items 5-9/10",
            "bytes -9/10",
            "bytes 5-/10",
            "bytes +5-9/10",
            "bytes 5-9/",
            "bytes */10",
            "bytes 5-18446744073709551615/*",
            "",
        ] {
            assert_eq!(Range::parse(text), None, "{text:?}");
        }
    }
}
