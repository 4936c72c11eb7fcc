//! No signal is lost: from the moment its handler is there, SIGTERM stops the service, however far its start has come.

use std::{
    hint,
    io::{self, Write as _},
    os::unix::process::ExitStatusExt as _,
    time::Duration,
};

use rustix::{
    process::{Pid, Signal, kill_process},
    time::{ClockId, clock_gettime},
};
use testkit::{Child, Output, full_or, is_full};

use crate::lifecycle::torture::torture;

const PATIENCE: Duration = Duration::from_secs(20);

/// The start takes 65 ms, and a signal comes at every 100 µs of them.
const STEP: Duration = Duration::from_micros(100);
const STEPS: u32 = 650;

const STAGES: usize = 12;

#[test]
fn sigterm_during_the_start_is_honoured() {
    sweep("a process", |at| {
        let begin = now();
        let child = Child::spawn(torture("startup"), PATIENCE);
        Shot::fire(child, Child::pid, begin, at, |_, _| ())
    });
}

/// Process 1 has no default actions: until it has a handler, the system drops the signal.
#[cfg(target_os = "linux")]
#[test]
fn sigterm_during_the_start_of_process_1_is_honoured() {
    let namespace = testkit::or_skip!(namespace::find());
    sweep("process 1", |at| {
        let child = Child::spawn(namespace.command(&torture("startup")), PATIENCE);
        let pid = namespace::first_process(child.pid());
        // `unshare` has forked, and is about to become the program.
        Shot::fire(
            child,
            |_| pid,
            now(),
            at,
            |child, sent| {
                let clock = Clock::read(&child.wait_for_line("clock ")).expect("times");
                if sent < clock.handler {
                    terminate(pid);
                }
            },
        )
    });
}

/// One signal at every step, each to a process of its own.
fn sweep(name: &str, fire: impl Fn(Duration) -> Shot) {
    let shots: Vec<Shot> =
        (0..full_or(STEPS, STEPS / 10)).map(|step| fire(STEP * step * full_or(1, 10))).collect();
    let (early, counted): (Vec<_>, Vec<_>) = shots.iter().partition(|shot| shot.is_early());
    let mut begun = [0; STAGES + 1];
    for shot in &counted {
        begun[shot.started] += 1;
    }
    let clocks: Vec<(&Shot, &Clock)> =
        shots.iter().filter_map(|shot| Some((shot, shot.clock.as_ref()?))).collect();
    let profile = if is_full() { "release" } else { "debug" };
    let to_main = median(clocks.iter().map(|(shot, clock)| clock.main.saturating_sub(shot.begin)));
    let to_handler =
        median(clocks.iter().map(|(_, clock)| clock.handler.saturating_sub(clock.main)));
    // Not `println!`: the test harness keeps what a passing test prints to itself.
    let _ = write!(
        io::stdout(),
        "\nSIGTERM during the start of {name}, in {profile}: {honoured} of {honoured} honoured; before there was a handler: {early}\n  \
         with so many of 12 stages begun: {begun:?}\n  \
         median: {to_main:?} from the spawn to `main`, {to_handler:?} from there to the handler\n",
        honoured = counted.len(),
        early = early.len(),
    );
    // A busy machine takes its time to come to the handler.
    let least = full_or(500, 30);
    assert!(counted.len() >= least, "only {} came after the handler", counted.len());
}

/// One start, and the signal into it.
struct Shot {
    begin: Duration,
    sent: Duration,
    clock: Option<Clock>,
    /// How many stages the start had begun.
    started: usize,
}

/// What the program says of itself.
struct Clock {
    main: Duration,
    handler: Duration,
}

impl Shot {
    /// Sends SIGTERM `at` after `begin`, and holds the service to what must come of it.
    fn fire(
        child: Child,
        pid: impl FnOnce(&Child) -> u32,
        begin: Duration,
        at: Duration,
        and_then: impl FnOnce(&Child, Duration),
    ) -> Shot {
        let pid = pid(&child);
        while now() < begin + at {
            hint::spin_loop();
        }
        let sent = now();
        terminate(pid);
        and_then(&child, sent);
        let output = child.finish();
        let clock = output.stdout.lines().find_map(Clock::read);
        let started = stages(&output, "started ");
        let shot = Shot { begin, sent, clock, started: started.len() };
        if !(shot.is_early() && output.status.signal() == Some(15)) {
            assert_honoured(&output, &started);
        }
        shot
    }

    /// Whether the signal may have come before the handler.
    fn is_early(&self) -> bool {
        self.clock.as_ref().is_none_or(|clock| self.sent < clock.handler)
    }
}

/// It ended as after any stop, and what had started, and nothing else, was rolled back, the last first.
fn assert_honoured(output: &Output, started: &[usize]) {
    let printed = format!("{}\n{}{}", output.status, output.stdout, output.stderr);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(output.stderr.contains("torture shutdown: SIGTERM;"), "{printed}");
    let mut closed = stages(output, "closed ");
    closed.reverse();
    assert_eq!(closed, started, "{printed}");
    assert!(started.iter().copied().eq(0..started.len()), "{printed}");
}

fn stages(output: &Output, what: &str) -> Vec<usize> {
    output.stdout.lines().filter_map(|line| line.strip_prefix(what)?.parse().ok()).collect()
}

impl Clock {
    /// Reads `clock SECONDS SECONDS`.
    fn read(line: &str) -> Option<Clock> {
        let (main, handler) = line.strip_prefix("clock ")?.split_once(' ')?;
        Some(Clock { main: seconds(main)?, handler: seconds(handler)? })
    }
}

fn seconds(text: &str) -> Option<Duration> {
    let (whole, nanos) = text.split_once('.')?;
    Some(Duration::new(whole.parse().ok()?, nanos.parse().ok()?))
}

/// On the clock that all processes of a machine share.
fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::try_from(now).expect("it began at zero")
}

fn terminate(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id");
    // It may be gone.
    let _ = kill_process(pid, Signal::TERM);
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

#[cfg(target_os = "linux")]
mod namespace {
    //! A program as process 1 of its own namespace.

    use std::{
        fs, hint,
        process::{Command, Stdio},
        time::Instant,
    };

    use testkit::{Skip, Tool};

    use super::PATIENCE;

    pub(super) struct Namespace {
        unshare: Tool,
        user: &'static [&'static str],
    }

    /// With the rights that we have, or else with those that a namespace of users gives.
    pub(super) fn find() -> Result<Namespace, Skip> {
        let unshare = testkit::program("unshare")?;
        let ways: [&[&str]; 2] = [&[], &["--user", "--map-root-user"]];
        ways.into_iter()
            .map(|user| Namespace { unshare: unshare.clone(), user })
            .find(|namespace| {
                let mut command = namespace.command(&Command::new("true"));
                command.stdout(Stdio::null()).stderr(Stdio::null());
                command.status().is_ok_and(|status| status.success())
            })
            .ok_or_else(|| Skip::new("no namespace of processes may be made (run it as root)"))
    }

    impl Namespace {
        pub(super) fn command(&self, program: &Command) -> Command {
            let mut command = self.unshare.command();
            command.args(self.user).args(["--pid", "--fork", "--kill-child", "--mount-proc", "--"]);
            command.arg(program.get_program()).args(program.get_args());
            for (name, value) in program.get_envs() {
                match value {
                    Some(value) => command.env(name, value),
                    None => command.env_remove(name),
                };
            }
            command
        }
    }

    /// The number, outside, of what is process 1 inside.
    pub(super) fn first_process(unshare: u32) -> u32 {
        let path = format!("/proc/{unshare}/task/{unshare}/children");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let children = fs::read_to_string(&path).expect("the system tells of children");
            if let Ok(child) = children.trim().parse() {
                return child;
            }
            assert!(Instant::now() < deadline, "unshare did not fork");
            hint::spin_loop();
        }
    }
}
