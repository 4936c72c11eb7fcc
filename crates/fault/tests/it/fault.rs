//! Making faults and reading them.

use std::{
    error::Error,
    fmt, io,
    num::{IntErrorKind, ParseIntError},
    time::Duration,
};

use underpin_fault::{Classify, Fault, Kind, ResultExt as _, Retry, bugs};

#[derive(Debug)]
struct Missing(io::Error);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the order is missing")
    }
}

impl Error for Missing {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

impl Classify for Missing {
    fn kind(&self) -> Kind {
        Kind::NotFound
    }

    fn code(&self) -> &'static str {
        "order.missing"
    }

    fn retry(&self) -> Retry {
        Retry::Backoff
    }
}

#[test]
fn is_one_pointer_wide_and_thread_safe() {
    fn crosses_threads<T: Send + Sync + Error + 'static>() {}
    crosses_threads::<Fault>();
    assert_eq!(size_of::<Fault>(), size_of::<usize>());
    assert_eq!(size_of::<Result<(), Fault>>(), size_of::<usize>());
}

#[test]
fn the_kind_decides_unless_told_otherwise() {
    let fault = Fault::new(Kind::Unavailable, "db.down");
    assert_eq!(
        (fault.kind(), fault.code(), fault.http_status()),
        (Kind::Unavailable, "db.down", 503)
    );
    assert_eq!(fault.retry(), Retry::Backoff);

    let fault = Fault::new(Kind::Unavailable, "PAYMENT_ERROR")
        .status(502)
        .retry_after(Duration::from_secs(3));
    assert_eq!(fault.http_status(), 502);
    assert_eq!(fault.retry(), Retry::After(Duration::from_secs(3)));
}

#[test]
fn no_fault_answers_with_success() {
    for status in [0, 100, 200, 204, 302, 399, 600, u16::MAX] {
        assert_eq!(Fault::new(Kind::NotFound, "a").status(status).http_status(), 500, "{status}");
    }
    for status in [400, 418, 502, 599] {
        assert_eq!(Fault::new(Kind::NotFound, "a").status(status).http_status(), status);
    }
}

#[test]
fn constructors_know_their_caller() {
    for fault in [Fault::new(Kind::Aborted, "a"), Fault::bug("a")] {
        assert_eq!((fault.location().file(), fault.location().line()), (file!(), line!() - 1));
    }
}

#[test]
fn question_mark_keeps_the_location() {
    fn fails() -> Result<(), Fault> {
        Err(Missing(io::Error::other("disk")))?
    }
    let fault = fails().unwrap_err();
    assert_eq!(fault.location().file(), file!());
    assert_eq!(fault.location().line(), line!() - 4);
}

#[test]
fn extension_methods_keep_the_location_and_the_cause() {
    let fault = "ten".parse::<u8>().fault(Kind::InvalidArgument, "quantity").unwrap_err();
    assert_eq!(fault.location().line(), line!() - 1);
    assert_eq!(
        fault.find_cause::<ParseIntError>().map(ParseIntError::kind),
        Some(&IntErrorKind::InvalidDigit)
    );

    let fault = "ten".parse::<u8>().bug("constant").unwrap_err();
    assert_eq!((fault.location().line(), fault.kind()), (line!() - 1, Kind::Internal));
    assert_eq!("10".parse::<u8>().bug("constant").unwrap(), 10);
}

#[test]
fn classified_errors_become_the_cause() {
    let fault = Fault::from(Missing(io::Error::new(io::ErrorKind::NotFound, "no file")));
    assert_eq!(
        (fault.kind(), fault.code(), fault.retry()),
        (Kind::NotFound, "order.missing", Retry::Backoff)
    );
    assert!(fault.find_cause::<Missing>().is_some());
    assert_eq!(fault.find_cause::<io::Error>().map(io::Error::kind), Some(io::ErrorKind::NotFound));
    assert!(fault.find_cause::<fmt::Error>().is_none());
}

#[test]
fn a_boxed_cause_is_found_by_its_own_type() {
    let missing = || Box::new(Missing(io::Error::other("disk")));
    assert!(Fault::from(missing()).find_cause::<Missing>().is_some());
    let fault =
        Fault::new(Kind::NotFound, "a").caused_by(missing() as Box<dyn Error + Send + Sync>);
    assert!(fault.find_cause::<Missing>().is_some());
}

#[test]
fn the_source_chain_is_intact() {
    let inner = Fault::from(Missing(io::Error::other("disk")));
    let outer: Box<dyn Error> = Box::new(Fault::new(Kind::Unavailable, "outer").caused_by(inner));
    let mut chain = Vec::new();
    let mut next: Option<&dyn Error> = Some(&*outer);
    while let Some(error) = next {
        chain.push(error.to_string());
        next = error.source();
    }
    assert_eq!(chain, ["outer", "order.missing", "the order is missing", "disk"]);
    let outer = outer.downcast::<Fault>().expect("it went in as a fault");
    assert!(outer.find_cause::<io::Error>().is_some());
    assert_eq!(outer.find_cause::<Fault>().map(Fault::code), Some("order.missing"));
}

#[test]
fn a_chain_that_bites_its_tail_ends() {
    #[derive(Debug)]
    struct Ouroboros;
    impl fmt::Display for Ouroboros {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("again")
        }
    }
    impl Error for Ouroboros {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&Ouroboros)
        }
    }
    let fault = Fault::new(Kind::Aborted, "a").caused_by(Ouroboros);
    assert!(fault.find_cause::<io::Error>().is_none());
    assert!(format!("{fault:#}").ends_with(": again: again"));
    assert!(format!("{fault:?}").ends_with("caused by: again"));
}

#[test]
fn siblings_leave_the_first_fault_as_it_is() {
    let fault = Fault::new(Kind::NotFound, "first")
        .and(Fault::bug("second"))
        .and(Fault::new(Kind::Aborted, "third"));
    assert_eq!((fault.kind(), fault.code()), (Kind::NotFound, "first"));
    assert_eq!(fault.siblings().iter().map(Fault::code).collect::<Vec<_>>(), ["second", "third"]);
    assert!(fault.source().is_none());
}

#[test]
fn context_is_rendered_when_it_is_attached() {
    use std::cell::Cell;
    struct Counts<'a>(&'a Cell<u32>);
    impl fmt::Display for Counts<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.set(self.0.get() + 1);
            f.write_str("value")
        }
    }
    let calls = Cell::new(0);
    let fault = Fault::new(Kind::NotFound, "a")
        .with("private", Counts(&calls))
        .expose("public", Counts(&calls));
    assert_eq!(calls.get(), 2);
    let _ = (format!("{fault} {fault:#} {fault:?}"), fault.problem().to_json());
    assert_eq!(calls.get(), 2);
    assert_eq!(fault.context().collect::<Vec<_>>(), [("private", "value")]);
    assert_eq!(fault.exposed().collect::<Vec<_>>(), [("public", "value")]);
}

#[test]
fn a_value_that_cannot_be_shown_does_not_lose_the_fault() {
    struct Panics;
    impl fmt::Display for Panics {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("half")?;
            panic!("no")
        }
    }
    struct Fails;
    impl fmt::Display for Fails {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Err(fmt::Error)
        }
    }
    #[derive(Debug)]
    struct Cause;
    impl fmt::Display for Cause {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no")
        }
    }
    impl Error for Cause {}

    let fault = Fault::new(Kind::NotFound, "a").with("p", Panics).with("f", Fails).caused_by(Cause);
    assert_eq!(
        fault.context().collect::<Vec<_>>(),
        [("p", "half<Display panicked>"), ("f", "<Display failed>")]
    );
    assert!(format!("{fault:#}").ends_with(": <Display panicked>"));
}

#[test]
fn values_are_bounded_and_cut_between_characters() {
    /// Goes on writing when it is told to stop.
    struct Stubborn;
    impl fmt::Display for Stubborn {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let _ = f.write_str(&format!("x{}", "é".repeat(4096)));
            let _ = f.write_str("y");
            Ok(())
        }
    }
    fn value(shown: impl fmt::Display) -> String {
        let fault = Fault::new(Kind::NotFound, "a").with("k", shown);
        fault.context().map(|(_, value)| value).collect()
    }
    assert_eq!(value("x".repeat(4096)), "x".repeat(4096));
    assert_eq!(value("x".repeat(4097)), format!("{}…", "x".repeat(4096)));
    assert_eq!(value("é".repeat(1_000_000)), format!("{}…", "é".repeat(2048)));
    assert_eq!(value(format!("x{}", "é".repeat(4096))), format!("x{}…", "é".repeat(2047)));
    assert_eq!(value(Stubborn), format!("x{}…", "é".repeat(2047)));
}

#[test]
fn messages_are_bounded_and_cut_between_characters() {
    let fault = Fault::new(Kind::NotFound, "a").message("é".repeat(1 << 20));
    let message = fault.public_message().unwrap_or_default();
    assert_eq!(message.len(), 4096 + '…'.len_utf8());
    assert!(message.ends_with("é…"));
    let whole = "é".repeat(2048);
    let fault = Fault::new(Kind::NotFound, "a").message(whole.clone());
    assert_eq!(fault.public_message(), Some(whole.as_str()));
}

#[test]
fn bugs_are_internal_and_counted() {
    let before = bugs();
    let fault = Fault::bug("ledger.negative");
    assert_eq!(
        (fault.kind(), fault.http_status(), fault.retry()),
        (Kind::Internal, 500, Retry::Never)
    );
    let _ = Fault::new(Kind::DataLoss, "a");
    assert!(bugs() >= before + 2, "other tests make bugs, too, so this is a lower bound");
}
