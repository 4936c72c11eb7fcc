//! What a run may return.

use std::fmt::Display;

/// What a run may return: `()`, which is success, or `Result<(), E>`.
pub trait IntoOutcome: sealed::Sealed {
    /// The text of the error, if there is one.
    fn into_error(self) -> Option<String>;
}

impl IntoOutcome for () {
    fn into_error(self) -> Option<String> {
        None
    }
}

impl<E: Display> IntoOutcome for Result<(), E> {
    fn into_error(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

mod sealed {
    #[expect(unnameable_types, reason = "that is what seals a trait")]
    pub trait Sealed {}

    impl Sealed for () {}
    impl<E> Sealed for Result<(), E> {}
}
