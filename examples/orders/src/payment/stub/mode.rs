//! How the stub behaves, good or bad.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// What the provider does with a charge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    #[default]
    Ok,
    /// 402: the customer cannot pay.
    Decline,
    /// 500, and nothing is charged.
    Fail,
    /// Charges, and answers 500 all the same: who tries again without a key pays twice.
    FailAfter,
    /// Never answers.
    Hang,
    /// Charges, and answers a byte a second.
    Trickle,
    /// The connection is reset.
    Reset,
    /// 429 with `Retry-After`.
    Throttle,
}

/// A mode, and for how many charges: without a number, until another is set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setting {
    mode: Mode,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    charges: Option<NonZeroU32>,
}

impl Setting {
    /// What the next charge meets. After the last one, all is well again.
    pub(super) fn next(&mut self) -> Mode {
        let mode = self.mode;
        if let Some(left) = self.charges {
            *self = match NonZeroU32::new(left.get() - 1) {
                None => Setting::default(),
                left => Setting { mode, charges: left },
            };
        }
        mode
    }
}

impl From<Mode> for Setting {
    fn from(mode: Mode) -> Setting {
        Setting { mode, charges: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_lasts_for_its_number_of_charges() {
        let mut setting: Setting =
            serde_json::from_str(r#"{"mode":"fail-after","for":2}"#).unwrap();
        assert_eq!([setting.next(), setting.next()], [Mode::FailAfter; 2]);
        assert_eq!((setting.next(), setting), (Mode::Ok, Setting::default()));
        let mut setting = Setting::from(Mode::Hang);
        assert!((0..100).all(|_| setting.next() == Mode::Hang));
        assert_eq!(serde_json::to_string(&setting).unwrap(), r#"{"mode":"hang"}"#);
    }
}
