//! The table of kinds.

use underpin_fault::{Fault, Kind, Retry};

/// The published table. A change here is a breaking change for every client.
const TABLE: [(Kind, i32, u16, &str, Retry, bool); 16] = [
    (Kind::Cancelled, 1, 499, "CANCELLED", Retry::Never, false),
    (Kind::Unknown, 2, 500, "UNKNOWN", Retry::Never, true),
    (Kind::InvalidArgument, 3, 400, "INVALID_ARGUMENT", Retry::Never, false),
    (Kind::DeadlineExceeded, 4, 504, "DEADLINE_EXCEEDED", Retry::Backoff, false),
    (Kind::NotFound, 5, 404, "NOT_FOUND", Retry::Never, false),
    (Kind::AlreadyExists, 6, 409, "ALREADY_EXISTS", Retry::Never, false),
    (Kind::PermissionDenied, 7, 403, "PERMISSION_DENIED", Retry::Never, false),
    (Kind::ResourceExhausted, 8, 429, "RESOURCE_EXHAUSTED", Retry::Backoff, false),
    (Kind::FailedPrecondition, 9, 400, "FAILED_PRECONDITION", Retry::Never, false),
    (Kind::Aborted, 10, 409, "ABORTED", Retry::Backoff, false),
    (Kind::OutOfRange, 11, 400, "OUT_OF_RANGE", Retry::Never, false),
    (Kind::Unimplemented, 12, 501, "UNIMPLEMENTED", Retry::Never, false),
    (Kind::Internal, 13, 500, "INTERNAL", Retry::Never, true),
    (Kind::Unavailable, 14, 503, "UNAVAILABLE", Retry::Backoff, false),
    (Kind::DataLoss, 15, 500, "DATA_LOSS", Retry::Never, true),
    (Kind::Unauthenticated, 16, 401, "UNAUTHENTICATED", Retry::Never, false),
];

#[test]
fn every_kind_has_its_published_codes() {
    assert_eq!(TABLE.map(|(kind, ..)| kind), Kind::ALL);
    for (kind, grpc, http, name, retry, is_bug) in TABLE {
        assert_eq!((kind.grpc(), kind.http(), kind.name()), (grpc, http, name), "{kind:?}");
        assert_eq!((kind.retry(), kind.is_bug()), (retry, is_bug), "{kind:?}");
        assert_eq!(kind.to_string(), name);
    }
}

#[test]
fn grpc_codes_and_names_lead_back_to_the_kind() {
    for kind in Kind::ALL {
        assert_eq!(Kind::from_grpc(kind.grpc()), kind);
        assert_eq!(Kind::from_name(kind.name()), Some(kind));
    }
    for code in [i32::MIN, -1, 0, 17, i32::MAX] {
        assert_eq!(Kind::from_grpc(code), Kind::Unknown, "{code}");
    }
    for name in ["", "OK", "NotFound", "not_found", "NOT_FOUND "] {
        assert_eq!(Kind::from_name(name), None, "{name:?}");
    }
}

#[test]
fn http_statuses_lead_back_to_a_kind_with_that_status() {
    for kind in Kind::ALL {
        let read = Kind::from_http(kind.http());
        assert_eq!(read.http(), kind.http(), "{kind:?} became {read:?}");
    }
}

#[test]
fn every_number_is_some_kind() {
    for status in 0..=u16::MAX {
        let kind = Kind::from_http(status);
        match status {
            400..=499 => {
                assert!(!kind.is_bug(), "{status}: a client's mistake is no bug, but {kind:?}");
            }
            500..=599 => {
                assert!(kind.http() >= 500 || status == 507 || status == 511, "{status}: {kind:?}");
            }
            _ => assert_eq!(kind, Kind::Unknown, "{status}"),
        }
    }
}

#[test]
fn ambiguous_statuses_are_not_repeated() {
    for status in [400, 409, 500] {
        assert_eq!(Kind::from_http(status).retry(), Retry::Never, "{status}");
    }
}

/// The codes of a whole service, over both protocols.
#[test]
fn the_documents_codes_have_their_statuses() {
    let faults = [
        (Fault::new(Kind::NotFound, "PROJECT_LOAD_FAILED"), 404, 5),
        (Fault::new(Kind::InvalidArgument, "VALIDATION_ERROR"), 400, 3),
        (Fault::new(Kind::Unavailable, "CIRCUIT_OPEN"), 503, 14),
        (Fault::new(Kind::Unavailable, "PAYMENT_ERROR").status(502), 502, 14),
        (Fault::bug("ANYTHING_ELSE"), 500, 13),
    ];
    for (fault, http, grpc) in faults {
        let shown = (fault.http_status(), fault.problem().status(), fault.kind().grpc());
        assert_eq!(shown, (http, http, grpc), "{}", fault.code());
    }
}
