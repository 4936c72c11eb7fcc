//! `Retry-After` in all its forms: obeyed if there is time for it, shown if not, and never shortened.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use underpin_httpx::Client;

use crate::resilience::httpx::{answered, quick, server::Server};

/// What a header with these values means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    /// Again at once, whatever the method.
    Now,
    /// There is no time for it.
    Never,
    /// Nothing: as if it were not there.
    Nothing,
}

const HOUR: Duration = Duration::from_secs(3600);

fn table() -> Vec<(Vec<String>, Means)> {
    let forms = |time: SystemTime| [imf(time), rfc850(time), asctime(time)];
    let one = |value: &str| vec![value.to_owned()];
    let mut table = vec![
        (one("0"), Means::Now),
        (one("00"), Means::Now),
        (one(" 0 "), Means::Now),
        (one("-5"), Means::Now),
        (one("3600"), Means::Never),
        (one("100000000000000000000"), Means::Never),
        (one("18446744073709551615"), Means::Never),
        (one("18446744073709551616"), Means::Never),
        (one(&"9".repeat(500)), Means::Never),
        (one("Fri, 31 Dec 9999 23:59:59 GMT"), Means::Never),
        (one("Thu, 01 Jan 1970 00:00:00 GMT"), Means::Now),
        (one(""), Means::Nothing),
        (one("soon"), Means::Nothing),
        (one("1.5"), Means::Nothing),
        (one("0x10"), Means::Nothing),
        (one("1 hour"), Means::Nothing),
        (one("Mon, 99 Feb 2026 25:61:61 GMT"), Means::Nothing),
        (vec!["0".to_owned(), "3600".to_owned()], Means::Never),
        (vec!["3600".to_owned(), "0".to_owned()], Means::Never),
        (vec!["soon".to_owned(), "0".to_owned()], Means::Now),
        (vec!["soon".to_owned(), "later".to_owned()], Means::Nothing),
    ];
    let now = SystemTime::now();
    table.extend(forms(now - HOUR).into_iter().map(|value| (vec![value], Means::Now)));
    table.extend(forms(now + HOUR).into_iter().map(|value| (vec![value], Means::Never)));
    table
}

#[tokio::test]
async fn every_form_means_what_it_says() {
    let client = quick().build().expect("a client");
    for (status, (values, means)) in
        [429, 503].into_iter().flat_map(|status| table().into_iter().map(move |row| (status, row)))
    {
        let headers = values
            .iter()
            .fold(String::new(), |headers, value| headers + "retry-after: " + value + "\r\n");
        let name = format!("{status} with {values:?}");
        // A server for each, for it is the host that pauses.
        for method in ["GET", "POST"] {
            let headers = headers.clone();
            let server = Server::start(move |turn| {
                if turn.order == 0 { answered(status, &headers, "") } else { answered(200, "", "") }
            })
            .await;
            let begin = Instant::now();
            let request = match method {
                "GET" => client.get(server.url("/")),
                _ => client.post(server.url("/")).body("once"),
            };
            let response =
                request.send().await.unwrap_or_else(|error| panic!("{method} {name}: {error}"));
            let elapsed = begin.elapsed();
            // A 429 was not processed, with or without a time; a 503 is only known not to have been if it names one.
            let is_retried = match means {
                Means::Now => true,
                Means::Never => false,
                Means::Nothing => method == "GET" || status == 429,
            };
            assert_eq!(response.status(), if is_retried { 200 } else { status }, "{method} {name}");
            assert_eq!(server.seen().len(), 1 + usize::from(is_retried), "{method} {name}");
            assert!(elapsed < Duration::from_secs(2), "{method} {name}: {elapsed:?}");
            if !is_retried {
                // For a caller that knows what to do with it.
                let kept = response.headers().get_all("retry-after").iter().count();
                assert_eq!(kept, values.len(), "{method} {name}");
            }
        }
    }
}

#[tokio::test]
async fn a_time_that_does_not_fit_is_surfaced_by_the_error() {
    let client = quick().build().expect("a client");
    for (value, least, most) in [
        ("3600".to_owned(), HOUR, HOUR),
        // A century, of which no clock is afraid.
        ("100000000000000000000".to_owned(), 876_000 * HOUR, 876_000 * HOUR),
        (imf(SystemTime::now() + HOUR), Duration::from_secs(3590), HOUR),
    ] {
        let headers = format!("retry-after: {value}\r\n");
        let server = Server::start(move |_| answered(503, &headers, "closed for repairs")).await;
        let error = client.get(server.url("/")).bytes().await.expect_err("a 503");
        assert_eq!(error.status().map(|status| status.as_u16()), Some(503));
        let after = error.retry_after().unwrap_or_else(|| panic!("{value}: {error}"));
        assert!(least <= after && after <= most, "{value}: {after:?}");
        assert_eq!(error.attempts(), 1);
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_time_that_fits_is_waited_for_and_never_shortened() {
    let client = quick().build().expect("a client");
    for is_date in [false, true] {
        // A date has no fractions, so the time is one to two seconds from now.
        let (value, least) = if is_date {
            (imf(SystemTime::now() + Duration::from_secs(2)), Duration::from_millis(900))
        } else {
            ("1".to_owned(), Duration::from_secs(1))
        };
        let headers = format!("retry-after: {value}\r\n");
        let server = Server::start(move |turn| {
            if turn.order == 0 { answered(429, &headers, "") } else { answered(200, "", "") }
        })
        .await;
        let begin = Instant::now();
        let response = client.post(server.url("/")).body("once").send().await.expect("an answer");
        let elapsed = begin.elapsed();
        assert_eq!((response.status().as_u16(), response.attempts()), (200, 2), "{value}");
        assert!(elapsed >= least && elapsed < 3 * Duration::from_secs(1), "{value}: {elapsed:?}");
    }
}

#[tokio::test]
async fn every_attempt_is_told_anew() {
    let client: Client = quick().build().expect("a client");
    let server = Server::start(|turn| match turn.order {
        0 | 2 => answered(503, "retry-after: 0\r\n", ""),
        1 => answered(429, "retry-after: -1\r\n", ""),
        _ => answered(503, "retry-after: 77\r\n", ""),
    })
    .await;
    let error = client.post(server.url("/")).body("once").bytes().await.expect_err("a 503");
    assert_eq!(error.attempts(), 4);
    assert_eq!(server.seen().len(), 4);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(77)));
}

/// What a date is made of.
struct Parts {
    weekday: usize,
    day: u64,
    month: usize,
    year: u64,
    clock: String,
}

const WEEKDAYS: [&str; 7] =
    ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Written here, so that no reader of dates agrees with itself.
fn parts(time: SystemTime) -> Parts {
    let seconds = time.duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let (mut day, rest) = (seconds / 86_400, seconds % 86_400);
    let weekday = usize::try_from(day % 7).expect("small");
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while day >= lengths[month] {
        day -= lengths[month];
        month += 1;
    }
    let clock = format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    Parts { weekday, day: day + 1, month, year, clock }
}

fn imf(time: SystemTime) -> String {
    let Parts { weekday, day, month, year, clock } = parts(time);
    format!("{}, {day:02} {} {year} {clock} GMT", &WEEKDAYS[weekday][..3], MONTHS[month])
}

fn rfc850(time: SystemTime) -> String {
    let Parts { weekday, day, month, year, clock } = parts(time);
    format!("{}, {day:02}-{}-{:02} {clock} GMT", WEEKDAYS[weekday], MONTHS[month], year % 100)
}

fn asctime(time: SystemTime) -> String {
    let Parts { weekday, day, month, year, clock } = parts(time);
    format!("{} {} {day:2} {clock} {year}", &WEEKDAYS[weekday][..3], MONTHS[month])
}
