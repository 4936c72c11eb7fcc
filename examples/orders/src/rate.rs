//! A number of requests in a time.

use std::time::Duration;

use underpin_config::{Form, Invalid, Rules, Value};

/// `100/10s`: so many requests in any window of that length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) requests: u32,
    pub(crate) window: Duration,
}

impl Value for Rate {
    const FORM: Form = Form::text("a number of requests in a time, such as 100/10s");

    fn parse(text: &str, _: &Rules) -> Result<Self, Invalid> {
        let (requests, window) =
            text.split_once('/').ok_or(Invalid::new("has no / between the number and the time"))?;
        let requests = u32::parse(requests, &Rules::NONE)?;
        let window = Duration::parse(window, &Rules::NONE)?;
        if requests == 0 || window.is_zero() {
            return Err(Invalid::new("would let no request pass"));
        }
        Ok(Rate { requests, window })
    }
}
