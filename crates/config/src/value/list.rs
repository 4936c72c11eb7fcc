//! Lists.

use super::{Form, Invalid, Listed, Measured, Ranged, Rules, Schemed, Value};

/// Items separated by commas, or by the field's `separator`.
///
/// White space around an item is dropped, and so is one empty item at the end, so that a trailing comma does no harm.
impl<T: Value> Value for Vec<T> {
    const FORM: Form = T::FORM.list();

    fn parse(text: &str, rules: &Rules) -> Result<Self, Invalid> {
        let text = text.trim();
        let text = text.strip_suffix(rules.separator).unwrap_or(text);
        if text.is_empty() {
            return Ok(Vec::new());
        }
        text.split(rules.separator)
            .map(|item| match item.trim() {
                "" => Err(Invalid::new("has an empty item")),
                item => T::parse(item, rules),
            })
            .collect()
    }
}

impl<T: Ranged> Ranged for Vec<T> {}
impl<T: Schemed> Schemed for Vec<T> {}
impl<T: Value> Listed for Vec<T> {}
impl<T: Measured> Measured for Vec<T> {
    const UNITS: &'static [&'static str] = T::UNITS;
}
