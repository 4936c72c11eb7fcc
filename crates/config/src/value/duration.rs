//! Durations such as `250ms`, `1.5s` and `1h30m`.

use std::time::Duration;

use super::{Form, Invalid, Measured, Ranged, Rules, Shape, Value};

/// Nanoseconds in each unit, longest first: the order in which a duration may name them.
const UNITS: [(&str, u128); 9] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    // The micro sign, and the Greek letter that looks like it.
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ns", 1),
];

impl Value for Duration {
    const FORM: Form = Form::new(
        Shape::Pattern("^([0-9]+(\\.[0-9]+)?(d|h|m|s|ms|us|\u{b5}s|\u{3bc}s|ns)?)+$"),
        "a duration such as 250ms, 30s or 1h30m",
    );

    fn parse(text: &str, rules: &Rules) -> Result<Self, Invalid> {
        let duration = parse(text, rules.unit)?;
        rules.check(duration, |bound| parse(bound, None))
    }
}

impl Ranged for Duration {}
impl Measured for Duration {
    const UNITS: &'static [&'static str] = &["d", "h", "m", "s", "ms", "us", "µs", "ns"];
}

/// Numbers with units from the longest to the shortest, each at most once, a fraction only in the last.
fn parse(text: &str, default_unit: Option<&str>) -> Result<Duration, Invalid> {
    let mut rest = text;
    let mut total: u128 = 0;
    let mut shorter_than = u128::MAX;
    while !rest.is_empty() {
        let (whole, fraction, after) = super::number::split_decimal(rest)?;
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (written, after) = after.split_at(end);
        let unit = match (written, default_unit) {
            ("", Some(unit))
                if after.is_empty()
                    && whole.len() + fraction.map_or(0, |f| f.len() + 1) == text.len() =>
            {
                unit
            }
            ("", _) => {
                return Err(Invalid::new("has no unit: write ms, s, m, h or d after the number"));
            }
            (written, _) => written,
        };
        let Some(&(_, nanos)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(Invalid::quoting(format!(
                "has the unknown unit {unit:?}: use ms, s, m, h or d"
            )));
        };
        if nanos >= shorter_than {
            return Err(Invalid::new(
                "names its units in the wrong order or twice: write 1h30m, not 30m1h",
            ));
        }
        if fraction.is_some() && !after.is_empty() {
            return Err(Invalid::new(
                "has a fraction before its last unit: write 1h30m, not 1.5h10s",
            ));
        }
        shorter_than = nanos;
        total = super::number::scale(whole, fraction, nanos)
            .ok_or(Invalid::new("is finer than a nanosecond or longer than a duration can be"))?
            .checked_add(total)
            .ok_or(TOO_LONG)?;
        rest = after;
    }
    let seconds = u64::try_from(total / 1_000_000_000).map_err(|_| TOO_LONG)?;
    let nanos = u32::try_from(total % 1_000_000_000).map_err(|_| TOO_LONG)?;
    Ok(Duration::new(seconds, nanos))
}

const TOO_LONG: Invalid = Invalid::new("is longer than a duration can be");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, nanos) in [
            ("1500ms", 1_500_000_000),
            ("1.5s", 1_500_000_000),
            ("2h30m", 9_000_000_000_000),
            ("1d", 86_400_000_000_000),
            ("0s", 0),
            ("7us", 7_000),
            ("7\u{b5}s", 7_000),
            ("7\u{3bc}s", 7_000),
            ("1m0.25s", 60_250_000_000),
            ("0.000000001s", 1),
        ] {
            assert_eq!(parse(text, None).map(|d| d.as_nanos()), Ok(nanos), "{text}");
        }
        assert_eq!(parse("30", Some("s")), Ok(Duration::from_secs(30)));
        assert_eq!(parse("0.5", Some("s")), Ok(Duration::from_millis(500)));
        assert_eq!(parse("18446744073709551615s", None), Ok(Duration::from_secs(u64::MAX)));
    }

    #[test]
    fn rejects_what_could_mean_two_things() {
        for text in [
            "",
            "30",
            "30x",
            "-1s",
            "+1s",
            "1 s",
            " 1s",
            "s",
            "1.s",
            ".5s",
            "1h1h",
            "30m1h",
            "1.5h10s",
            "1e3s",
            "0.5ns",
            "18446744073709551616s",
            "99999999999999999999999999999999999999999d",
            "1S",
            "1M",
            "1..5s",
            "∞s",
            "1h30",
        ] {
            assert!(parse(text, None).is_err() || text.is_empty(), "{text}");
        }
        assert!(parse("1h30", Some("s")).is_err(), "the declared unit is for a bare number only");
    }
}
