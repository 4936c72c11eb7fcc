//! Runs them, ends them, and looks for what is left.

use std::{
    env,
    io::{self, Write as _},
    process::{self, ExitCode},
    time::Duration,
};

use tokio::{runtime::Builder, task::JoinSet, time::sleep};
use underpin_procx::{Cmd, Containment, ErrorKind, cmd, containment};

use crate::{
    audit::{bury, cgroups, descriptors, in_the_end, survivors, zombies},
    kinds::KINDS,
};

/// So many at the same time.
const BATCH: usize = 6;

/// How one is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Exit,
    Timeout,
    Stop,
    Drop,
    Cancel,
    Panic,
}

const ENDINGS: [Ending; 6] =
    [Ending::Exit, Ending::Timeout, Ending::Stop, Ending::Drop, Ending::Cancel, Ending::Panic];

/// A number that looks random, from the one before.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed ^ (mixed >> 27)) % limit
    }
}

fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

fn adversary(kind: &str, tag: &str, minimum: Containment) -> Cmd {
    let program = env::current_exe().expect("a program has a path");
    cmd(program).arg(kind).arg(tag).env_remove("ADOPT").min_containment(minimum)
}

pub(super) fn own(runs: &str, seed: &str) -> ExitCode {
    let (Ok(runs), Ok(seed)) = (runs.parse::<usize>(), seed.parse()) else {
        return ExitCode::from(2);
    };
    let minimum = containment();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("threads can be started");
    let mut random = Random(seed);
    let mut complaints = Vec::new();
    let mut baseline = None;
    let mut done = 0;
    while done < runs {
        let cases: Vec<Case> = (done..runs.min(done + BATCH))
            .map(|number| Case::new(number, minimum, &mut random))
            .collect();
        done += cases.len();
        complaints.extend(runtime.block_on(batch(cases)));
        let left = [("zombies", in_the_end(zombies)), ("cgroups", in_the_end(cgroups))];
        complaints
            .extend(left.iter().filter(|(_, count)| *count > 0).map(|left| format!("{left:?}")));
        // The first ones start threads and open what stays open.
        let before = *baseline.get_or_insert_with(descriptors);
        if in_the_end(|| descriptors().saturating_sub(before)) > 0 {
            complaints.push(format!("{before} descriptors became {}", descriptors()));
            baseline = Some(descriptors());
        }
    }
    for complaint in &complaints {
        say(complaint);
    }
    say(&format!("{done} runs in a {minimum}, {} complaints", complaints.len()));
    if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn batch(cases: Vec<Case>) -> Vec<String> {
    let mut running = JoinSet::new();
    for case in cases {
        running.spawn(case.run());
    }
    running.join_all().await.into_iter().flatten().collect()
}

pub(super) fn hold(kind: &str, tag: &str) -> ExitCode {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let cmd = adversary(kind, tag, Containment::Group).timeout(Duration::from_secs(50));
        let child = cmd.spawn().await.expect("it starts");
        say(&format!("it runs in a {}", child.containment()));
        sleep(Duration::from_secs(60)).await;
    });
    ExitCode::SUCCESS
}

/// Starts one that ends by itself.
pub(super) fn exit(kind: &str, tag: &str) -> ExitCode {
    let ended = adversary(kind, tag, Containment::Group).arg("--exit").run_blocking();
    say(&format!("it ran in a {}", containment()));
    if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Drops one that runs, and ends before anything else can happen.
#[expect(clippy::exit, reason = "nothing else is to happen after the drop")]
pub(super) fn leave(kind: &str, tag: &str) -> ExitCode {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let cmd = adversary(kind, tag, Containment::Group).timeout(Duration::from_secs(50));
        let child = cmd.spawn().await.expect("it starts");
        // Those that it starts are there by then, as a rule; it does not matter.
        sleep(Duration::from_millis(100)).await;
        drop(child);
    });
    process::exit(0)
}

/// One run.
struct Case {
    number: usize,
    kind: &'static str,
    ending: Ending,
    /// When it is ended.
    after: Duration,
    minimum: Containment,
}

impl Case {
    /// Every kind meets every ending.
    fn new(number: usize, minimum: Containment, random: &mut Random) -> Case {
        let (kind, exits) = KINDS[number % KINDS.len()];
        let mut ending = ENDINGS[number / KINDS.len() % ENDINGS.len()];
        if ending == Ending::Exit && !exits {
            ending = Ending::Timeout;
        }
        // What a sweep cannot find: it has left its group and session, cleared its environment, and lost its parent.
        let escapes = match kind {
            "ghost" => true,
            "amnesiac" => ending == Ending::Exit,
            _ => false,
        };
        let minimum = if escapes { Containment::Cgroup } else { minimum };
        Case { number, kind, ending, after: Duration::from_micros(random.below(60_000)), minimum }
    }

    async fn run(self) -> Option<String> {
        // Documented, and no more to be tested than the weather.
        if containment() < self.minimum {
            return None;
        }
        let tag = format!("--tag={}-{}", process::id(), self.number);
        let grace = Duration::from_millis(30);
        let cmd =
            adversary(self.kind, &tag, self.minimum).grace(grace).timeout(Duration::from_secs(50));
        let surprise = self.end(cmd).await;
        let mut left = survivors(&tag);
        // Who waits for the end is promised that nothing is left; after a drop it takes a moment.
        if matches!(self.ending, Ending::Drop | Ending::Cancel | Ending::Panic) {
            in_the_end(|| {
                left = survivors(&tag);
                left.len()
            });
        }
        bury(&left);
        let survived = (!left.is_empty()).then(|| format!("{} survivors", left.len()));
        let complaint = surprise.or(survived)?;
        let Case { number, kind, ending, after, minimum } = self;
        Some(format!(
            "run {number}: {kind}, {ending:?} after {after:?} in a {minimum}: {complaint}"
        ))
    }

    /// Ends it, and says what was not as expected.
    async fn end(&self, cmd: Cmd) -> Option<String> {
        match self.ending {
            Ending::Exit => match cmd.arg("--exit").output().await {
                Ok(output) if output.exit.success() => None,
                other => Some(format!("{other:?}")),
            },
            Ending::Timeout => match cmd.timeout(self.after).run().await {
                Err(error) if error.kind() == ErrorKind::TimedOut => None,
                other => Some(format!("{other:?}")),
            },
            Ending::Stop => {
                let mut child = match cmd.spawn().await {
                    Ok(child) => child,
                    Err(error) => return Some(error.to_string()),
                };
                sleep(self.after).await;
                child.stop().await.err().map(|error| error.to_string())
            }
            Ending::Drop => {
                let child = cmd.spawn().await;
                sleep(self.after).await;
                child.err().map(|error| error.to_string())
            }
            Ending::Cancel => {
                let run = tokio::time::timeout(self.after, cmd.run()).await;
                run.ok().and_then(Result::err).map(|error| error.to_string())
            }
            Ending::Panic => {
                let after = self.after;
                let mut owner = JoinSet::new();
                owner.spawn(async move {
                    let _child = cmd.spawn().await;
                    sleep(after).await;
                    std::panic::resume_unwind(Box::new("on purpose"));
                });
                let ended = owner.join_next().await;
                matches!(ended, Some(Ok(()))).then(|| "it did not panic".to_owned())
            }
        }
    }
}
