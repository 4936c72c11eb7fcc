//! What a case finds out.

use std::{future::Future, pin::Pin};

/// A behaviour, and a way to see whether it is there.
pub struct Case<C: ?Sized> {
    /// A few words, for the table.
    pub name: &'static str,
    /// What holds.
    pub claim: &'static str,
    /// What a user loses where it does not.
    pub loss: &'static str,
    /// Finds out.
    pub run: for<'a> fn(&'a C) -> Pin<Box<dyn Future<Output = Outcome> + 'a>>,
}

/// `Ok`: the claim holds.
pub type Outcome = Result<(), Stop>;

/// Why it was not seen to hold.
#[derive(Debug, Clone)]
pub enum Stop {
    /// What was seen instead.
    Observed(String),
    /// The crate has no way to ask for it, and why.
    Cannot(&'static str),
}

/// What stands in a cell.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// The claim holds.
    Holds,
    /// What was seen instead.
    Fails(String),
    /// What was seen instead, and what the crate's documentation means.
    Differs(String, &'static str),
    /// Why it cannot be asked.
    Unavailable(&'static str),
    /// With which message.
    Panics(String),
    /// It did not end in time.
    Hangs,
}

impl Verdict {
    /// The word in the table.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Holds => "ok",
            Verdict::Fails(_) => "FAILS",
            Verdict::Differs(..) => "differs",
            Verdict::Unavailable(_) => "n/a",
            Verdict::Panics(_) => "panics",
            Verdict::Hangs => "hangs",
        }
    }

    /// Whether a claim was tried and did not hold.
    pub fn is_failure(&self) -> bool {
        matches!(self, Verdict::Fails(_) | Verdict::Panics(_) | Verdict::Hangs)
    }
}

/// Ends a case, if the claim does not hold, with what was seen.
macro_rules! ensure {
    ($holds:expr, $($seen:tt)+) => {
        if !$holds {
            return Err($crate::verdict::Stop::Observed(format!($($seen)+)));
        }
    };
}

/// Cases that are async functions of this name, with their claim and loss.
macro_rules! cases {
    ($($function:ident, $name:literal, $claim:literal, $loss:literal;)+) => {
        vec![$($crate::verdict::Case {
            name: $name,
            claim: $claim,
            loss: $loss,
            run: |contender| Box::pin($function(contender)),
        }),+]
    };
}

pub(crate) use {cases, ensure};
