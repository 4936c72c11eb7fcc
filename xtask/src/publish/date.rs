//! The one date format that registries speak: `Tue, 24 Nov 2026 08:49:37 GMT`.

use std::{
    ops::Range,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const DAY: u64 = 86_400;
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Writes a time, to the second; a time before 1970 is written as 1970.
pub(crate) fn format(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (mut day, second) = (seconds / DAY, seconds % DAY);
    let weekday = DAYS[usize::try_from(day % 7).unwrap_or_default()];
    let mut year = 1970;
    while day >= days_in_year(year) {
        day -= days_in_year(year);
        year += 1;
    }
    let mut month = 0;
    while day >= days_in_month(year, month) {
        day -= days_in_month(year, month);
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!(
        "{weekday}, {:02} {} {year} {hour:02}:{minute:02}:{second:02} GMT",
        day + 1,
        MONTHS[month]
    )
}

/// Reads a date at the start of `text`.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    let number = |range: Range<usize>| text.get(range)?.parse::<u64>().ok();
    let month = text.get(8..11)?;
    let month = MONTHS.iter().position(|name| *name == month)?;
    let year = number(12..16)?;
    let days = (1970..year).map(days_in_year).sum::<u64>()
        + (0..month).map(|month| days_in_month(year, month)).sum::<u64>()
        + number(5..7)?.checked_sub(1)?;
    let seconds = days * DAY + number(17..19)? * 3600 + number(20..22)? * 60 + number(23..25)?;
    // Whatever is no date, a 30th of February or a wrong weekday, comes out as another one.
    Some(UNIX_EPOCH + Duration::from_secs(seconds)).filter(|time| text.starts_with(&format(*time)))
}

fn days_in_year(year: u64) -> u64 {
    (0..12).map(|month| days_in_month(year, month)).sum()
}

/// `month` counts from 0.
fn days_in_month(year: u64, month: usize) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 if leap => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_seconds_have_their_known_dates() {
        for (seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(format(time), text);
            assert_eq!(parse(&format!("{text} or ask for more")), Some(time));
        }
    }

    #[test]
    fn the_days_of_two_centuries_survive_the_round_trip() {
        for day in (0..73_000).step_by(13) {
            let time = UNIX_EPOCH + Duration::from_secs(day * DAY + 12_345);
            assert_eq!(parse(&format(time)), Some(time));
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "tomorrow",
            "Tue, 30 Feb 2026 00:00:00 GMT",
            "Tue, 00 Jan 2026 00:00:00 GMT",
            "Tue, 24 Nov 2026 24:00:00 GMT",
            "Tue, 24 Nov 2026 10:00 GMT",
            "Tue, 24 Nov 2026 10:00:00 CET",
            "Mon, 24 Nov 2026 10:00:00 GMT",
            "Tue, 24 Nov 1926 10:00:00 GMT",
            "Tue, 24 Növ 2026 10:00:00 GMT",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
