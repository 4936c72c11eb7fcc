//! What went wrong, in the vocabulary that gRPC and HTTP share.

use std::{fmt, time::Duration};

/// What went wrong: `google.rpc.Code` without `OK`.
///
/// The discriminants are the gRPC codes and never change, nor do the statuses below.
///
/// | kind | gRPC | HTTP | retry | bug |
/// |---|--:|--:|---|---|
/// | `Cancelled` | 1 | 499 | never | |
/// | `Unknown` | 2 | 500 | never | yes |
/// | `InvalidArgument` | 3 | 400 | never | |
/// | `DeadlineExceeded` | 4 | 504 | backoff | |
/// | `NotFound` | 5 | 404 | never | |
/// | `AlreadyExists` | 6 | 409 | never | |
/// | `PermissionDenied` | 7 | 403 | never | |
/// | `ResourceExhausted` | 8 | 429 | backoff | |
/// | `FailedPrecondition` | 9 | 400 | never | |
/// | `Aborted` | 10 | 409 | backoff | |
/// | `OutOfRange` | 11 | 400 | never | |
/// | `Unimplemented` | 12 | 501 | never | |
/// | `Internal` | 13 | 500 | never | yes |
/// | `Unavailable` | 14 | 503 | backoff | |
/// | `DataLoss` | 15 | 500 | never | yes |
/// | `Unauthenticated` | 16 | 401 | never | |
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// The caller gave up.
    Cancelled = 1,
    /// Nobody knows; nobody thought of it. A bug.
    Unknown = 2,
    /// The request is wrong whatever the state of the system.
    InvalidArgument = 3,
    /// Time ran out; the work may or may not have been done.
    DeadlineExceeded = 4,
    /// What was asked for does not exist.
    NotFound = 5,
    /// What was to be created exists.
    AlreadyExists = 6,
    /// The caller is known and may not.
    PermissionDenied = 7,
    /// A quota, a rate limit, a full disk.
    ResourceExhausted = 8,
    /// The system is not in the state the request needs.
    FailedPrecondition = 9,
    /// A conflict with somebody else's change; repeat from the start.
    Aborted = 10,
    /// Past the valid range, which may grow.
    OutOfRange = 11,
    /// Not offered here.
    Unimplemented = 12,
    /// An invariant is broken. A bug.
    Internal = 13,
    /// Not now; the same call may succeed soon.
    Unavailable = 14,
    /// Data is lost or corrupt. A bug.
    DataLoss = 15,
    /// The caller is not known.
    Unauthenticated = 16,
}

impl Kind {
    /// All kinds, in the order of their gRPC codes.
    pub const ALL: [Kind; 16] = [
        Kind::Cancelled,
        Kind::Unknown,
        Kind::InvalidArgument,
        Kind::DeadlineExceeded,
        Kind::NotFound,
        Kind::AlreadyExists,
        Kind::PermissionDenied,
        Kind::ResourceExhausted,
        Kind::FailedPrecondition,
        Kind::Aborted,
        Kind::OutOfRange,
        Kind::Unimplemented,
        Kind::Internal,
        Kind::Unavailable,
        Kind::DataLoss,
        Kind::Unauthenticated,
    ];

    /// Its gRPC status code, 1 to 16.
    pub const fn grpc(self) -> i32 {
        self as i32
    }

    /// Its HTTP status.
    pub const fn http(self) -> u16 {
        match self {
            Kind::InvalidArgument | Kind::FailedPrecondition | Kind::OutOfRange => 400,
            Kind::Unauthenticated => 401,
            Kind::PermissionDenied => 403,
            Kind::NotFound => 404,
            Kind::AlreadyExists | Kind::Aborted => 409,
            Kind::ResourceExhausted => 429,
            Kind::Cancelled => 499,
            Kind::Unknown | Kind::Internal | Kind::DataLoss => 500,
            Kind::Unimplemented => 501,
            Kind::Unavailable => 503,
            Kind::DeadlineExceeded => 504,
        }
    }

    /// Whether repeating the same call is of any use.
    ///
    /// Whether repeating it is *safe* is a property of the operation, which only its caller knows.
    pub const fn retry(self) -> Retry {
        match self {
            Kind::DeadlineExceeded
            | Kind::ResourceExhausted
            | Kind::Aborted
            | Kind::Unavailable => Retry::Backoff,
            _ => Retry::Never,
        }
    }

    /// Whether the program is at fault rather than its input or its surroundings.
    ///
    /// No text of such a fault is shown to a client.
    pub const fn is_bug(self) -> bool {
        matches!(self, Kind::Unknown | Kind::Internal | Kind::DataLoss)
    }

    /// The kind of a gRPC status code; `Unknown` for 0 and for any number that is no code.
    pub const fn from_grpc(code: i32) -> Kind {
        let mut at = 0;
        // `for` and `find` are not const.
        while at < Kind::ALL.len() {
            if Kind::ALL[at].grpc() == code {
                return Kind::ALL[at];
            }
            at += 1;
        }
        Kind::Unknown
    }

    /// The kind that an HTTP status most likely means; `Unknown` for anything outside 400 to 599.
    ///
    /// Where several kinds share a status, it is the one that is not repeated: 400 is `InvalidArgument`, 409
    /// `AlreadyExists`, 500 `Internal`.
    pub const fn from_http(status: u16) -> Kind {
        match status {
            401 | 407 | 511 => Kind::Unauthenticated,
            403 | 451 => Kind::PermissionDenied,
            404 | 410 => Kind::NotFound,
            408 | 504 => Kind::DeadlineExceeded,
            409 => Kind::AlreadyExists,
            412 | 423 | 424 | 426 | 428 => Kind::FailedPrecondition,
            416 => Kind::OutOfRange,
            425 | 502 | 503 => Kind::Unavailable,
            429 | 507 => Kind::ResourceExhausted,
            499 => Kind::Cancelled,
            405 | 501 | 505 => Kind::Unimplemented,
            500 => Kind::Internal,
            400..=498 => Kind::InvalidArgument,
            _ => Kind::Unknown,
        }
    }

    /// Its name in `google.rpc.Code`, such as `NOT_FOUND`.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Cancelled => "CANCELLED",
            Kind::Unknown => "UNKNOWN",
            Kind::InvalidArgument => "INVALID_ARGUMENT",
            Kind::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Kind::NotFound => "NOT_FOUND",
            Kind::AlreadyExists => "ALREADY_EXISTS",
            Kind::PermissionDenied => "PERMISSION_DENIED",
            Kind::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Kind::FailedPrecondition => "FAILED_PRECONDITION",
            Kind::Aborted => "ABORTED",
            Kind::OutOfRange => "OUT_OF_RANGE",
            Kind::Unimplemented => "UNIMPLEMENTED",
            Kind::Internal => "INTERNAL",
            Kind::Unavailable => "UNAVAILABLE",
            Kind::DataLoss => "DATA_LOSS",
            Kind::Unauthenticated => "UNAUTHENTICATED",
        }
    }

    /// The kind of that [`name`](Kind::name).
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Its [`name`](Kind::name).
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Whether and when the same call may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// It would fail again.
    Never,
    /// After a growing, jittered delay of the caller's choice.
    Backoff,
    /// Not before this time has passed.
    After(Duration),
}

impl Retry {
    /// How it is written beside a kind that says otherwise; nothing where there is a time to write, or nothing to say.
    pub(crate) fn word_beside(self, kind: Kind) -> Option<&'static str> {
        match self {
            retry if retry == kind.retry() => None,
            Retry::Never => Some("never"),
            Retry::Backoff => Some("backoff"),
            Retry::After(_) => None,
        }
    }
}
