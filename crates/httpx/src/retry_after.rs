//! `Retry-After`: seconds, or a date in any of the three forms.

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};

/// A century. Longer times could not be added to an instant.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// How long the server asks to be left alone, up to a century; the longest, if it says several things. What is in the past is 0.
/// Nobody is asked for the time unless there is one to compare it with.
pub(crate) fn retry_after(
    headers: &HeaderMap,
    now: impl FnOnce() -> SystemTime,
) -> Option<Duration> {
    headers.get(RETRY_AFTER)?;
    let now = now();
    let values = headers.get_all(RETRY_AFTER).iter();
    values.filter_map(|value| parse(value.to_str().ok()?.trim(), now)).max()
}

fn parse(value: &str, now: SystemTime) -> Option<Duration> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        if digits.len() < value.len() {
            return Some(Duration::ZERO);
        }
        return Some(digits.parse().map_or(FOR_EVER, Duration::from_secs).min(FOR_EVER));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default().min(FOR_EVER))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT is 10 s later.
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_767)
    }

    fn of(values: &[&'static str]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(RETRY_AFTER, HeaderValue::from_static(value));
        }
        retry_after(&headers, now)
    }

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn seconds() {
        assert_eq!(of(&["120"]), Some(secs(120)));
        assert_eq!(of(&[" 7 "]), Some(secs(7)));
        assert_eq!(of(&["0"]), Some(secs(0)));
        assert_eq!(of(&["-5"]), Some(secs(0)));
    }

    #[test]
    fn three_forms_of_a_date() {
        assert_eq!(of(&["Sun, 06 Nov 1994 08:49:37 GMT"]), Some(secs(10)));
        assert_eq!(of(&["Sunday, 06-Nov-94 08:49:37 GMT"]), Some(secs(10)));
        assert_eq!(of(&["Sun Nov  6 08:49:37 1994"]), Some(secs(10)));
        assert_eq!(of(&["Sun, 06 Nov 1994 08:49:17 GMT"]), Some(secs(0)));
    }

    #[test]
    fn more_than_there_is_is_for_ever() {
        assert_eq!(of(&["100000000000000000000"]), Some(FOR_EVER));
        assert_eq!(of(&["18446744073709551615"]), Some(FOR_EVER));
        assert_eq!(of(&["Fri, 31 Dec 9999 23:59:59 GMT"]), Some(FOR_EVER));
    }

    #[test]
    fn nonsense_is_none() {
        for value in ["", "-", "soon", "1.5", "+3", "3s", "0x10", "Sun, 99 Nov 1994 08:49:37 GMT"] {
            assert_eq!(of(&[value]), None, "{value:?}");
        }
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn of_several_the_longest_that_is_valid() {
        assert_eq!(of(&["3", "soon", "7", "5"]), Some(secs(7)));
        assert_eq!(of(&["3", "Sun, 06 Nov 1994 08:49:37 GMT"]), Some(secs(10)));
    }
}
