//! How to misbehave.

use std::{
    env,
    io::{self, Read as _},
    process::{Child, Command, ExitCode, Stdio},
    sync::{Arc, atomic::AtomicBool},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Signal, getpid, kill_process, setsid};
use signal_hook::consts::SIGTERM;

/// What can be misbehaved as, and whether a child of that kind can also end by itself.
pub(super) const KINDS: &[(&str, bool)] = &[
    ("plain", true),
    ("deaf", true),
    ("double-fork", true),
    ("session", true),
    ("daemon", true),
    ("holder", true),
    ("flood", true),
    ("endless-line", false),
    ("stopper", false),
    ("dying", false),
    ("slow-exec", true),
    ("hydra", true),
    ("amnesiac", true),
    ("ghost", true),
];

/// Whatever goes wrong, it is over then.
const LIFETIME: Duration = Duration::from_secs(60);

/// The words after the kind.
struct Options<'a>(&'a [&'a str]);

impl Options<'_> {
    fn has(&self, option: &str) -> bool {
        self.0.contains(&option)
    }

    fn tag(&self) -> &str {
        self.0.iter().find(|word| word.starts_with("--tag=")).copied().unwrap_or_default()
    }

    fn number(&self, name: &str) -> u32 {
        let value = self.0.iter().find_map(|word| word.strip_prefix(name));
        value.and_then(|value| value.parse().ok()).unwrap_or_default()
    }

    /// The same program, with the same tag.
    fn again(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env::current_exe().expect("a program has a path"));
        command.args(words).arg(self.tag()).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

pub(super) fn misbehave(kind: &str, options: &[&str]) -> ExitCode {
    let options = Options(options);
    match kind {
        "plain" => {}
        "deaf" => {
            deafen();
            start(options.again(&["rest", "--deaf"]));
        }
        "double-fork" => start(options.again(&["middle", "rest"])),
        "session" => start(options.again(&["rest", "--session"])),
        "daemon" => start(options.again(&["middle", "rest", "--session", "--deaf"])),
        "holder" => {
            let mut holder = options.again(&["rest", "--deaf"]);
            holder.stdout(Stdio::inherit()).stderr(Stdio::inherit());
            start(holder);
        }
        "flood" => {
            let mut other = options.again(&["spout", "--stderr"]);
            other.stderr(Stdio::inherit());
            let _other = other.spawn();
            spout(&mut io::stdout(), b"a line that many have written before\n", &options);
        }
        "endless-line" => spout(&mut io::stdout(), &[b'x'; 4096], &options),
        "stopper" => {
            let _ = kill_process(getpid(), Signal::STOP);
        }
        "dying" => die_of_sigterm(&options),
        "slow-exec" => exec_slowly(&options),
        "hydra" => grow_heads(&options),
        "amnesiac" => {
            let mut forgetful = options.again(&["rest", "--session", "--deaf"]);
            forgetful.env_clear();
            start(forgetful);
        }
        "ghost" => {
            let mut forgetful = options.again(&["middle", "rest", "--session", "--deaf"]);
            forgetful.env_clear();
            start(forgetful);
        }
        // From here on, what the others start.
        "rest" => {
            if options.has("--session") {
                let _ = setsid();
            }
            if options.has("--deaf") {
                deafen();
            }
            tell_ready();
            rest();
        }
        "middle" => {
            let mut child = options.again(&options.0[..options.0.len() - 1]);
            let _child = child.stdin(Stdio::inherit()).stdout(Stdio::inherit()).spawn();
            return ExitCode::SUCCESS;
        }
        "spout" => spout(&mut io::stderr(), b"and another\n", &options),
        _ => return ExitCode::from(2),
    }
    if !options.has("--exit") {
        rest();
    }
    ExitCode::SUCCESS
}

/// Starts one, and waits until it is what it wants to be.
fn start(mut command: Command) {
    let (mut ready, theirs) = io::pipe().expect("descriptors are left");
    let _child = command.stdin(theirs).spawn();
    drop(command);
    let _ = ready.read(&mut [0]);
}

/// Standard input is the writing end of a pipe.
fn tell_ready() {
    let _ = rustix::io::write(rustix::stdio::stdin(), b"!");
}

fn rest() {
    let begun = Instant::now();
    while let Some(left) = LIFETIME.checked_sub(begun.elapsed()) {
        thread::sleep(left);
    }
}

fn deafen() {
    let _ = signal_hook::flag::register(SIGTERM, Arc::new(AtomicBool::new(false)));
}

/// Writes without end, or a megabyte.
fn spout(to: &mut impl io::Write, text: &[u8], options: &Options<'_>) {
    let begun = Instant::now();
    let mut left = if options.has("--exit") { 1 << 20 } else { usize::MAX };
    while left > 0 && begun.elapsed() < LIFETIME && to.write_all(text).is_ok() {
        left = left.saturating_sub(text.len());
    }
}

/// The last thing it does is to leave something behind.
fn die_of_sigterm(options: &Options<'_>) {
    let asked = Arc::new(AtomicBool::new(false));
    let _ = signal_hook::flag::register(SIGTERM, Arc::clone(&asked));
    let begun = Instant::now();
    while begun.elapsed() < LIFETIME && !asked.load(std::sync::atomic::Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(1));
    }
    let _child = options.again(&["middle", "rest", "--session", "--deaf"]).spawn();
}

/// Becomes itself again and again: for a moment each time, nobody can say what it is.
fn exec_slowly(options: &Options<'_>) {
    use std::os::unix::process::CommandExt as _;
    let round = options.number("--round=");
    if round < 40 {
        thread::sleep(Duration::from_millis(1));
        let next = format!("--round={}", round + 1);
        let mut words = vec!["slow-exec", &next];
        if options.has("--exit") {
            words.push("--exit");
        }
        let mut again = options.again(&words);
        again.stdout(Stdio::inherit()).stderr(Stdio::inherit());
        let _error = again.exec();
    }
}

/// Keeps two children alive, and they theirs.
fn grow_heads(options: &Options<'_>) {
    let depth = options.number("--depth=");
    if depth >= 3 {
        return;
    }
    let next = format!("--depth={}", depth + 1);
    let grow = || options.again(&["hydra", &next]).spawn();
    let mut heads: [Option<io::Result<Child>>; 2] = [None, None];
    // So many are enough: it is to be a nuisance, not a danger.
    let mut left = 20;
    let begun = Instant::now();
    while begun.elapsed() < LIFETIME {
        for head in &mut heads {
            let lives = match head {
                Some(Ok(head)) => matches!(head.try_wait(), Ok(None)),
                _ => false,
            };
            if !lives && left > 0 {
                left -= 1;
                *head = Some(grow());
            }
        }
        if options.has("--exit") {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
}
