//! Faults as gRPC statuses.

use std::{collections::HashMap, error::Error, fmt, sync::Arc, time::Duration};

use ::tonic::{Code, Status};
use ::tonic_types::{ErrorDetails, StatusExt as _};

use crate::{
    Fault, Kind, Retry,
    fault::BUG_MESSAGE,
    remote::{self, MAX_ENTRIES, MAX_NAME},
    text,
};

/// Message and details travel in headers, and peers refuse more than 8 KiB of those. The message is sent twice: by itself,
/// where it may triple when it is escaped, and in the details, which grow by a third in base64. The sum stays below 7 KiB.
const MAX_MESSAGE: usize = 1024;
const MAX_METADATA: usize = 1024;
const MAX_DOMAIN: usize = 256;
/// What the encoding adds to an entry of the metadata: three tags, two lengths of one byte or two, and its own.
const ENTRY: usize = 9;
/// The entry of the metadata that says whether to retry where the kind says otherwise.
const RETRY: &str = "retry";

impl Fault {
    /// The gRPC status: the kind's code, the public message, an ErrorInfo whose reason is the fault's code and whose
    /// metadata is what the fault exposes, and a RetryInfo where it says when to come back.
    ///
    /// `domain` names the service that makes the codes, such as `orders.example.com`; it may be empty. `Status::from` leaves it
    /// empty. At most 1 KiB of the message and 1 KiB of exposed members are sent; members that do not fit are left out.
    ///
    /// The fault itself stays with the status, in this process: [`Fault::of_status`] finds it for the log.
    pub fn into_status(self, domain: &str) -> Status {
        let code = Code::from_i32(self.kind().grpc());
        let message = match self.public_message() {
            Some(message) => text::clip(message, MAX_MESSAGE),
            None if self.kind().is_bug() => BUG_MESSAGE,
            None => self.kind().name(),
        };
        let mut details = ErrorDetails::new();
        let reason = text::clip(self.public_code(), MAX_NAME);
        details.set_error_info(reason, text::clip(domain, MAX_DOMAIN), self.metadata());
        if let Retry::After(delay) = self.retry() {
            details.set_retry_info(Some(delay));
        }
        let mut status = Status::with_error_details(code, message, details);
        status.set_source(Arc::new(Origin(self)));
        status
    }

    /// The fault that a status of this process was made of, which is not sent: for access logs and tests.
    pub fn of_status(status: &Status) -> Option<&Fault> {
        status.source()?.downcast_ref::<Origin>().map(|origin| &origin.0)
    }

    /// Reads a peer's answer: kind, code and retry are kept, its text becomes private context under names that begin with
    /// `remote.`.
    ///
    /// A code that is not short and printable gives way to the name of the kind, and nobody has to wait for more than
    /// 24 hours.
    #[track_caller]
    pub fn from_status(status: &Status) -> Fault {
        let kind = Kind::from_grpc(status.code().into());
        let info = status.get_details_error_info();
        let info = info.unwrap_or_else(|| ::tonic_types::ErrorInfo::new("", "", HashMap::new()));
        let after: Option<Duration> =
            status.get_details_retry_info().and_then(|info| info.retry_delay);
        let word = info.metadata.get(RETRY).map(String::as_str);
        let code = remote::code(kind, &info.reason);
        let odd_code = (code != info.reason.as_str()).then_some(info.reason);

        let mut entries: Vec<_> = info.metadata.iter().filter(|(name, _)| *name != RETRY).collect();
        entries.sort();
        let fault = Fault::received(kind, code).with_retry(remote::retry(kind, word, after));
        let texts = [
            ("message", status.message()),
            ("domain", &info.domain),
            ("code", odd_code.as_deref().unwrap_or_default()),
        ];
        let entries = entries.into_iter().take(MAX_ENTRIES).map(|(name, text)| (&**name, &**text));
        texts.into_iter().chain(entries).filter(|(_, text)| !text.is_empty()).fold(
            fault,
            |fault, (name, text)| {
                fault.with_owned(format!("remote.{}", text::clip(name, MAX_NAME)), &text)
            },
        )
    }

    fn metadata(&self) -> HashMap<String, String> {
        let mut metadata = HashMap::new();
        let mut room = MAX_METADATA;
        for (name, value) in self.problem().members() {
            if let Some(left) = room.checked_sub(ENTRY + name.len() + value.len()) {
                room = left;
                metadata.insert(name.to_owned(), value.to_owned());
            }
        }
        if let Some(word) = self.retry().word_beside(self.kind()) {
            metadata.insert(RETRY.to_owned(), word.to_owned());
        }
        metadata
    }
}

/// [`Fault::into_status`] without a domain.
impl From<Fault> for Status {
    fn from(fault: Fault) -> Status {
        fault.into_status("")
    }
}

/// Carries the fault in a status, whose own `Display` and `Debug` print the `Debug` of their source.
struct Origin(Fault);

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Without a source of its own: what walks the chain of a status may answer a client with it.
impl Error for Origin {}
