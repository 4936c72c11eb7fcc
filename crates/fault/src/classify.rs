//! How error types of your own say what they mean.

use std::{borrow::Cow, error::Error};

use crate::{Fault, Kind, Retry};

/// An error that knows its kind and its code, so that `?` turns it into a [`Fault`].
///
/// `#[derive(Classify)]` (feature `derive`) writes it for an enum or a struct.
///
/// ```
/// use std::{error::Error, fmt};
/// use underpin_fault::{Classify, Fault, Kind};
///
/// #[derive(Debug)]
/// struct Declined;
///
/// impl fmt::Display for Declined {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         f.write_str("the provider declined the card")
///     }
/// }
///
/// impl Error for Declined {}
///
/// impl Classify for Declined {
///     fn kind(&self) -> Kind {
///         Kind::FailedPrecondition
///     }
///
///     fn code(&self) -> &'static str {
///         "PAYMENT_ERROR"
///     }
///
///     fn status(&self) -> Option<u16> {
///         Some(502)
///     }
/// }
///
/// fn charge() -> Result<(), Fault> {
///     Err(Declined)?
/// }
///
/// let fault = charge().unwrap_err();
/// assert_eq!((fault.code(), fault.http_status()), ("PAYMENT_ERROR", 502));
/// assert!(fault.find_cause::<Declined>().is_some());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not classified",
    note = "derive `Classify` for it, or implement it, so that it has a kind and a code"
)]
pub trait Classify: Error {
    /// What went wrong.
    fn kind(&self) -> Kind;

    /// The stable code that clients and dashboards match on, such as `order.missing`.
    fn code(&self) -> &'static str;

    /// Whether repeating the call is of use; what the kind says, unless overridden.
    fn retry(&self) -> Retry {
        self.kind().retry()
    }

    /// The HTTP status, where the kind's own does not fit. See [`Fault::status`].
    fn status(&self) -> Option<u16> {
        None
    }

    /// What a client may read. The error's own `Display` is private.
    fn message(&self) -> Option<Cow<'static, str>> {
        None
    }
}

impl<E: Classify> Classify for Box<E> {
    fn kind(&self) -> Kind {
        (**self).kind()
    }

    fn code(&self) -> &'static str {
        (**self).code()
    }

    fn retry(&self) -> Retry {
        (**self).retry()
    }

    fn status(&self) -> Option<u16> {
        (**self).status()
    }

    fn message(&self) -> Option<Cow<'static, str>> {
        (**self).message()
    }
}

/// The error becomes the fault's cause; the location is that of the `?`.
impl<E: Classify + Send + Sync + 'static> From<E> for Fault {
    #[track_caller]
    fn from(error: E) -> Fault {
        let mut fault = Fault::new(error.kind(), error.code()).with_retry(error.retry());
        if let Some(status) = error.status() {
            fault = fault.status(status);
        }
        if let Some(message) = error.message() {
            fault = fault.message(message);
        }
        fault.caused_by(error)
    }
}
