//! A command: what to run, and how.

use std::{
    borrow::Cow,
    ffi::{OsStr, OsString},
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    capture::Capture,
    child::Child,
    containment::Containment,
    error::{Error, Short},
    limits::Limits,
    output::{Exit, Output},
    pipeline::Pipeline,
    redact::Redactor,
    stdin::Stdin,
};

const TIMEOUT: Duration = Duration::from_secs(30);
const GRACE: Duration = Duration::from_secs(5);

/// A command, by its program.
///
/// A name without a slash is looked for in the `PATH` that the child will have; see [`Cmd::cwd`] for one with a slash.
///
/// ```no_run
/// # async fn run() -> Result<(), underpin_procx::Error> {
/// let head = underpin_procx::cmd("git").args(["rev-parse", "HEAD"]).text().await?;
/// # Ok(())
/// # }
/// ```
pub fn cmd(program: impl AsRef<OsStr>) -> Cmd {
    Cmd::new(program.as_ref())
}

/// A program, its arguments, and the rules it runs under. A value: it can be kept, cloned and run many times.
///
/// Arguments reach the program as they are. There is no shell, and nothing that takes a command line.
///
/// Running it, in whatever way but [`run_blocking`](Cmd::run_blocking), needs a tokio runtime with I/O and time, and panics without.
#[derive(Clone)]
#[must_use = "a command does nothing before it is run"]
pub struct Cmd {
    pub(crate) program: OsString,
    pub(crate) args: Vec<Arg>,
    pub(crate) cwd: Option<PathBuf>,
    /// Names to keep of this process's environment; all of them if `None`.
    pub(crate) keep_env: Option<Vec<OsString>>,
    pub(crate) env: Vec<(OsString, Option<OsString>)>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) grace: Duration,
    pub(crate) stdin: Stdin,
    pub(crate) capture: Capture,
    pub(crate) limits: Limits,
    pub(crate) ok_codes: Vec<i32>,
    pub(crate) background: bool,
    pub(crate) min_containment: Containment,
    pub(crate) redactor: Redactor,
}

#[derive(Clone)]
pub(crate) struct Arg {
    pub(crate) value: OsString,
    secret: bool,
}

impl Cmd {
    fn new(program: &OsStr) -> Cmd {
        Cmd {
            program: program.to_owned(),
            args: Vec::new(),
            cwd: None,
            keep_env: None,
            env: Vec::new(),
            timeout: Some(TIMEOUT),
            grace: GRACE,
            stdin: Stdin::null(),
            capture: Capture::default(),
            limits: Limits::new(),
            ok_codes: vec![0],
            background: false,
            min_containment: Containment::Group,
            redactor: Redactor::default(),
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Cmd {
        self.args.push(Arg { value: arg.as_ref().to_owned(), secret: false });
        self
    }

    /// Adds arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Cmd {
        let args = args.into_iter();
        self.args.extend(args.map(|arg| Arg { value: arg.as_ref().to_owned(), secret: false }));
        self
    }

    /// Adds an argument that is shown as `***`, wherever this crate shows it, and is [redacted](Cmd::redact).
    ///
    /// Other users of the machine can still see it among the processes; a variable or standard input is safer.
    pub fn secret(self, arg: impl AsRef<OsStr>) -> Cmd {
        let value = arg.as_ref().to_owned();
        let mut cmd = self.redact(value.as_encoded_bytes());
        cmd.args.push(Arg { value, secret: true });
        cmd
    }

    /// Registers a value that is shown as `***` in output, lines, errors and events, and so is each of its lines.
    ///
    /// Values of fewer than 4 bytes are not looked for: they are part of too much else.
    pub fn redact(mut self, value: impl AsRef<[u8]>) -> Cmd {
        self.redactor.add(value.as_ref());
        self
    }

    /// The folder to run in. A program that is given as a relative path with a slash is relative to it.
    pub fn cwd(mut self, path: impl AsRef<Path>) -> Cmd {
        self.cwd = Some(path.as_ref().to_owned());
        self
    }

    /// Sets a variable of the environment.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Cmd {
        self.env.push((name.as_ref().to_owned(), Some(value.as_ref().to_owned())));
        self
    }

    /// Removes a variable from the environment.
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Cmd {
        self.env.push((name.as_ref().to_owned(), None));
        self
    }

    /// Inherits only these variables of this process. What [`env`](Cmd::env) sets is set all the same.
    pub fn env_only(mut self, names: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Cmd {
        self.keep_env = Some(names.into_iter().map(|name| name.as_ref().to_owned()).collect());
        self
    }

    /// How long it may take, from the call to the last of its output; 30 s unless set.
    ///
    /// When it is over, everything it has started gets SIGTERM, and what is left after the [grace](Cmd::grace) gets SIGKILL. It returns when that is done.
    pub fn timeout(mut self, limit: Duration) -> Cmd {
        self.timeout = Some(limit);
        self
    }

    /// Lets it run for as long as it wants. A program that hangs then hangs its caller.
    pub fn no_timeout_i_accept_hangs(mut self) -> Cmd {
        self.timeout = None;
        self
    }

    /// The time between SIGTERM and SIGKILL; 5 s unless set.
    pub fn grace(mut self, grace: Duration) -> Cmd {
        self.grace = grace;
        self
    }

    /// Its standard input: empty unless set.
    pub fn stdin(mut self, stdin: impl Into<Stdin>) -> Cmd {
        self.stdin = stdin.into();
        self
    }

    /// How much of its output is kept: of each stream the first 64 KiB and the last 192 KiB unless set.
    pub fn capture(mut self, capture: Capture) -> Cmd {
        self.capture = capture;
        self
    }

    /// What it may use.
    pub fn limits(mut self, limits: Limits) -> Cmd {
        self.limits = limits;
        self
    }

    /// The exit codes that are a success; 0 unless set.
    pub fn ok_codes(mut self, codes: impl IntoIterator<Item = i32>) -> Cmd {
        self.ok_codes = codes.into_iter().collect();
        self
    }

    /// Leaves alone what it has started and not ended when it exits by itself: for a program that puts itself into the background.
    ///
    /// A timeout or a drop before that still ends everything. It is never in a [cgroup](Containment::Cgroup), which would end with this process.
    pub fn leave_background(mut self) -> Cmd {
        self.background = true;
        self
    }

    /// Fails rather than run it in a weaker [containment](crate::containment()).
    pub fn min_containment(mut self, containment: Containment) -> Cmd {
        self.min_containment = containment;
        self
    }

    /// Connects its standard output with the standard input of the next one.
    pub fn pipe(self, next: Cmd) -> Pipeline {
        Pipeline::new(self, next)
    }

    /// Runs it to a successful end.
    ///
    /// # Errors
    ///
    /// When it cannot be started, ends in another way than with a code that is a [success](Cmd::ok_codes), or its time is over.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills everything the child has started.
    pub async fn run(self) -> Result<Output, Error> {
        let output = self.clone().output().await?;
        self.check(output)
    }

    /// Runs it to an end, successful or not.
    ///
    /// # Errors
    ///
    /// When it cannot be started, or its time is over.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills everything the child has started.
    pub async fn output(self) -> Result<Output, Error> {
        self.spawn().await?.wait().await
    }

    /// Runs it to a successful end and gives its standard output, without white space at both ends.
    ///
    /// What is not UTF-8 becomes U+FFFD.
    ///
    /// # Errors
    ///
    /// As [`run`](Cmd::run), and when more was printed than is kept, 256 KiB unless [set](Cmd::capture), or nothing is read at all.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills everything the child has started.
    pub async fn text(self) -> Result<String, Error> {
        let output = self.clone().run().await?;
        self.text_of(output)
    }

    /// Runs it to a successful end and reads its standard output as JSON.
    ///
    /// # Errors
    ///
    /// As [`text`](Cmd::text), and when it is not JSON of this type.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills everything the child has started.
    #[cfg(feature = "json")]
    pub async fn json<T: serde::de::DeserializeOwned>(self) -> Result<T, Error> {
        let output = self.clone().run().await?;
        self.json_of(output)
    }

    /// Starts it.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O and time.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills everything the child has started.
    pub async fn spawn(self) -> Result<Child, Error> {
        Child::spawn(self, crate::child::Wiring::default()).await
    }

    /// As [`run`](Cmd::run), for programs without a runtime. It blocks the thread.
    ///
    /// # Errors
    ///
    /// As [`run`](Cmd::run).
    ///
    /// # Panics
    ///
    /// On a thread that drives a runtime.
    pub fn run_blocking(self) -> Result<Output, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(self.run()),
            Err(error) => Err(Error::new(
                crate::ErrorKind::Spawn,
                &self,
                "cannot wait without a runtime of its own",
            )
            .with_source(error)),
        }
    }

    pub(crate) fn check(&self, output: Output) -> Result<Output, Error> {
        match output.exit {
            Exit::Code(code) if self.ok_codes.contains(&code) => Ok(output),
            _ => Err(Error::ended(self, output)),
        }
    }

    pub(crate) fn text_of(&self, output: Output) -> Result<String, Error> {
        if !self.capture.reads || output.stdout.truncated() {
            return Err(Error::truncated(self, output));
        }
        Ok(output.stdout.text().trim().to_owned())
    }

    #[cfg(feature = "json")]
    pub(crate) fn json_of<T: serde::de::DeserializeOwned>(
        &self,
        output: Output,
    ) -> Result<T, Error> {
        let Some(bytes) = output.stdout.bytes().filter(|_| self.capture.reads) else {
            return Err(Error::truncated(self, output));
        };
        serde_json::from_slice(bytes).map_err(|error| {
            let detail = "standard output is not the JSON that was asked for";
            Error::new(crate::ErrorKind::Malformed, self, detail)
                .with_source(error)
                .with_output(output)
        })
    }

    /// The value a variable will have in the child.
    pub(crate) fn env_of_child(&self, name: &OsStr) -> Option<Cow<'_, OsStr>> {
        if let Some((_, value)) = self.env.iter().rev().find(|(set, _)| set == name) {
            return value.as_deref().map(Cow::Borrowed);
        }
        let kept = self.keep_env.as_ref().is_none_or(|names| names.iter().any(|kept| kept == name));
        if kept { std::env::var_os(name).map(Cow::Owned) } else { None }
    }
}

/// The program and its arguments, with spaces between them: for people, not for a shell. It is cut after 200 bytes, and secrets are masked.
impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 200;
        let mut line = self.program.clone();
        for arg in &self.args {
            line.push(" ");
            line.push(if arg.secret { OsStr::new("***") } else { &arg.value });
        }
        let line = self.redactor.os(&line).replace(|char: char| char.is_control(), " ");
        Short(&line, LONGEST).fmt(f)
    }
}

/// The environment is left out: it holds secrets more often than not.
impl fmt::Debug for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cmd")
            .field("command", &self.to_string())
            .field("cwd", &self.cwd.as_ref().map(|cwd| self.redactor.os(cwd.as_os_str())))
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
