//! The three forms of a fault: for clients, for logs, for developers.

use std::{
    error::Error as _,
    fmt::{self, Write as _},
};

use super::{BUG_CODE, BUG_MESSAGE, Fault};
use crate::text::{self, OneLine};

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return self.log_line(f);
        }
        if self.kind().is_bug() {
            return write!(f, "{BUG_CODE}: {BUG_MESSAGE}");
        }
        write!(f, "{}", OneLine(self.code()))?;
        match self.public_message() {
            Some(message) => write!(f, ": {}", OneLine(message)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tree(f, 0)
    }
}

impl Fault {
    fn log_line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        for (at, field) in self.0.fields.iter().enumerate() {
            f.write_str(if at == 0 { " {" } else { ", " })?;
            write!(f, "{}={:?}", OneLine(&field.key), field.value)?;
        }
        if !self.0.fields.is_empty() {
            f.write_str("}")?;
        }
        for cause in text::chain(self.source()) {
            match cause.downcast_ref::<Fault>() {
                // It writes the rest of the chain itself.
                Some(fault) => return write!(f, ": {fault:#}"),
                None => write!(f, ": {}", OneLine(&text::render(&cause)))?,
            }
        }
        Ok(())
    }

    /// The first line. It shows what is private, too.
    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", OneLine(self.code()), self.kind())?;
        match &self.0.message {
            Some(message) => write!(f, ": {}", OneLine(message)),
            None => Ok(()),
        }
    }

    fn tree(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let margin = "  ".repeat(depth + 1);
        self.head(f)?;
        write!(f, "\n{margin}at {}", self.location())?;
        for field in &self.0.fields {
            let verb = if field.is_public { "exposes" } else { "with" };
            write!(f, "\n{margin}{verb} {}={:?}", OneLine(&field.key), field.value)?;
        }
        for cause in text::chain(self.source()) {
            write!(f, "\n{margin}caused by: ")?;
            match cause.downcast_ref::<Fault>() {
                Some(fault) => {
                    fault.tree(f, depth + 1)?;
                    break;
                }
                None => write!(f, "{}", OneLine(&text::render(&cause)))?,
            }
        }
        for sibling in &self.0.siblings {
            write!(f, "\n{margin}and: ")?;
            sibling.tree(f, depth + 1)?;
        }
        if let Some(backtrace) = self.backtrace() {
            write!(f, "\n{margin}backtrace:")?;
            for line in backtrace.to_string().lines() {
                f.write_char('\n')?;
                f.write_str(&margin)?;
                f.write_str(line)?;
            }
        }
        Ok(())
    }
}
