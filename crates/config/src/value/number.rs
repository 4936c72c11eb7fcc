//! Integers and finite floating-point numbers.

use std::num::{
    IntErrorKind, NonZeroU8, NonZeroU16, NonZeroU32, NonZeroU64, NonZeroUsize, ParseIntError,
};

use super::{Form, Invalid, Ranged, Rules, Shape, Value};

macro_rules! integers {
    ($($type:ty: $expects:literal),* $(,)?) => {$(
        impl Value for $type {
            const FORM: Form = Form::new(Shape::Integer, $expects);

            fn parse(text: &str, rules: &Rules) -> Result<Self, Invalid> {
                let read = |text: &str| text.parse::<$type>().map_err(|error| integer_error(&error));
                rules.check(read(text)?, read)
            }
        }

        impl Ranged for $type {}
    )*};
}

integers! {
    u8: "a whole number from 0 to 255",
    u16: "a whole number from 0 to 65535",
    u32: "a whole number from 0 to 4294967295",
    u64: "a whole number from 0",
    u128: "a whole number from 0",
    usize: "a whole number from 0",
    i8: "a whole number from -128 to 127",
    i16: "a whole number from -32768 to 32767",
    i32: "a whole number from -2147483648 to 2147483647",
    i64: "a whole number",
    i128: "a whole number",
    isize: "a whole number",
    NonZeroU8: "a whole number from 1 to 255",
    NonZeroU16: "a whole number from 1 to 65535",
    NonZeroU32: "a whole number from 1 to 4294967295",
    NonZeroU64: "a whole number from 1",
    NonZeroUsize: "a whole number from 1",
}

macro_rules! floats {
    ($($type:ty),*) => {$(
        impl Value for $type {
            const FORM: Form = Form::new(Shape::Number, "a number");

            fn parse(text: &str, rules: &Rules) -> Result<Self, Invalid> {
                let read = |text: &str| match text.parse::<$type>() {
                    Ok(number) if number.is_finite() => Ok(number),
                    Ok(_) => Err(Invalid::new("is not a finite number")),
                    Err(_) => Err(Invalid::new("is not a number")),
                };
                rules.check(read(text)?, read)
            }
        }

        impl Ranged for $type {}
    )*};
}

floats!(f32, f64);

fn integer_error(error: &ParseIntError) -> Invalid {
    match error.kind() {
        IntErrorKind::PosOverflow => Invalid::new("is too large"),
        IntErrorKind::NegOverflow => Invalid::new("is too small"),
        IntErrorKind::Zero => Invalid::new("must not be zero"),
        _ => Invalid::new("is not a whole number"),
    }
}

/// The digits before and after the point at the start of `text`, and what follows them.
pub(super) fn split_decimal(text: &str) -> Result<(&str, Option<&str>, &str), Invalid> {
    const NO_NUMBER: Invalid = Invalid::new("does not have a number where one must be");
    let (whole, rest) = split_digits(text);
    if whole.is_empty() {
        return Err(NO_NUMBER);
    }
    let Some(after_point) = rest.strip_prefix('.') else {
        return Ok((whole, None, rest));
    };
    let (fraction, rest) = split_digits(after_point);
    if fraction.is_empty() {
        return Err(NO_NUMBER);
    }
    Ok((whole, Some(fraction), rest))
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

/// `whole.fraction * factor`, if that is a whole number and fits.
pub(super) fn scale(whole: &str, fraction: Option<&str>, factor: u128) -> Option<u128> {
    let mut total = whole.parse::<u128>().ok()?.checked_mul(factor)?;
    if let Some(fraction) =
        fraction.map(|digits| digits.trim_end_matches('0')).filter(|digits| !digits.is_empty())
    {
        let divisor = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let scaled = fraction.parse::<u128>().ok()?.checked_mul(factor)?;
        if !scaled.is_multiple_of(divisor) {
            return None;
        }
        total = total.checked_add(scaled / divisor)?;
    }
    Some(total)
}
