//! Problems and kinds through serde.

use std::{borrow::Cow, fmt, time::Duration};

use ::serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
    ser::SerializeMap as _,
};

use super::{Problem, RESERVED, Value};
use crate::{
    Kind,
    remote::{self, MAX_ENTRIES, MAX_NAME},
    text::{self, VALUE_LIMIT},
};

/// Where any crate of the program turns on the feature `arbitrary_precision` of `serde_json`, a number with a fraction comes as a map whose
/// only key this is.
const FRACTION: &str = "$serde_json::private::Number";

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
        let name = Cow::<str>::deserialize(deserializer)?;
        Kind::from_name(&name)
            .ok_or_else(|| D::Error::custom("expected the name of a kind, such as NOT_FOUND"))
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut result = Ok(());
        self.for_each(|name, value| {
            if result.is_ok() {
                result = match value {
                    Value::Text(text) => map.serialize_entry(name, text),
                    Value::Status(status) => map.serialize_entry(name, &status),
                    Value::Seconds(delay) if delay.subsec_nanos() == 0 => {
                        map.serialize_entry(name, &delay.as_secs())
                    }
                    Value::Seconds(delay) => map.serialize_entry(name, &delay.as_secs_f64()),
                };
            }
        });
        result?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Problem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Problem, D::Error> {
        deserializer.deserialize_map(ProblemVisitor)
    }
}

struct ProblemVisitor;

impl<'de> Visitor<'de> for ProblemVisitor {
    type Value = Problem;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a problem document, which is an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Problem, A::Error> {
        let mut read = Read::default();
        while let Some(name) = map.next_key::<String>()? {
            let value: Scalar = map.next_value()?;
            read.member(&name, value);
        }
        Ok(read.finish())
    }
}

/// What was read so far. Kind and status may come last, so all decisions wait for the end.
#[derive(Default)]
struct Read {
    kind: Option<Kind>,
    status: Option<u16>,
    code: Option<String>,
    retry: Option<String>,
    retry_after: Option<Duration>,
    type_uri: Option<String>,
    title: Option<String>,
    detail: Option<String>,
    instance: Option<String>,
    request_id: Option<String>,
    members: Vec<(String, String)>,
}

impl Read {
    fn member(&mut self, name: &str, value: Scalar) {
        match (name, value) {
            ("kind", Scalar::Text(text)) => self.kind = Kind::from_name(&text),
            ("code", Scalar::Text(text)) => self.code = Some(text),
            ("retry", Scalar::Text(text)) => self.retry = Some(text),
            ("type", Scalar::Text(text)) => self.type_uri = Some(text),
            ("title", Scalar::Text(text)) => self.title = Some(text),
            ("detail", Scalar::Text(text)) => self.detail = Some(text),
            ("instance", Scalar::Text(text)) => self.instance = Some(text),
            ("request_id", Scalar::Text(text)) => self.request_id = Some(text),
            ("status", Scalar::Number(number, _)) => {
                self.status =
                    (400_u16..=599).find(|&status| f64::from(status).to_bits() == number.to_bits());
            }
            ("retry_after", Scalar::Number(seconds, _)) => self.retry_after = seconds_from(seconds),
            (name, Scalar::Text(text) | Scalar::Number(_, text)) if !RESERVED.contains(&name) => {
                self.further(name, text);
            }
            // The RFC: a member of the wrong type is ignored.
            _ => {}
        }
    }

    fn further(&mut self, name: &str, text: String) {
        let name = text::clip(name, MAX_NAME);
        match self.members.iter().position(|(other, _)| other == name) {
            Some(at) => self.members[at].1 = text,
            None if self.members.len() < MAX_ENTRIES => self.members.push((name.to_owned(), text)),
            None => {}
        }
    }

    fn finish(self) -> Problem {
        let kind = self.kind.or(self.status.map(Kind::from_http)).unwrap_or(Kind::Unknown);
        let code = self.code.unwrap_or_default();
        let mut problem =
            Problem::blank(kind, self.status.unwrap_or(kind.http()), remote::code(kind, &code));
        problem.retry = remote::retry(kind, self.retry.as_deref(), self.retry_after);
        problem.type_uri = self.type_uri.map_or(problem.type_uri, Cow::Owned);
        problem.title = self.title.map_or(problem.title, Cow::Owned);
        problem.detail = self.detail.map(Cow::Owned);
        problem.instance = self.instance.map(Cow::Owned);
        problem.request_id = self.request_id.map(Cow::Owned);
        problem.members = self.members;
        if !code.is_empty() && problem.code != code {
            problem.set_member("code", code);
        }
        problem
    }
}

fn seconds_from(seconds: f64) -> Option<Duration> {
    // Past the range of a `Duration` it is as good as the longest wait, which is clamped later.
    if seconds >= 1e9 { Some(Duration::MAX) } else { Duration::try_from_secs_f64(seconds).ok() }
}

/// A JSON value, of which only what a member can be is kept: bounded text, or a number and its text.
enum Scalar {
    Text(String),
    Number(f64, String),
    Other,
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scalar, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text::clip(text, VALUE_LIMIT).to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_string()))
    }

    #[expect(clippy::cast_precision_loss, reason = "a status and a sane wait are far below 2^53")]
    fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
        Ok(Scalar::Number(value as f64, value.to_string()))
    }

    #[expect(clippy::cast_precision_loss, reason = "a status and a sane wait are far below 2^53")]
    fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar::Number(value as f64, value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar::Number(value, value.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        let first: Option<(String, Scalar)> = map.next_entry()?;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(match first {
            Some((name, Scalar::Text(text))) if name == FRACTION => {
                text.parse().map_or(Scalar::Other, |number| Scalar::Number(number, text))
            }
            _ => Scalar::Other,
        })
    }
}
