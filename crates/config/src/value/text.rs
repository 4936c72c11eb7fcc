//! Text, paths and booleans.

use std::path::PathBuf;

use super::{Form, Invalid, Rules, Shape, Value};

impl Value for String {
    const FORM: Form = Form::text("text");

    fn parse(text: &str, _: &Rules) -> Result<Self, Invalid> {
        Ok(text.to_owned())
    }
}

impl Value for PathBuf {
    const FORM: Form = Form::text("a path");

    fn parse(text: &str, _: &Rules) -> Result<Self, Invalid> {
        Ok(PathBuf::from(text))
    }
}

impl Value for char {
    const FORM: Form = Form::text("one character");

    fn parse(text: &str, _: &Rules) -> Result<Self, Invalid> {
        text.parse().map_err(|_| Invalid::new("is not one character"))
    }
}

impl Value for bool {
    const FORM: Form = Form::new(Shape::Boolean, "true or false");

    fn parse(text: &str, _: &Rules) -> Result<Self, Invalid> {
        let is = |names: [&str; 4]| names.iter().any(|name| name.eq_ignore_ascii_case(text));
        if is(["true", "1", "yes", "on"]) {
            Ok(true)
        } else if is(["false", "0", "no", "off"]) {
            Ok(false)
        } else {
            Err(Invalid::new("is neither true nor false"))
        }
    }
}
