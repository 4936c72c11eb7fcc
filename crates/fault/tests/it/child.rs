//! A test's body in a process of its own, for what belongs to a whole process: its hook, its streams, its environment.

use std::{
    any::type_name_of_val,
    env,
    fs::File,
    io::{self, BufRead as _, BufReader, PipeReader, PipeWriter, Write as _},
    os::fd::AsFd as _,
    panic::{AssertUnwindSafe, catch_unwind},
    process::Command,
    time::Duration,
};

use serde_json::Value;

/// Tells the process that it is the child.
const CHILD: &str = "UNDERPIN_FAULT_TEST_CHILD";

/// Runs the body of the test that calls it in a process of its own, with these variables.
#[track_caller]
pub(crate) fn run<F: FnOnce()>(variables: &[(&str, &str)], body: F) {
    if env::var_os(CHILD).is_some() {
        be_child(body);
    }
    // `it::<module>::<test>::{{closure}}`
    let path = type_name_of_val(&body).trim_end_matches("::{{closure}}");
    let test = path.trim_start_matches("it::");
    let mut command = Command::new(env::current_exe().expect("a test knows its own program"));
    // One thread, so that libtest runs the test on the main thread; no capture, which would be a hook of its own.
    command.args([test, "--exact", "--nocapture", "--quiet", "--test-threads=1"]).env(CHILD, "1");
    command
        .env_remove("RUST_BACKTRACE")
        .env_remove("RUST_LIB_BACKTRACE")
        .envs(variables.iter().copied());
    let output = testkit::run(command, Duration::from_secs(30));
    assert!(
        output.status.success(),
        "{test}: {}\n{}\n{}",
        output.status,
        output.stdout,
        output.stderr
    );
    assert!(output.stderr.contains("body ran"), "no test is called {test}:\n{}", output.stdout);
}

#[expect(
    clippy::exit,
    reason = "libtest has lost its stdout to the body and could not say how it went"
)]
fn be_child(body: impl FnOnce()) -> ! {
    let stderr = io::stderr().as_fd().try_clone_to_owned().expect("a descriptor is free");
    let result = catch_unwind(AssertUnwindSafe(body));
    let message = match &result {
        Ok(()) => "body ran",
        Err(payload) => payload.downcast_ref::<String>().map_or("body panicked", String::as_str),
    };
    let _ = writeln!(File::from(stderr), "{message}");
    std::process::exit(i32::from(result.is_err()))
}

/// The other end of a standard stream of this process.
pub(crate) struct Stream {
    pub(crate) writer: PipeWriter,
    reader: BufReader<PipeReader>,
}

/// Redirects stdout and stderr to pipes.
pub(crate) fn redirect() -> (Stream, Stream) {
    let stdout = Stream::new();
    let stderr = Stream::new();
    rustix::stdio::dup2_stdout(&stdout.writer).expect("stdout can be replaced");
    rustix::stdio::dup2_stderr(&stderr.writer).expect("stderr can be replaced");
    (stdout, stderr)
}

impl Stream {
    fn new() -> Stream {
        let (reader, writer) = io::pipe().expect("a pipe");
        Stream { writer, reader: BufReader::new(reader) }
    }

    /// Writes as much as a new pipe of Linux holds: the next writer blocks.
    #[cfg(target_os = "linux")]
    pub(crate) fn fill(&mut self) {
        self.writer.write_all(&vec![b'\n'; 65_536]).expect("a new pipe takes 64 KiB");
    }

    /// Whether something can be read at once.
    pub(crate) fn has_output(&self) -> bool {
        !self.reader.buffer().is_empty()
            || rustix::io::ioctl_fionread(self.reader.get_ref()).is_ok_and(|bytes| bytes > 0)
    }

    /// The next line of the panic log, all else being passed over.
    pub(crate) fn next_report(&mut self) -> Value {
        let line = self.next_line_with("{\"timestamp\"");
        let at = line.find('{').unwrap_or_default();
        serde_json::from_str(&line[at..]).unwrap_or_else(|error| panic!("{error} in {line}"))
    }

    pub(crate) fn next_line_with(&mut self, part: &str) -> String {
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).expect("a pipe can be read");
            if line.contains(part) {
                return line;
            }
        }
    }
}
