//! What the derived implementation says.

use std::{error::Error, fmt, io, time::Duration};

use underpin_fault::{Classify, Fault, Kind, Retry};

/// Without thiserror: the derive asks for `Error` and adds nothing to it.
#[derive(Debug, Classify)]
enum OrderError {
    #[fault(kind = NotFound, code = "order.missing", message = "order {id} does not exist")]
    Missing { id: u64, item: &'static str },
    #[fault(kind = Unavailable, code = "PAYMENT_ERROR", status = 502, retry_after = "2s")]
    Payment(io::Error),
    #[fault(kind = InvalidArgument)]
    #[fault(code = "order.quantity", message = "{1:?} is no quantity of {0}, write {{number}}")]
    Quantity(String, String),
    #[fault(kind = Kind::Aborted, code = "order.conflict", retry = Never, message = "100 % {{conflict}}")]
    Conflict,
    #[fault(transparent)]
    Declined(Declined),
    #[fault(transparent)]
    Boxed { inner: Box<Declined> },
}

impl fmt::Display for OrderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OrderError::Missing { item, .. } => write!(f, "no {item} was ordered"),
            OrderError::Payment(error) => write!(f, "the payment failed: {error}"),
            _ => f.write_str("an order failed"),
        }
    }
}

impl Error for OrderError {}

#[derive(Debug, Classify)]
#[fault(kind = FailedPrecondition, code = "card.declined", message = "card ending in {last_four} was declined", status = 402)]
struct Declined {
    last_four: u16,
}

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("declined")
    }
}

impl Error for Declined {}

#[track_caller]
fn assert_is(
    error: OrderError,
    kind: Kind,
    code: &str,
    status: u16,
    retry: Retry,
    message: Option<&str>,
) {
    let fault = Fault::from(error);
    assert_eq!((fault.kind(), fault.code(), fault.http_status()), (kind, code, status));
    assert_eq!((fault.retry(), fault.public_message()), (retry, message));
    assert!(fault.find_cause::<OrderError>().is_some());
}

#[test]
fn attributes_become_the_classification() {
    let error = OrderError::Missing { id: 7, item: "tea" };
    assert_is(
        error,
        Kind::NotFound,
        "order.missing",
        404,
        Retry::Never,
        Some("order 7 does not exist"),
    );

    let error = OrderError::Payment(io::Error::other("secret"));
    let retry = Retry::After(Duration::from_secs(2));
    assert_is(error, Kind::Unavailable, "PAYMENT_ERROR", 502, retry, None);

    let error = OrderError::Quantity("tea".to_owned(), "ten".to_owned());
    let message = Some("\"ten\" is no quantity of tea, write {number}");
    assert_is(error, Kind::InvalidArgument, "order.quantity", 400, Retry::Never, message);

    assert_is(
        OrderError::Conflict,
        Kind::Aborted,
        "order.conflict",
        409,
        Retry::Never,
        Some("100 % {conflict}"),
    );
}

#[test]
fn transparent_variants_are_what_they_hold() {
    let declined = || Declined { last_four: 4242 };
    let message = Some("card ending in 4242 was declined");
    let kind = Kind::FailedPrecondition;
    assert_is(OrderError::Declined(declined()), kind, "card.declined", 402, Retry::Never, message);
    assert_is(
        OrderError::Boxed { inner: Box::new(declined()) },
        kind,
        "card.declined",
        402,
        Retry::Never,
        message,
    );
}

#[test]
fn private_fields_stay_private() {
    let fault = Fault::from(OrderError::Missing { id: 7, item: "canary" });
    assert!(!fault.problem().to_json().contains("canary"));
    assert!(format!("{fault:#}").contains("no canary was ordered"));
}

#[test]
fn question_mark_keeps_the_location() {
    fn fails() -> Result<(), Fault> {
        Err(OrderError::Conflict)?
    }
    let location = fails().unwrap_err().location();
    assert_eq!((location.file(), location.line()), (file!(), line!() - 3));
}

#[test]
fn goes_with_thiserror() {
    #[derive(Debug, thiserror::Error, Classify)]
    enum Store {
        #[error("cannot read {path}")]
        #[fault(kind = Unavailable, code = "store.read")]
        Read { path: String, source: io::Error },
        #[error(transparent)]
        #[fault(transparent)]
        Card(#[from] Card),
    }
    #[derive(Debug, thiserror::Error, Classify)]
    #[error("card {0}")]
    #[fault(kind = PermissionDenied, code = "card")]
    struct Card(u16);

    let error = Store::Read { path: "a".to_owned(), source: io::Error::other("disk") };
    let fault = Fault::from(error);
    assert_eq!(format!("{fault:#}"), "store.read (UNAVAILABLE): cannot read a: disk");
    assert_eq!(Fault::from(Store::from(Card(7))).kind(), Kind::PermissionDenied);
}

#[test]
fn generic_types_are_classified_where_they_are_errors() {
    #[derive(Debug, Classify)]
    enum Wrapper<E, T: 'static>
    where
        T: fmt::Debug,
    {
        #[fault(transparent)]
        Inner(E),
        #[fault(kind = OutOfRange, code = "wrapper.value", message = "{0:?} is too large")]
        Value(T),
    }
    impl<E: Error, T: fmt::Debug> fmt::Display for Wrapper<E, T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("wrapped")
        }
    }
    impl<E: Error, T: fmt::Debug> Error for Wrapper<E, T> {}

    let inner: Wrapper<Declined, u8> = Wrapper::Inner(Declined { last_four: 1 });
    assert_eq!(Fault::from(inner).code(), "card.declined");
    let value: Wrapper<Declined, u8> = Wrapper::Value(9);
    assert_eq!(Fault::from(value).public_message(), Some("9 is too large"));
}

#[test]
fn an_enum_without_variants_is_fine() {
    #[derive(Debug, Classify)]
    enum Never {}
    impl fmt::Display for Never {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            match *self {}
        }
    }
    impl Error for Never {}
    assert!(Ok::<u8, Never>(1).map_err(Fault::from).is_ok());
}
