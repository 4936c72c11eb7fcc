//! What is known about one panic.

use std::{
    any::Any,
    backtrace::{Backtrace, BacktraceStatus},
    panic::PanicHookInfo,
    thread,
    time::{Duration, SystemTime},
};

use crate::{json, text};

/// The most bytes of a backtrace: a recursion without end has tens of thousands of frames, of which the first ones tell all.
const MAX_BACKTRACE: usize = 64 * 1024;

/// What is known about one panic.
#[derive(Debug)]
pub struct Panic {
    time: SystemTime,
    thread: String,
    message: String,
    location: Option<String>,
    backtrace: Option<String>,
}

impl Panic {
    pub(super) fn new(info: &PanicHookInfo<'_>) -> Panic {
        let backtrace = Backtrace::capture();
        Panic {
            time: SystemTime::now(),
            thread: thread::current().name().unwrap_or("<unnamed>").to_owned(),
            message: text::clip(message(info.payload()), text::VALUE_LIMIT).to_owned(),
            location: info.location().map(ToString::to_string),
            // Finding names and lines can take longer than anybody waits for a report, so that it is done before. Std's own hook
            // does the same here.
            backtrace: (backtrace.status() == BacktraceStatus::Captured)
                .then(|| text::clip(&backtrace.to_string(), MAX_BACKTRACE).to_owned()),
        }
    }

    /// When it happened.
    pub fn time(&self) -> SystemTime {
        self.time
    }

    /// The name of its thread, or `<unnamed>`.
    pub fn thread(&self) -> &str {
        &self.thread
    }

    /// The message, at most 4 KiB of it; `Box<dyn Any>` where the payload is no text.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where it happened, as `file:line:column`.
    pub fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }

    /// The backtrace, at most 64 KiB of it, where the environment asks for one.
    pub fn backtrace(&self) -> Option<&str> {
        self.backtrace.as_deref()
    }

    /// The line of the log.
    pub(super) fn json(&self, dropped: u64) -> String {
        let mut object = json::Object::new();
        object.string("timestamp", &rfc3339(self.time));
        object.string("level", "error");
        object.string("target", "panic");
        object.string("message", &self.message);
        object.string("thread", &self.thread);
        if let Some(location) = &self.location {
            object.string("location", location);
        }
        if let Some(backtrace) = &self.backtrace {
            object.string("backtrace", backtrace);
        }
        object.raw("dropped", dropped);
        object.finish() + "\n"
    }

    /// What std's own hook writes.
    pub(super) fn text(&self, hint: &str) -> String {
        let Panic { thread, message, .. } = self;
        let location = self.location.as_deref().unwrap_or("an unknown location");
        let backtrace = match &self.backtrace {
            Some(backtrace) => format!("stack backtrace:\n{backtrace}"),
            None => hint.to_owned(),
        };
        format!("\nthread '{thread}' panicked at {location}:\n{message}\n{backtrace}")
    }
}

fn message(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "Box<dyn Any>"
    }
}

/// RFC 3339 in UTC, to the millisecond. A clock before 1970 shows 1970.
fn rfc3339(time: SystemTime) -> String {
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = since_epoch.as_secs();
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let (year, month, day) = date(seconds / 86_400);
    let millis = since_epoch.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// The date of a day since 1970-01-01, in the Gregorian calendar.
///
/// Years are counted from March, which puts the leap day at the end of one and makes the lengths of months regular: 153
/// days in any five months.
fn date(days_since_epoch: u64) -> (u64, u64, u64) {
    const DAYS_BEFORE_EPOCH: u64 = 719_468; // From 0000-03-01.
    const DAYS_IN_ERA: u64 = 146_097; // 400 years.
    let days = days_since_epoch + DAYS_BEFORE_EPOCH;
    let (era, day_of_era) = (days / DAYS_IN_ERA, days % DAYS_IN_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
impl Panic {
    pub(super) fn example() -> Panic {
        Panic {
            time: SystemTime::UNIX_EPOCH,
            thread: String::from("main"),
            message: String::from("boom"),
            location: None,
            backtrace: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_know_leap_years() {
        let table = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000Z"),
            (1_709_251_200, "2024-03-01T00:00:00.000Z"),
            (1_767_225_599, "2025-12-31T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ];
        for (seconds, expected) in table {
            assert_eq!(rfc3339(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }
}
