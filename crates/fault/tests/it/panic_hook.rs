//! The hook belongs to a whole process, so that each test has one of its own.

use std::{
    fmt, io,
    panic::{self, AssertUnwindSafe, catch_unwind, panic_any},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use underpin_fault::{PanicHook, panics};

use crate::child::{self, redirect};

/// How long a panic may hold its thread up, whatever is blocked.
const GRACE: Duration = Duration::from_secs(10);

fn install() {
    PanicHook::new().install().expect("the first hook of this process");
}

/// Panics on a thread without a name, and comes back.
fn panic_in_thread() {
    thread::spawn(|| panic!("boom")).join().expect_err("it panics");
}

#[track_caller]
fn in_time<T>(action: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = action();
    assert!(start.elapsed() < GRACE, "held up for {:?}", start.elapsed());
    result
}

#[test]
fn a_thread_without_a_name_is_reported() {
    child::run(&[], || {
        let (mut stdout, mut stderr) = redirect();
        install();
        panic_in_thread();

        let report = stdout.next_report();
        assert_eq!((&report["level"], &report["target"]), (&"error".into(), &"panic".into()));
        assert_eq!((&report["message"], &report["thread"]), (&"boom".into(), &"<unnamed>".into()));
        assert_eq!(report["dropped"], 0);
        let location = report["location"].as_str().expect("a location");
        assert!(location.contains("tests/it/panic_hook.rs:"), "{location}");
        let timestamp = report["timestamp"].as_str().expect("a timestamp");
        assert!(
            timestamp.starts_with("20") && timestamp.ends_with('Z') && timestamp.len() == 24,
            "{timestamp}"
        );
        assert!(report.get("backtrace").is_none());

        // Std's own hook would show the thread's number between name and verb.
        assert_eq!(
            stderr.next_line_with("thread"),
            format!("thread '<unnamed>' panicked at {location}:\n")
        );
        assert_eq!(stderr.next_line_with("boom"), "boom\n");
        assert!(stderr.next_line_with("note").contains("RUST_BACKTRACE=1"));
        assert_eq!(panics(), 1);
    });
}

#[test]
fn the_line_is_out_before_the_panic_goes_on() {
    child::run(&[], || {
        let (mut stdout, _stderr) = redirect();
        // Without std's text, whose thread is waited for as well.
        PanicHook::new().without_previous().install().expect("the first hook");
        for _ in 0..20 {
            let _ = catch_unwind(|| panic!("the last words of the main thread"));
            // Had nobody caught it, the process would end here.
            assert!(stdout.has_output());
            stdout.next_report();
        }
    });
}

#[test]
fn the_text_of_std_is_out_before_the_panic_goes_on() {
    child::run(&[], || {
        let (stdout, mut stderr) = redirect();
        // Nobody reads it, so that waiting for the line takes no time in which the text could get out by itself.
        drop(stdout);
        install();
        for _ in 0..20 {
            let _ = catch_unwind(|| panic!("the last words of the main thread"));
            assert!(stderr.has_output());
            stderr.next_line_with("the last words");
        }
    });
}

#[test]
fn payloads_of_any_type_are_reported() {
    child::run(&[], || {
        let (mut stdout, _stderr) = redirect();
        install();
        let _ = catch_unwind(|| panic_any(7));
        assert_eq!(stdout.next_report()["message"], "Box<dyn Any>");
        let _ = catch_unwind(|| panic_any(String::from("line\nbreak \"quoted\"")));
        assert_eq!(stdout.next_report()["message"], "line\nbreak \"quoted\"");
        let _ = catch_unwind(|| panic_any("é".repeat(1 << 20)));
        assert_eq!(stdout.next_report()["message"], "é".repeat(2048));
    });
}

#[test]
fn a_panic_under_stdouts_lock_does_not_deadlock() {
    struct Bomb;
    impl fmt::Display for Bomb {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("while println! holds the lock")
        }
    }
    child::run(&[], || {
        let (mut stdout, _stderr) = redirect();
        install();
        let _ = in_time(|| catch_unwind(|| println!("{Bomb}")));
        assert_eq!(stdout.next_report()["message"], "while println! holds the lock");

        let (_out, _err) = (io::stdout().lock(), io::stderr().lock());
        in_time(panic_in_thread);
        assert_eq!(stdout.next_report()["message"], "boom");
    });
}

#[cfg(target_os = "linux")]
#[test]
fn blocked_streams_hold_nobody_up_and_lose_no_count() {
    child::run(&[], || {
        let (mut stdout, mut stderr) = redirect();
        stdout.fill();
        stderr.fill();
        install();
        in_time(panic_in_thread);
        // Only the first waits for reports that do not get through.
        in_time(|| (0..200).for_each(|_| panic_in_thread()));
        assert_eq!(panics(), 201);

        // The reader resumes. One report is being written and 64 are queued.
        let mut reports: Vec<Value> = (0..65).map(|_| stdout.next_report()).collect();
        assert_eq!(reports[0]["message"], "boom");
        panic_in_thread();
        reports.push(stdout.next_report());
        let dropped: u64 = reports.iter().filter_map(|report| report["dropped"].as_u64()).sum();
        assert_eq!((reports.len() as u64 + dropped, panics()), (202, 202));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn one_blocked_stream_does_not_hold_the_other_back() {
    child::run(&[], || {
        let (mut stdout, mut stderr) = redirect();
        stderr.fill();
        install();
        in_time(panic_in_thread);
        in_time(|| assert_eq!(stdout.next_report()["message"], "boom"));

        stdout.fill();
        in_time(panic_in_thread);
        stderr.next_line_with("panicked");
        in_time(|| stderr.next_line_with("panicked"));
    });
}

#[test]
fn closed_streams_do_no_harm() {
    child::run(&[], || {
        drop(redirect());
        install();
        in_time(|| (0..100).for_each(|_| panic_in_thread()));
        assert_eq!(panics(), 100);
    });
}

#[test]
fn the_hook_that_was_set_before_runs_on_the_panicking_thread() {
    child::run(&[], || {
        let (mut stdout, stderr) = redirect();
        let (sender, calls) = mpsc::channel();
        panic::set_hook(Box::new(move |info| {
            let name = thread::current().name().map(str::to_owned);
            let _ = sender.send((name, info.payload().downcast_ref::<&str>().copied()));
        }));
        install();
        let builder = thread::Builder::new().name("worker".to_owned());
        builder.spawn(|| panic!("boom")).expect("a thread").join().expect_err("it panics");
        assert_eq!(calls.try_recv(), Ok((Some("worker".to_owned()), Some("boom"))));
        assert_eq!(stdout.next_report()["thread"], "worker");
        assert!(!stderr.has_output(), "std's text belongs to std's hook, which was not set");
    });
}

#[test]
fn the_hook_that_was_set_before_can_be_left_out() {
    child::run(&[], || {
        let (mut stdout, stderr) = redirect();
        panic::set_hook(Box::new(|_| unreachable!("it is left out")));
        PanicHook::new().without_previous().install().expect("the first hook");
        panic_in_thread();
        assert_eq!(stdout.next_report()["message"], "boom");
        assert!(!stderr.has_output());
    });
}

#[test]
fn a_thousand_panics_are_reported_or_counted_as_dropped() {
    child::run(&[], || {
        let (mut stdout, stderr) = redirect();
        // Nobody reads it: std's text must not matter here.
        drop(stderr);
        install();
        let reader = thread::spawn(move || {
            let mut sum = 0;
            loop {
                let report = stdout.next_report();
                sum += 1 + report["dropped"].as_u64().expect("a count");
                if report["message"] == "the last" {
                    return sum;
                }
            }
        });
        let panicking =
            |_| thread::spawn(|| (0..125).for_each(|_| drop(catch_unwind(|| panic!("boom")))));
        let threads: Vec<_> = (0..8).map(panicking).collect();
        for thread in threads {
            thread.join().expect("its panics are caught");
        }
        assert_eq!(panics(), 1000);
        let _ = catch_unwind(|| panic!("the last"));
        assert_eq!(reader.join().expect("all lines are JSON"), 1001);
    });
}

#[test]
fn observers_are_told_on_the_reporting_thread() {
    child::run(&[], || {
        let (mut stdout, _stderr) = redirect();
        let (sender, seen) = mpsc::channel();
        let hook =
            PanicHook::new().on_panic(|_| panic!("in the observer")).on_panic(move |panic| {
                let name = thread::current().name().map(str::to_owned);
                let _ = sender.send((name, panic.message().to_owned(), panic.thread().to_owned()));
            });
        hook.install().expect("the first hook");
        in_time(panic_in_thread);
        // It is told although its neighbour panicked, which is reported, once.
        let expected = (Some("panic-report".to_owned()), "boom".to_owned(), "<unnamed>".to_owned());
        assert_eq!(seen.recv_timeout(GRACE), Ok(expected));
        assert_eq!(stdout.next_report()["message"], "boom");
        let report = stdout.next_report();
        assert_eq!(
            (&report["message"], &report["thread"]),
            (&"in the observer".into(), &"panic-report".into())
        );
        assert!(seen.try_recv().is_err());
        assert_eq!(panics(), 2);
    });
}

#[test]
fn a_second_hook_is_refused() {
    child::run(&[], || {
        let (mut stdout, _stderr) = redirect();
        install();
        let error = PanicHook::new().install().expect_err("one is installed");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        panic_in_thread();
        assert_eq!(stdout.next_report()["message"], "boom");
    });
}

#[test]
fn a_panicking_thread_cannot_install_it() {
    struct Installs(Arc<AtomicUsize>);
    impl Drop for Installs {
        fn drop(&mut self) {
            let error = PanicHook::new().install().expect_err("this thread is panicking");
            assert!(error.to_string().contains("first thing in main"));
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    child::run(&[], || {
        let drops = Arc::new(AtomicUsize::new(0));
        let installs = Installs(Arc::clone(&drops));
        let _ = catch_unwind(AssertUnwindSafe(|| {
            let _installs = installs;
            panic!("boom")
        }));
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        install();
    });
}

#[test]
fn backtraces_are_those_that_the_environment_asks_for() {
    child::run(&[("RUST_BACKTRACE", "1")], || {
        let (mut stdout, mut stderr) = redirect();
        install();
        panic_in_thread();
        let report = stdout.next_report();
        let backtrace = report["backtrace"].as_str().expect("a backtrace");
        assert!(backtrace.contains("panic_in_thread"), "{backtrace}");
        stderr.next_line_with("stack backtrace:");
        stderr.next_line_with("panic_in_thread");
    });
}

#[test]
fn deep_backtraces_are_cut() {
    fn dive(depth: u32) -> u32 {
        assert!(depth > 0, "the bottom");
        std::hint::black_box(dive(depth - 1)) + 1
    }
    child::run(&[("RUST_BACKTRACE", "1")], || {
        let (mut stdout, _stderr) = redirect();
        PanicHook::new().without_previous().install().expect("the first hook");
        // One that the reader takes while it is written: it is longer than a pipe holds.
        let reader = thread::spawn(move || stdout.next_report());
        let builder = thread::Builder::new().stack_size(64 << 20);
        builder.spawn(|| dive(5000)).expect("a thread").join().expect_err("it panics");
        let report = reader.join().expect("a report");
        let backtrace = report["backtrace"].as_str().expect("a backtrace");
        assert!(backtrace.contains("dive") && backtrace.len() <= 65_536, "{}", backtrace.len());
    });
}

#[cfg(feature = "tracing")]
mod tracing {
    use std::{
        fmt::{self, Write as _},
        sync::mpsc,
    };

    use tracing::{
        Event, Metadata, Subscriber,
        field::{Field, Visit},
        span,
        subscriber::{set_global_default, with_default},
    };

    use super::{GRACE, install, panic_in_thread};
    use crate::child::{self, redirect};

    /// Calls a function with what it is told.
    struct Tells<F> {
        is_enabled: bool,
        tell: F,
    }

    struct Text(String);

    impl Visit for Text {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            write!(self.0, " {field}={value:?}").expect("a string takes everything");
        }
    }

    impl<F: Fn(String) + Send + Sync + 'static> Subscriber for Tells<F> {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            self.is_enabled
        }

        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }

        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

        fn event(&self, event: &Event<'_>) {
            let metadata = event.metadata();
            let mut text = Text(format!("{} {}", metadata.level(), metadata.target()));
            event.record(&mut text);
            (self.tell)(text.0);
        }

        fn enter(&self, _: &span::Id) {}

        fn exit(&self, _: &span::Id) {}
    }

    #[test]
    fn a_global_subscriber_is_told_instead_of_stdout() {
        child::run(&[], || {
            let (stdout, _stderr) = redirect();
            let (sender, events) = mpsc::channel();
            let tell = move |text| sender.send(text).expect("the test listens");
            set_global_default(Tells { is_enabled: true, tell }).expect("the first subscriber");
            install();
            panic_in_thread();
            let event = events.recv_timeout(GRACE).expect("it is told");
            assert!(
                event.starts_with("ERROR panic message=boom thread=\"<unnamed>\" location=\""),
                "{event}"
            );
            assert!(event.ends_with("dropped=0"), "{event}");
            assert!(!stdout.has_output());
        });
    }

    #[test]
    fn a_subscriber_of_one_thread_is_not_enough() {
        child::run(&[], || {
            let (mut stdout, _stderr) = redirect();
            let (sender, events) = mpsc::channel();
            install();
            let tell = move |text| sender.send(text).expect("the test listens");
            with_default(Tells { is_enabled: true, tell }, panic_in_thread);
            assert_eq!(stdout.next_report()["message"], "boom");
            assert!(events.try_recv().is_err());
        });
    }

    #[test]
    fn what_a_subscriber_filters_out_goes_to_stdout() {
        child::run(&[], || {
            let (mut stdout, _stderr) = redirect();
            let tell = |_| unreachable!("nothing is enabled");
            set_global_default(Tells { is_enabled: false, tell }).expect("the first subscriber");
            install();
            panic_in_thread();
            assert_eq!(stdout.next_report()["message"], "boom");
        });
    }

    #[test]
    fn a_subscriber_that_panics_costs_no_report() {
        child::run(&[], || {
            let (mut stdout, _stderr) = redirect();
            let tell = |_| panic!("in the subscriber");
            set_global_default(Tells { is_enabled: true, tell }).expect("the first subscriber");
            install();
            panic_in_thread();
            assert_eq!(stdout.next_report()["message"], "in the subscriber");
            let report = stdout.next_report();
            assert_eq!((&report["message"], &report["dropped"]), (&"boom".into(), &0.into()));
        });
    }
}
