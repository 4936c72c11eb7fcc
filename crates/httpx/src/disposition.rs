//! What an attempt that did not succeed has done: the one table that says what may be tried again.

use std::{error::Error, fmt, io, time::Duration};

use reqwest::StatusCode;

use crate::error::Kind;

/// What is known about a request after an attempt, and so who may send it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// It was answered. Nothing is to be repeated.
    Success,
    /// The server has not begun to process it. Any request may be sent again.
    NotSent,
    /// The server has declined it for now, and has said so. Any request may be sent again, after the time it named.
    Refused {
        /// What `Retry-After` said.
        after: Option<Duration>,
    },
    /// It may or may not have been processed. Only what may happen twice may be sent again: an idempotent method, or a request with
    /// an `Idempotency-Key`.
    Unknown,
    /// Sending it again would change nothing.
    Final,
}

/// What matters about a request and its attempt, beside the answer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Facts {
    pub(crate) repeat: Repeat,
    /// It is not the first attempt.
    pub(crate) is_repeated: bool,
    /// A redirect was followed: whoever sent that has seen the request.
    pub(crate) was_redirected: bool,
    /// It is not whole without its body.
    pub(crate) has_body: bool,
}

/// Whether a request may happen twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Repeat {
    #[default]
    Never,
    /// Its method is idempotent.
    Idempotent,
    /// It has an `Idempotency-Key`.
    WithKey,
}

impl Facts {
    pub(crate) fn is_repeatable(self) -> bool {
        self.repeat != Repeat::Never
    }
}

impl Disposition {
    pub(crate) fn of_status(
        status: StatusCode,
        after: Option<Duration>,
        facts: Facts,
    ) -> Disposition {
        let disposition = match status.as_u16() {
            425 => Disposition::NotSent,
            429 => Disposition::Refused { after },
            503 if after.is_some() => Disposition::Refused { after },
            408 | 500 | 502 | 503 | 504 => Disposition::Unknown,
            // The attempt before is still being processed. Without one before, it is a conflict like any other.
            409 if facts.repeat == Repeat::WithKey && facts.is_repeated => Disposition::Unknown,
            ..400 => Disposition::Success,
            _ => Disposition::Final,
        };
        disposition.seen_from(facts)
    }

    pub(crate) fn of_cause(cause: Cause, facts: Facts) -> Disposition {
        let disposition = match cause {
            Cause::Invalid | Cause::Redirect | Cause::Certificate => Disposition::Final,
            Cause::Connect | Cause::Unprocessed => Disposition::NotSent,
            // hyper gives this error to a request whose head has just left, too, before it sends the body: if that is missing, the
            // request is not whole, and without one it may be.
            Cause::Goodbye if facts.has_body || facts.is_repeatable() => Disposition::NotSent,
            Cause::Goodbye | Cause::Lost => Disposition::Unknown,
        };
        disposition.seen_from(facts)
    }

    /// Behind a redirect, it is the redirected request that was not processed; the original one was.
    fn seen_from(self, facts: Facts) -> Disposition {
        match self {
            Disposition::NotSent | Disposition::Refused { .. }
                if facts.was_redirected && !facts.is_repeatable() =>
            {
                Disposition::Unknown
            }
            other => other,
        }
    }

    /// Whether the request may be sent again.
    pub(crate) fn allows_retry(self, is_repeatable: bool) -> bool {
        match self {
            Disposition::NotSent | Disposition::Refused { .. } => true,
            Disposition::Unknown => is_repeatable,
            Disposition::Success | Disposition::Final => false,
        }
    }
}

impl fmt::Display for Disposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Disposition::Success => "success",
            Disposition::NotSent => "not sent",
            Disposition::Refused { .. } => "refused",
            Disposition::Unknown => "unknown",
            Disposition::Final => "final",
        })
    }
}

/// Why there was no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It could not be sent as it is.
    Invalid,
    /// It was redirected too often, or to where this client does not go.
    Redirect,
    /// The server is not who it should be.
    Certificate,
    /// There was no connection: name, route, handshake.
    Connect,
    /// There was a connection, and the request was not processed on it.
    Unprocessed,
    /// The server closes the connection, and has not looked at what it had not accepted by then.
    Goodbye,
    /// The connection was lost after the request was sent, or while it was.
    Lost,
}

impl Cause {
    pub(crate) fn of(error: &reqwest::Error) -> Cause {
        if error.is_builder() {
            Cause::Invalid
        } else if error.is_redirect() {
            Cause::Redirect
        } else if error.is_connect() {
            if chain(error).any(is_certificate) { Cause::Certificate } else { Cause::Connect }
        } else if chain(error).any(is_unprocessed) {
            Cause::Unprocessed
        } else if chain(error).any(is_goodbye) {
            Cause::Goodbye
        } else {
            Cause::Lost
        }
    }

    pub(crate) fn kind(self) -> Kind {
        match self {
            Cause::Invalid => Kind::Request,
            Cause::Redirect => Kind::Redirect,
            Cause::Certificate | Cause::Connect => Kind::Connect,
            Cause::Unprocessed | Cause::Goodbye | Cause::Lost => Kind::Transport,
        }
    }
}

/// An error and all that caused it. What an `io::Error` carries is not among its sources, so it is looked for.
fn chain(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(Some(error as &(dyn Error + 'static)), cause)
}

fn cause<'a>(error: &&'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let error = *error;
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(carried) => Some(carried),
        None => error.source(),
    }
}

/// What TLS refuses will be refused again; what only broke off is worth another attempt.
#[cfg(feature = "rustls")]
fn is_certificate(error: &(dyn Error + 'static)) -> bool {
    use rustls::{AlertDescription as Alert, Error as Tls};
    match error.downcast_ref::<Tls>() {
        Some(Tls::AlertReceived(alert)) => matches!(
            alert,
            Alert::BadCertificate
                | Alert::UnsupportedCertificate
                | Alert::CertificateRevoked
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
                | Alert::CertificateRequired
                | Alert::UnknownCA
                | Alert::AccessDenied
                | Alert::HandshakeFailure
                | Alert::ProtocolVersion
        ),
        Some(tls) => matches!(
            tls,
            Tls::InvalidCertificate(_)
                | Tls::InvalidCertRevocationList(_)
                | Tls::NoCertificatesPresented
                | Tls::UnsupportedNameType
                | Tls::PeerIncompatible(_)
        ),
        None => false,
    }
}

#[cfg(not(feature = "rustls"))]
fn is_certificate(_: &(dyn Error + 'static)) -> bool {
    false
}

fn is_unprocessed(error: &(dyn Error + 'static)) -> bool {
    // The connection closed before it took the request.
    if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled) {
        return true;
    }
    is_unprocessed_stream(error)
}

/// RFC 9113 (8.7) says of both, of this and of a stream above the last one of a GOAWAY, that nothing was done.
#[cfg(feature = "http2")]
fn is_unprocessed_stream(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<h2::Error>().is_some_and(|error| {
        error.is_remote() && error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM)
    })
}

/// h2 gives a stream the error of a GOAWAY only where the server named a last stream before it.
#[cfg(feature = "http2")]
fn is_goodbye(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<h2::Error>().is_some_and(|error| error.is_remote() && error.is_go_away())
}

#[cfg(not(feature = "http2"))]
fn is_unprocessed_stream(_: &(dyn Error + 'static)) -> bool {
    false
}

#[cfg(not(feature = "http2"))]
fn is_goodbye(_: &(dyn Error + 'static)) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::{Disposition::*, *};

    const AFTER: Option<Duration> = Some(Duration::from_secs(3));

    fn of_status(status: u16, after: Option<Duration>, facts: Facts) -> Disposition {
        Disposition::of_status(StatusCode::from_u16(status).expect("a status"), after, facts)
    }

    #[test]
    fn the_table_of_statuses() {
        let table = [
            (200, None, Success),
            (204, None, Success),
            (304, None, Success),
            (400, None, Final),
            (401, None, Final),
            (404, None, Final),
            (408, None, Unknown),
            (409, None, Final),
            (422, None, Final),
            (425, None, NotSent),
            (429, None, Refused { after: None }),
            (429, AFTER, Refused { after: AFTER }),
            (500, None, Unknown),
            (500, AFTER, Unknown),
            (501, None, Final),
            (502, None, Unknown),
            (503, None, Unknown),
            (503, AFTER, Refused { after: AFTER }),
            (504, None, Unknown),
            (505, None, Final),
            (511, None, Final),
            (599, None, Final),
        ];
        for (status, after, expected) in table {
            assert_eq!(of_status(status, after, Facts::default()), expected, "{status} {after:?}");
        }
    }

    #[test]
    fn the_table_of_causes() {
        let table = [
            (Cause::Invalid, Final, Kind::Request),
            (Cause::Redirect, Final, Kind::Redirect),
            (Cause::Certificate, Final, Kind::Connect),
            (Cause::Connect, NotSent, Kind::Connect),
            (Cause::Unprocessed, NotSent, Kind::Transport),
            (Cause::Goodbye, Unknown, Kind::Transport),
            (Cause::Lost, Unknown, Kind::Transport),
        ];
        for (cause, disposition, kind) in table {
            assert_eq!(Disposition::of_cause(cause, Facts::default()), disposition, "{cause:?}");
            assert_eq!(cause.kind(), kind, "{cause:?}");
        }
    }

    #[test]
    fn who_may_repeat_what() {
        let table = [
            (Success, false, false),
            (NotSent, true, true),
            (Refused { after: None }, true, true),
            (Unknown, false, true),
            (Final, false, false),
        ];
        for (disposition, any, repeatable) in table {
            assert_eq!(disposition.allows_retry(false), any, "{disposition:?}");
            assert_eq!(disposition.allows_retry(true), repeatable, "{disposition:?}");
        }
    }

    #[test]
    fn behind_a_redirect_nothing_is_known_to_be_unsent() {
        let post = Facts { was_redirected: true, ..Facts::default() };
        assert_eq!(of_status(429, AFTER, post), Unknown);
        assert_eq!(of_status(425, None, post), Unknown);
        assert_eq!(Disposition::of_cause(Cause::Connect, post), Unknown);
        assert_eq!(Disposition::of_cause(Cause::Unprocessed, post), Unknown);

        let get = Facts { repeat: Repeat::Idempotent, ..post };
        assert_eq!(of_status(429, AFTER, get), Refused { after: AFTER });
        assert_eq!(Disposition::of_cause(Cause::Connect, get), NotSent);
    }

    #[test]
    fn a_goodbye_is_believed_of_what_is_not_whole_without_its_body() {
        let empty = Facts::default();
        assert_eq!(Disposition::of_cause(Cause::Goodbye, empty), Unknown);
        assert_eq!(
            Disposition::of_cause(Cause::Goodbye, Facts { has_body: true, ..empty }),
            NotSent
        );
        let get = Facts { repeat: Repeat::Idempotent, ..empty };
        assert_eq!(Disposition::of_cause(Cause::Goodbye, get), NotSent);
    }

    #[test]
    fn a_conflict_is_in_progress_only_after_an_attempt_with_the_key() {
        let first = Facts { repeat: Repeat::WithKey, ..Facts::default() };
        assert_eq!(of_status(409, None, first), Final);
        assert_eq!(of_status(409, None, Facts { is_repeated: true, ..first }), Unknown);
        assert_eq!(of_status(422, None, Facts { is_repeated: true, ..first }), Final);
        let put = Facts { repeat: Repeat::Idempotent, is_repeated: true, ..Facts::default() };
        assert_eq!(of_status(409, None, put), Final);
    }
}
