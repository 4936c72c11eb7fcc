//! Byte sizes such as `4MiB` and `4MB`.

use std::fmt;

use super::{Form, Invalid, Measured, Ranged, Rules, Shape, Value};

const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

/// A number of bytes.
///
/// Written with its unit: `B`, `KB`, `MB`, `GB`, `TB` are powers of 1000 and `KiB`, `MiB`, `GiB`, `TiB` powers of 1024, in any case.
/// `4M` is rejected, since half of the programs that accept it mean 4,000,000 and the other half 4,194,304.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ByteSize(u64);

impl ByteSize {
    /// That many bytes.
    pub const fn new(bytes: u64) -> ByteSize {
        ByteSize(bytes)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// Writes the largest unit that divides the size: `4MiB`, `1500B`.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, bytes)| self.0 != 0 && self.0.is_multiple_of(*bytes));
        let (name, bytes) = unit.copied().unwrap_or(("B", 1));
        write!(f, "{}{name}", self.0 / bytes)
    }
}

impl Value for ByteSize {
    const FORM: Form = Form::new(
        Shape::Pattern(r"^[0-9]+(\.[0-9]+)?([KkMmGgTt][Ii]?)?[Bb]?$"),
        "a byte size such as 512KiB, 4MiB or 1GB",
    );

    fn parse(text: &str, rules: &Rules) -> Result<Self, Invalid> {
        let size = parse(text, rules.unit)?;
        rules.check(size, |bound| parse(bound, None))
    }
}

impl Ranged for ByteSize {}
impl Measured for ByteSize {
    const UNITS: &'static [&'static str] =
        &["TiB", "TB", "GiB", "GB", "MiB", "MB", "KiB", "KB", "B"];
}

fn parse(text: &str, default_unit: Option<&str>) -> Result<ByteSize, Invalid> {
    let (whole, fraction, written) = super::number::split_decimal(text)?;
    let unit = match (written, default_unit) {
        ("", Some(unit)) => unit,
        ("", None) => {
            return Err(Invalid::new("has no unit: write B, KiB, MiB or GiB after the number"));
        }
        (written, _) => written,
    };
    let Some(&(_, bytes)) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)) else {
        return Err(match unit {
            "K" | "M" | "G" | "T" | "k" | "m" | "g" | "t" => Invalid::new(
                "has a unit of two meanings: write KiB, MiB, GiB for powers of 1024 or KB, MB, GB for powers of 1000",
            ),
            unit => {
                Invalid::quoting(format!("has the unknown unit {unit:?}: use B, KiB, MiB or GiB"))
            }
        });
    };
    super::number::scale(whole, fraction, u128::from(bytes))
        .and_then(|bytes| u64::try_from(bytes).ok())
        .map(ByteSize)
        .ok_or(Invalid::new("is not a whole number of bytes or is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_powers_of_1024_from_powers_of_1000() {
        for (text, bytes) in [
            ("4MiB", 4_194_304),
            ("4MB", 4_000_000),
            ("4mb", 4_000_000),
            ("1.5KiB", 1_536),
            ("0B", 0),
            ("1TiB", 1 << 40),
            ("18446744073709551615B", u64::MAX),
        ] {
            assert_eq!(parse(text, None), Ok(ByteSize(bytes)), "{text}");
        }
        assert_eq!(parse("1024", Some("B")), Ok(ByteSize(1024)));
    }

    #[test]
    fn rejects_what_could_mean_two_things() {
        for text in [
            "",
            "4",
            "4M",
            "4k",
            "-4B",
            "4 MiB",
            "4MiBs",
            "0.5B",
            "18446744073709551616B",
            "99999999999TiB",
            "MiB",
            "1e3B",
        ] {
            assert!(parse(text, None).is_err(), "{text}");
        }
    }

    #[test]
    fn display_is_read_back() {
        for bytes in [0, 1, 999, 1_000, 1_024, 1_536, 4_000_000, 4_194_304, u64::MAX] {
            let size = ByteSize(bytes);
            assert_eq!(parse(&size.to_string(), None), Ok(size));
        }
    }
}
