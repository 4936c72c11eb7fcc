//! Problem documents as they are written.

use std::time::Duration;

use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::Value;
use underpin_fault::{Fault, Kind, Retry};

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {json}"))
}

#[test]
fn it_is_the_documented_document() {
    let problem = Fault::new(Kind::ResourceExhausted, "RATE_LIMITED")
        .message("too many requests")
        .expose("limit", "100/10s")
        .retry_after(Duration::from_millis(1500))
        .problem()
        .with_type("https://example.com/problems/rate-limited")
        .with_title("Rate limited")
        .with_instance("/orders/7")
        .with_request_id("r-1");
    assert_eq!(
        problem.to_json(),
        concat!(
            r#"{"type":"https://example.com/problems/rate-limited","title":"Rate limited","status":429,"#,
            r#""detail":"too many requests","instance":"/orders/7","code":"RATE_LIMITED","kind":"RESOURCE_EXHAUSTED","#,
            r#""retry_after":1.5,"request_id":"r-1","limit":"100/10s"}"#
        )
    );
    assert_eq!(problem.retry_after_seconds(), Some(2));
}

#[test]
fn the_title_is_that_of_the_status() {
    let title = |status| {
        parsed(&Fault::new(Kind::Unavailable, "a").status(status).problem().to_json())["title"]
            .clone()
    };
    assert_eq!(title(502), "Bad Gateway");
    assert_eq!(title(418), "Client Error");
    assert_eq!(title(599), "Server Error");
}

#[test]
fn waits_are_rounded_up_to_whole_seconds_for_headers() {
    let seconds =
        |delay| Fault::new(Kind::Aborted, "a").retry_after(delay).problem().retry_after_seconds();
    assert_eq!(seconds(Duration::ZERO), Some(0));
    assert_eq!(seconds(Duration::from_nanos(1)), Some(1));
    assert_eq!(seconds(Duration::from_secs(2)), Some(2));
    assert_eq!(seconds(Duration::MAX), Some(u64::MAX));
    assert_eq!(Fault::new(Kind::Aborted, "a").problem().retry_after_seconds(), None);
}

#[test]
fn reserved_names_get_an_underscore() {
    let fault = Fault::new(Kind::NotFound, "a")
        .expose("status", "x")
        .expose("retry_after", "y")
        .expose("code_", "z");
    let json = fault.expose("code", "last").problem().to_json();
    let document = parsed(&json);
    assert_eq!((&document["status"], &document["status_"]), (&Value::from(404), &Value::from("x")));
    assert_eq!(document["retry_after_"], "y");
    assert_eq!((&document["code"], &document["code_"]), (&Value::from("a"), &Value::from("last")));
    assert_eq!(json.matches(r#""code_""#).count(), 1, "no name twice: {json}");
}

proptest! {
    #[test]
    fn every_text_makes_valid_json_on_one_line(
        kind in select(Kind::ALL.as_slice()),
        message in option::of(any::<String>()),
        members in vec(any::<String>(), 0..4),
        texts in any::<[String; 4]>(),
        delay in option::of(any::<u32>().prop_map(|millis| Duration::from_millis(millis.into()))),
    ) {
        const NAMES: [&str; 4] = ["a", "\"quoted\"\n", "type", "\u{2028}"];
        let mut fault = Fault::new(kind, "c\"o\\d\u{1}e");
        if let Some(message) = &message {
            fault = fault.message(message.clone());
        }
        if let Some(delay) = delay {
            fault = fault.retry_after(delay);
        }
        for (name, value) in NAMES.into_iter().zip(&members) {
            fault = fault.expose(name, value);
        }
        let [type_uri, title, instance, id] = texts;
        let problem = fault.problem().with_type(type_uri.clone()).with_title(title.clone());
        let problem = problem.with_instance(instance.clone()).with_request_id(id.clone());
        let json = problem.to_json();

        prop_assert!(!json.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')), "{json:?}");
        let document: Value = serde_json::from_str(&json).expect("valid JSON");
        prop_assert_eq!(&document["type"], &Value::from(type_uri));
        prop_assert_eq!(&document["title"], &Value::from(title));
        prop_assert_eq!(&document["instance"], &Value::from(instance));
        prop_assert_eq!(&document["request_id"], &Value::from(id));
        let detail = message.filter(|_| !kind.is_bug()).map(Value::from);
        prop_assert_eq!(document.get("detail"), detail.as_ref());
        prop_assert_eq!(document["retry_after"].as_f64(), delay.map(|delay| delay.as_secs_f64()));
        if !kind.is_bug() {
            for (name, value) in ["a", "\"quoted\"\n", "type_", "\u{2028}"].into_iter().zip(&members) {
                prop_assert_eq!(&document[name], &Value::from(value.clone()));
            }
        }
        prop_assert_eq!(problem.retry(), delay.map_or(kind.retry(), Retry::After));
    }
}
