//! Problem documents as they are read, whoever wrote them.

use std::time::Duration;

use proptest::prelude::*;
use underpin_fault::{Fault, Kind, Problem, Retry};

use crate::faults::any_fault;

fn read(json: &str) -> Problem {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {json}"))
}

proptest! {
    #[test]
    fn kind_code_status_and_retry_survive_the_wire(fault in any_fault()) {
        for json in [fault.problem().to_json(), serde_json::to_string(&fault.problem()).expect("a map of strings")] {
            let problem = read(&json);
            prop_assert_eq!(&problem, &fault.problem());
            let read = Fault::from(problem);
            prop_assert_eq!((read.kind(), read.retry()), (fault.kind(), fault.retry()));
            prop_assert_eq!(read.http_status(), fault.http_status());
            prop_assert_eq!(read.code(), if fault.kind().is_bug() { "INTERNAL" } else { fault.code() });
            prop_assert_eq!(read.public_message(), None);
        }
    }

    #[test]
    fn any_json_object_is_a_problem(
        status in any::<i64>(),
        number in any::<f64>(),
        kind in any::<String>(),
        code in any::<String>(),
    ) {
        let json = serde_json::json!({
            "status": status, "kind": kind, "code": code, "retry_after": number, "title": [1], "detail": {"a": null},
            "instance": true, "request_id": null, "type": 7, "list": [[{}]],
        });
        let problem = read(&json.to_string());
        prop_assert!((400..=599).contains(&problem.status()));
        prop_assert!(problem.code().len() <= 64 && !problem.code().is_empty());
        let fault = Fault::from(problem);
        prop_assert!(!fault.to_string().contains(char::is_control));
        if let Retry::After(delay) = fault.retry() {
            prop_assert!(delay <= Duration::from_secs(86_400));
        }
    }
}

#[test]
fn without_a_kind_the_status_decides() {
    let kind = |json| Fault::from(read(json)).kind();
    assert_eq!(kind(r#"{"status":404}"#), Kind::NotFound);
    assert_eq!(kind(r#"{"status":404,"kind":"MADE_UP"}"#), Kind::NotFound);
    assert_eq!(kind(r#"{"status":99999}"#), Kind::Unknown);
    assert_eq!(kind(r#"{"status":"404"}"#), Kind::Unknown);
    assert_eq!(kind(r#"{"status":200}"#), Kind::Unknown);
    assert_eq!(kind(r#"{"status":404.5}"#), Kind::Unknown);
    assert_eq!(kind("{}"), Kind::Unknown);
    assert_eq!(kind(r#"{"status":409,"kind":"ABORTED"}"#), Kind::Aborted);
}

#[test]
fn a_code_that_is_none_gives_way_to_the_kind() {
    for code in ["", "spaces here", "line\nbreak", "1digit", "ünicode", &"x".repeat(65), "<script>"]
    {
        let json = serde_json::json!({ "status": 404, "code": code }).to_string();
        let fault = Fault::from(read(&json));
        assert_eq!(fault.code(), "NOT_FOUND", "{code:?}");
        let kept = fault.context().find(|(key, _)| *key == "remote.code_").map(|(_, value)| value);
        assert_eq!(kept, (!code.is_empty()).then_some(code));
    }
}

#[test]
fn what_is_kept_is_bounded() {
    let huge = "é".repeat(1 << 20);
    let mut members: serde_json::Map<_, _> = (0..1000)
        .map(|at| (format!("member-{at}-{}", "x".repeat(1000)), huge[..1 << 14].into()))
        .collect();
    for name in ["type", "title", "detail", "instance", "code", "kind", "retry", "request_id"] {
        members.insert(name.to_owned(), huge.as_str().into());
    }
    let fault = Fault::from(read(&serde_json::Value::Object(members).to_string()));
    let kept: Vec<_> = fault.context().collect();
    assert!(kept.len() <= 32 + 6, "{}", kept.len());
    assert!(kept.iter().all(|(key, value)| key.len() <= 80 && value.len() <= 4096));
}

#[test]
fn waits_are_at_most_a_day() {
    let retry = |seconds: &str| {
        Fault::from(read(&format!(r#"{{"status":503,"retry_after":{seconds}}}"#))).retry()
    };
    assert_eq!(retry("1.5"), Retry::After(Duration::from_millis(1500)));
    assert_eq!(retry("0"), Retry::After(Duration::ZERO));
    assert_eq!(retry("1e300"), Retry::After(Duration::from_secs(86_400)));
    assert_eq!(retry("86401"), Retry::After(Duration::from_secs(86_400)));
    assert_eq!(retry("-1"), Retry::Backoff);
    assert_eq!(retry("\"5\""), Retry::Backoff);
}

#[test]
fn a_number_of_any_precision_is_a_number() {
    // What serde_json makes of 1.5 with its feature `arbitrary_precision`, which any crate of a program can turn on for all.
    let fraction = r#"{"$serde_json::private::Number":"1.5"}"#;
    let problem = read(&format!(r#"{{"status":503,"retry_after":{fraction},"load":{fraction}}}"#));
    assert_eq!(problem.retry(), Retry::After(Duration::from_millis(1500)));
    assert_eq!(problem.members().collect::<Vec<_>>(), [("load", "1.5")]);

    for hostile in [r#""x""#, r#""x","b":[1]"#, "7", "[]", "null", r#"{"a":1}"#] {
        let fraction = format!(r#"{{"$serde_json::private::Number":{hostile}}}"#);
        let problem = read(&format!(r#"{{"status":503,"retry_after":{fraction}}}"#));
        assert_eq!(problem.retry(), Retry::Backoff);
    }
}

#[test]
fn an_array_or_a_broken_document_is_an_error() {
    for json in [
        "[]",
        "7",
        "null",
        "\"text\"",
        "",
        r#"{"status":404"#,
        &format!("{{\"a\":{}", "[".repeat(100_000)),
    ] {
        assert!(serde_json::from_str::<Problem>(json).is_err(), "{}", &json[..json.len().min(40)]);
    }
}

#[test]
fn kinds_are_their_names() {
    for kind in Kind::ALL {
        let json = serde_json::to_string(&kind).expect("a string");
        assert_eq!(json, format!("\"{}\"", kind.name()));
        assert_eq!(serde_json::from_str::<Kind>(&json).expect("its own name"), kind);
    }
    let error = serde_json::from_str::<Kind>("\"OK\"").unwrap_err().to_string();
    assert!(error.contains("such as NOT_FOUND"), "{error}");
}

#[test]
fn a_peers_bug_is_not_counted_as_ours() {
    let before = underpin_fault::bugs();
    let _ = Fault::from(read(r#"{"status":500}"#));
    // Other tests make bugs of their own at the same time, so only many would be telling.
    for _ in 0..10_000 {
        let _ = Fault::from(read(r#"{"status":500}"#));
    }
    assert!(underpin_fault::bugs() - before < 10_000);
}
