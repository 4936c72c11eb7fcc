//! Finds records in a line that is none: what a torn one was glued to.

use serde::de::DeserializeOwned;

/// How many places are tried in a line.
const MAX_TRIES: usize = 16;

/// Whole records that follow each other without a line feed, or the record that the line ends with.
pub(crate) fn salvage<T: DeserializeOwned>(line: &str) -> Vec<T> {
    let mut all = serde_json::Deserializer::from_str(line).into_iter::<T>();
    if let Ok(records) = all.by_ref().collect::<Result<Vec<T>, _>>() {
        return records;
    }
    memchr::memchr_iter(b'{', line.as_bytes())
        .skip_while(|&at| at == 0)
        .filter(|&at| is_glued(&line[..at]))
        .take(MAX_TRIES)
        .find_map(|at| serde_json::from_str(&line[at..]).ok())
        .into_iter()
        .collect()
}

/// Whether an object that begins here may be a record, and is no part of what is before it: a value is part of one where a value is expected.
fn is_glued(before: &str) -> bool {
    !before.trim_end().ends_with([':', ',', '['])
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::salvage;

    #[test]
    fn records_are_found_behind_what_was_torn() {
        for (line, expected) in [
            (r#"{"a":1}{"a":2}"#, vec![json!({"a": 1}), json!({"a": 2})]),
            (r#"{"a":"to{"a":2}"#, vec![json!({"a": 2})]),
            (r#"{"a":{"b":1}{"a":2}"#, vec![json!({"a": 2})]),
            (r#"{"a":{"b":1},"c{"a":{"b":3}}"#, vec![json!({"a": {"b": 3}})]),
            // A part of a torn record is no record.
            (r#"{"a":{"b":1}"#, vec![]),
            (r#"{"a":[1, {"b":1}"#, vec![]),
            ("torn", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(salvage::<Value>(line), expected, "{line}");
        }
    }

    /// Records of 200 bytes, torn at every byte. What is torn right before a value cannot be told from a part of it, and is left.
    #[test]
    fn nine_of_ten_are_saved() {
        let record = |n: u32| json!({ "id": n, "user": "someone", "tags": ["a", "b"], "at": { "x": 1, "y": 2.5 }, "text": "some text that is a few words long, as they often are ".repeat(2) });
        let first = record(1).to_string();
        let saved = (1..first.len())
            .filter(|&at| {
                salvage::<Value>(&format!("{}{}", &first[..at], record(2))) == [record(2)]
            })
            .count();
        assert!(saved * 10 >= (first.len() - 1) * 9, "{saved} of {}", first.len() - 1);
    }
}
