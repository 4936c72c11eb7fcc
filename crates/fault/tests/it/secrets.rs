//! Canaries: text that must never reach a client.

use std::{error::Error, fmt, io};

use underpin_fault::{Fault, Kind};

const CANARY: &str = "canary-7f3a";

/// Every private part of a fault holds the canary; of a bug, the public parts, too.
fn fault(kind: Kind) -> Fault {
    let public = if kind.is_bug() { CANARY } else { "public" };
    Fault::new(kind, if kind.is_bug() { CANARY } else { "public.code" })
        .message(public)
        .expose("member", public)
        .with("private", CANARY)
        .with(CANARY, 1)
        .caused_by(io::Error::other(CANARY))
        .and(Fault::new(Kind::NotFound, CANARY).message(CANARY))
}

#[track_caller]
fn assert_clean(what: &str, shown: &str) {
    assert!(!shown.contains(CANARY), "{what} shows a secret: {shown}");
    assert!(!shown.contains("secrets.rs"), "{what} shows a location: {shown}");
}

#[test]
fn logs_do_show_them() {
    for kind in Kind::ALL {
        let fault = fault(kind);
        assert!(format!("{fault:#}").contains(CANARY) && format!("{fault:?}").contains(CANARY));
    }
}

#[test]
fn display_and_problem_show_none() {
    for kind in Kind::ALL {
        let fault = fault(kind);
        assert_clean("Display", &fault.to_string());
        assert_clean("Problem", &format!("{:?}", fault.problem()));
        assert_clean("JSON", &fault.problem().with_request_id("r-1").to_json());
        assert_clean("public_message", fault.public_message().unwrap_or_default());
        assert_clean("exposed", &format!("{:?}", fault.exposed().collect::<Vec<_>>()));
    }
}

#[test]
fn a_bug_says_its_request_id_and_nothing_else() {
    let problem = fault(Kind::DataLoss).problem().with_request_id("r-1");
    assert_eq!(
        problem.to_json(),
        r#"{"type":"about:blank","title":"Internal Server Error","status":500,"code":"INTERNAL","kind":"DATA_LOSS","request_id":"r-1"}"#
    );
}

#[test]
fn a_classified_error_shows_none() {
    #[derive(Debug)]
    struct Secret;
    impl fmt::Display for Secret {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(CANARY)
        }
    }
    impl Error for Secret {}
    impl underpin_fault::Classify for Secret {
        fn kind(&self) -> Kind {
            Kind::Unavailable
        }
        fn code(&self) -> &'static str {
            "down"
        }
    }
    let fault = Fault::from(Secret);
    assert_clean("Display", &fault.to_string());
    assert_clean("JSON", &fault.problem().to_json());
}

#[cfg(feature = "serde")]
#[test]
fn serde_shows_none() {
    for kind in Kind::ALL {
        let json =
            serde_json::to_string(&fault(kind).problem()).expect("a problem is a map of strings");
        assert_clean("Serialize", &json);
    }
}

#[cfg(feature = "axum")]
#[test]
fn axum_shows_none() {
    for kind in Kind::ALL {
        let (parts, body) = crate::axum::answer(fault(kind));
        assert_clean("axum", &format!("{:?} {body}", parts.headers));
    }
}

#[cfg(feature = "tonic")]
#[test]
fn tonic_shows_none() {
    for kind in Kind::ALL {
        let status = tonic::Status::from(fault(kind));
        assert_clean("Status", &format!("{status} {status:?} {status:#?}"));
        assert_clean("details", &String::from_utf8_lossy(status.details()));
        let mut next = Error::source(&status);
        while let Some(error) = next {
            assert_clean("source", &format!("{error} {error:#} {error:?}"));
            next = error.source();
        }
        let sent = status.into_http::<String>();
        assert_clean("headers", &format!("{:?}", sent.headers()));
    }
}

#[cfg(feature = "serde")]
#[test]
fn what_a_peer_says_is_not_passed_on() {
    let json = format!(
        r#"{{"type":"{CANARY}","title":"{CANARY}","status":404,"detail":"{CANARY}","instance":"{CANARY}",
            "code":"peer.code","kind":"NOT_FOUND","request_id":"{CANARY}","further":"{CANARY}"}}"#
    );
    let problem: underpin_fault::Problem = serde_json::from_str(&json).expect("a problem");
    let fault = Fault::from(problem);
    assert_eq!((fault.kind(), fault.code()), (Kind::NotFound, "peer.code"));
    assert_clean("Display", &fault.to_string());
    assert_clean("JSON", &fault.problem().to_json());
    let context = fault.context().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>();
    let names = ["type", "title", "detail", "instance", "request_id", "further"];
    assert_eq!(context, names.map(|name| format!("remote.{name}={CANARY}")));
}
