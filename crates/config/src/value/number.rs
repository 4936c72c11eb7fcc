//! Integers and finite floating-point numbers.

use std::num::{
    IntErrorKind, NonZeroU8, NonZeroU16, NonZeroU32, NonZeroU64, NonZeroUsize, ParseIntError,
};

use super::{Form, Invalid, Ranged, Rules, Shape, Value};

macro_rules! integers {
    ($($type:ty: $low:literal, $high:literal;)*) => {$(
        impl Value for $type {
            const FORM: Form = Form::integer($low, $high);

            fn parse(text: &str, rules: &Rules) -> Result<Self, Invalid> {
                let read = |text: &str| {
                    text.parse::<$type>().map_err(|error| integer_error(text, &error))
                };
                rules.check(read(text)?, read)
            }
        }

        impl Ranged for $type {}
    )*};
}

// Bounds that nobody would recognise are left open.
integers! {
    u8: "0", "255";
    u16: "0", "65535";
    u32: "0", "4294967295";
    u64: "0", "";
    u128: "0", "";
    usize: "0", "";
    i8: "-128", "127";
    i16: "-32768", "32767";
    i32: "-2147483648", "2147483647";
    i64: "", "";
    i128: "", "";
    isize: "", "";
    NonZeroU8: "1", "255";
    NonZeroU16: "1", "65535";
    NonZeroU32: "1", "4294967295";
    NonZeroU64: "1", "";
    NonZeroUsize: "1", "";
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

fn integer_error(text: &str, error: &ParseIntError) -> Invalid {
    // To an unsigned type the sign is a wrong digit.
    let is_negative = text.strip_prefix('-').is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    match error.kind() {
        IntErrorKind::InvalidDigit if is_negative => Invalid::new("is too small"),
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
