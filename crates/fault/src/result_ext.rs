//! Faults from any `Result`.

use std::error::Error;

use crate::{Fault, Kind};

/// Turns the error of any `Result` into a [`Fault`] that keeps it as its cause.
///
/// ```
/// use underpin_fault::{Fault, Kind, ResultExt as _};
///
/// fn quantity(text: &str) -> Result<u32, Fault> {
///     text.parse().fault(Kind::InvalidArgument, "VALIDATION_ERROR")
/// }
///
/// let fault = quantity("ten").map_err(|fault| fault.message("quantity must be a number")).unwrap_err();
/// assert_eq!(fault.to_string(), "VALIDATION_ERROR: quantity must be a number");
/// assert!(fault.find_cause::<std::num::ParseIntError>().is_some());
/// ```
pub trait ResultExt<T>: Sized {
    /// A fault of that kind and code, caused by the error.
    ///
    /// # Errors
    ///
    /// Where `self` is an error.
    #[track_caller]
    fn fault(self, kind: Kind, code: &'static str) -> Result<T, Fault>;

    /// A [bug](Fault::bug), caused by an error that cannot happen in a correct program.
    ///
    /// # Errors
    ///
    /// Where `self` is an error.
    #[track_caller]
    fn bug(self, code: &'static str) -> Result<T, Fault>;
}

// A closure given to `map_err` would be the caller that the location names, hence the matches.
impl<T, E: Into<Box<dyn Error + Send + Sync>>> ResultExt<T> for Result<T, E> {
    fn fault(self, kind: Kind, code: &'static str) -> Result<T, Fault> {
        match self {
            Ok(value) => Ok(value),
            Err(error) => Err(Fault::new(kind, code).caused_by(error)),
        }
    }

    fn bug(self, code: &'static str) -> Result<T, Fault> {
        match self {
            Ok(value) => Ok(value),
            Err(error) => Err(Fault::bug(code).caused_by(error)),
        }
    }
}
