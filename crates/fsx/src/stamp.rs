//! What tells records apart: a random UUID, and the time.

use std::{
    io::{self, Write},
    time::{Duration, SystemTime},
};

use crate::random::random;

/// Writes `"id":"...","timestamp":"..."`.
pub(crate) fn write_stamp(to: &mut impl Write) -> io::Result<()> {
    to.write_all(b"\"id\":\"")?;
    write_uuid(to, random(), random())?;
    to.write_all(b"\",\"timestamp\":\"")?;
    // A clock before 1970 is not set.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    write_time(to, now)?;
    to.write_all(b"\"")
}

/// Version 4 of RFC 9562: 122 random bits.
fn write_uuid(to: &mut impl Write, high: u64, low: u64) -> io::Result<()> {
    let high = high & !0xf000 | 0x4000;
    let low = low & (u64::MAX >> 2) | 1 << 63;
    write!(
        to,
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff,
    )
}

/// ISO 8601 in UTC, to a millisecond.
fn write_time(to: &mut impl Write, since_1970: Duration) -> io::Result<()> {
    let seconds = since_1970.as_secs();
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let millis = since_1970.subsec_millis();
    write!(to, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// The date of a day, counted from 1970-01-01. Years begin in March here, so that the leap day is their last.
fn date(day: u64) -> (u64, u64, u64) {
    // Days since 0000-03-01; the calendar repeats after 400 years.
    let day = day + 719_468;
    let (era, day_of_era) = (day / 146_097, day % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day_of_month)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{write_time, write_uuid};

    fn text(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
        let mut bytes = Vec::new();
        write(&mut bytes).expect("a vector takes it");
        String::from_utf8(bytes).expect("ASCII")
    }

    #[test]
    fn times_are_iso_8601() {
        for (millis, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_001, "2024-02-29T23:59:59.001Z"),
            (1_767_225_599_000, "2025-12-31T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(text(|to| write_time(to, Duration::from_millis(millis))), expected);
        }
    }

    #[test]
    fn uuid_says_its_version_and_variant() {
        assert_eq!(text(|to| write_uuid(to, 0, 0)), "00000000-0000-4000-8000-000000000000");
        let all = text(|to| write_uuid(to, u64::MAX, u64::MAX));
        assert_eq!(all, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
