//! Faults as gRPC statuses, both ways.

use std::{collections::HashMap, time::Duration};

use proptest::prelude::*;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use underpin_fault::{Fault, Kind, Retry};

/// What arrives: only the headers cross the wire.
fn sent(status: Status) -> Status {
    let response = status.into_http::<String>();
    Status::from_header_map(response.headers()).expect("the headers hold a status")
}

/// As HTTP/2 counts: 32 bytes for each header.
fn header_size(status: Status) -> usize {
    let response = status.into_http::<String>();
    response.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum()
}

#[test]
fn a_status_has_code_message_and_details() {
    let fault = Fault::new(Kind::ResourceExhausted, "RATE_LIMITED")
        .message("too many requests")
        .expose("limit", "100/10s")
        .retry_after(Duration::from_millis(1500));
    let status = sent(fault.into_status("orders.example.com"));
    assert_eq!((status.code(), status.message()), (Code::ResourceExhausted, "too many requests"));
    let info = status.get_details_error_info().expect("an ErrorInfo");
    assert_eq!((&*info.reason, &*info.domain), ("RATE_LIMITED", "orders.example.com"));
    assert_eq!(info.metadata, HashMap::from([("limit".to_owned(), "100/10s".to_owned())]));
    let retry = status.get_details_retry_info().expect("a RetryInfo");
    assert_eq!(retry.retry_delay, Some(Duration::from_millis(1500)));
}

#[test]
fn a_bug_is_redacted() {
    let status = sent(Fault::bug("ledger.negative").message("secret").expose("a", "secret").into());
    assert_eq!((status.code(), status.message()), (Code::Internal, "internal error"));
    let info = status.get_details_error_info().expect("an ErrorInfo");
    assert_eq!((&*info.reason, info.metadata.len()), ("INTERNAL", 0));
}

#[test]
fn the_fault_stays_with_the_status_until_it_is_sent() {
    let status = Status::from(Fault::bug("ledger.negative").with("user", 7));
    assert_eq!(Fault::of_status(&status).map(Fault::code), Some("ledger.negative"));
    assert!(Fault::of_status(&sent(status)).is_none());
    assert!(Fault::of_status(&Status::not_found("a")).is_none());
}

proptest! {
    #[test]
    fn kind_code_and_retry_survive_the_wire(fault in crate::faults::any_fault()) {
        let (kind, retry) = (fault.kind(), fault.retry());
        let code = if kind.is_bug() { "INTERNAL".to_owned() } else { fault.code().to_owned() };
        let read = Fault::from_status(&sent(fault.into()));
        prop_assert_eq!((read.kind(), read.code(), read.retry()), (kind, &*code, retry));
        prop_assert_eq!(read.public_message(), None);
    }

    #[test]
    fn any_text_fits_into_8_kib_of_headers(
        message in proptest::collection::vec(any::<char>(), 0..4000),
        values in any::<[String; 8]>(),
    ) {
        const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let fault = Fault::new(Kind::NotFound, "code").message(message.into_iter().collect::<String>());
        let fault = NAMES.into_iter().zip(&values).fold(fault, |fault, (name, value)| fault.expose(name, value.repeat(20)));
        let size = header_size(fault.into_status(&"domain".repeat(1000)));
        prop_assert!(size < 8192, "{size}");
    }
}

#[test]
fn many_small_members_fit_too() {
    let mut fault = Fault::new(Kind::NotFound, "code").message("é".repeat(4000));
    for first in 'a'..='z' {
        for second in 'a'..='z' {
            fault = fault.expose(format!("{first}{second}").leak(), "");
        }
    }
    let size = header_size(fault.into_status(&"domain".repeat(1000)));
    assert!(size < 8192, "{size}");
}

#[test]
fn a_peers_text_is_private() {
    let mut details = ErrorDetails::new();
    details.set_error_info(
        "peer.code",
        "peer",
        HashMap::from([("user".to_owned(), "bob".to_owned())]),
    );
    let fault = Fault::from_status(&sent(Status::with_error_details(
        Code::NotFound,
        "who is bob",
        details,
    )));
    assert_eq!(fault.to_string(), "peer.code");
    assert_eq!(
        fault.context().collect::<Vec<_>>(),
        [("remote.message", "who is bob"), ("remote.domain", "peer"), ("remote.user", "bob")]
    );
    assert_eq!(fault.location().file(), file!());
}

#[test]
fn a_plain_status_has_the_code_of_its_kind() {
    for (code, kind) in [
        (Code::Unavailable, Kind::Unavailable),
        (Code::Ok, Kind::Unknown),
        (Code::DataLoss, Kind::DataLoss),
    ] {
        let fault = Fault::from_status(&Status::new(code, ""));
        assert_eq!((fault.kind(), fault.retry()), (kind, kind.retry()));
        assert_eq!(fault.code(), if kind.is_bug() { "INTERNAL" } else { kind.name() });
        assert_eq!(fault.context().count(), 0);
    }
}

#[test]
fn hostile_details_are_bounded() {
    let huge = "é".repeat(1 << 16);
    let mut details = ErrorDetails::new();
    let entries = (0..1000).map(|at| (format!("{at}{huge}"), huge.clone()));
    details.set_error_info(
        huge.as_str(),
        huge.as_str(),
        entries.take(40).collect::<HashMap<_, _>>(),
    );
    details.set_retry_info(Some(Duration::MAX));
    let fault =
        Fault::from_status(&Status::with_error_details(Code::Unavailable, huge.as_str(), details));
    assert_eq!(
        (fault.code(), fault.retry()),
        ("UNAVAILABLE", Retry::After(Duration::from_secs(86_400)))
    );
    assert!(fault.context().count() <= 35);
    assert!(fault.context().all(|(key, value)| key.len() <= 80 && value.len() <= 4100));

    let garbage = Status::with_details(Code::Aborted, "", vec![0xff; 4096].into());
    assert_eq!(Fault::from_status(&garbage).code(), "ABORTED");
}
