//! Starting, reading and ending child processes beside tokio, process-wrap and processkit.
//!
//! Each peer does what it does by default, but for kill-on-drop and a process group, which are switched on where they are not.
//! tokio holds nothing but the child, process-wrap its group, processkit a cgroup or the group, procx a cgroup or all it finds.

use std::{
    hint::black_box,
    process::Stdio,
    time::{Duration, Instant},
};

use measure::{Contender, print, run as measure};
use process_wrap::tokio::{CommandWrap, KillOnDrop, ProcessGroup};
use tokio::{io::AsyncReadExt as _, process, runtime::Runtime};
use underpin_procx::{Capture, Limits, cmd, containment};

const MIB_256: usize = 256 << 20;

pub(crate) fn run() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be built");
    // Some of them need it before they are polled.
    let _inside = runtime.enter();
    println!("procx holds its trees by: {}", containment());
    start(&runtime, "start `true` and wait for its end, 0 GiB in use");
    capture(&runtime);
    held(&runtime);
    kill(&runtime);
    let mut memory = vec![0_u8; 2 << 30];
    for page in memory.chunks_mut(4096) {
        page[0] = 1;
    }
    start(&runtime, "start `true` and wait for its end, 2 GiB in use");
    black_box(memory);
}

fn start(runtime: &Runtime, title: &str) {
    let figures = measure(
        vec![
            Contender::new("tokio", || {
                let mut command = process::Command::new("/bin/true");
                runtime
                    .block_on(command.stdin(Stdio::null()).kill_on_drop(true).output())
                    .expect("it runs")
            }),
            Contender::new("procx", || runtime.block_on(cmd("/bin/true").run()).expect("it runs")),
            Contender::new("procx, with 3 limits", || {
                let limits = Limits::new().core(0).open_files(256).nice(5);
                runtime.block_on(cmd("/bin/true").limits(limits).run()).expect("it runs")
            }),
            Contender::new("process-wrap, group, kill on drop", || {
                runtime.block_on(wrapped("/bin/true", &[])).expect("it runs")
            }),
            Contender::new("processkit", || {
                let command = processkit::Command::new("/bin/true");
                runtime.block_on(command.output_string()).expect("it runs")
            }),
        ],
        101,
        Duration::from_millis(4),
    );
    print(title, &figures);
}

fn capture(runtime: &Runtime) {
    let bytes = MIB_256.to_string();
    let args = ["-c", &bytes, "/dev/zero"];
    let figures = measure(
        vec![
            Contender::new("tokio, all of it", || {
                let mut command = process::Command::new("head");
                runtime.block_on(command.args(args).output()).expect("it runs")
            }),
            Contender::new("procx, both ends", || {
                runtime.block_on(cmd("head").args(args).run()).expect("it runs")
            }),
            Contender::new("procx, all of it", || {
                let whole = cmd("head").args(args).capture(Capture::whole(MIB_256));
                runtime.block_on(whole.run()).expect("it runs")
            }),
            Contender::new("process-wrap, all of it", || {
                runtime.block_on(wrapped("head", &args)).expect("it runs")
            }),
            Contender::new("processkit, all of it", || {
                let command = processkit::Command::new("head").args(args);
                runtime.block_on(command.output_bytes()).expect("it runs")
            }),
        ],
        7,
        Duration::from_millis(1),
    );
    print("read 256 MiB", &figures);
}

/// What process-wrap leaves to its user.
async fn wrapped(
    program: &str,
    args: &[&str],
) -> std::io::Result<(std::process::ExitStatus, Vec<u8>)> {
    let mut command = CommandWrap::with_new(program, |command| {
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    });
    let mut child = command.wrap(ProcessGroup::leader()).wrap(KillOnDrop).spawn()?;
    let mut bytes = Vec::new();
    if let Some(mut stdout) = child.stdout().take() {
        stdout.read_to_end(&mut bytes).await?;
    }
    Ok((child.wait().await?, bytes))
}

/// The child ends at once, and a grandchild holds its pipe for 10 s.
fn held(runtime: &Runtime) {
    const HOLD: [&str; 2] = ["-c", "sleep 10 & echo done"];
    println!("\nreturn when a grandchild holds the pipe for 10 s\n");
    let tell = |name: &str, begun: Instant, text: &str| {
        println!("{name:<34} {:>9.3} s {:>12}", begun.elapsed().as_secs_f64(), text.trim());
    };
    let begun = Instant::now();
    let output = runtime.block_on(cmd("sh").args(HOLD).run()).expect("it runs");
    tell("procx", begun, &output.stdout.text());
    let begun = Instant::now();
    let output =
        runtime.block_on(process::Command::new("sh").args(HOLD).output()).expect("it runs");
    tell("tokio", begun, &String::from_utf8_lossy(&output.stdout));
    let begun = Instant::now();
    let (_, bytes) = runtime.block_on(wrapped("sh", &HOLD)).expect("it runs");
    tell("process-wrap", begun, &String::from_utf8_lossy(&bytes));
    let begun = Instant::now();
    let command = processkit::Command::new("sh").args(HOLD);
    let output = runtime.block_on(command.output_string()).expect("it runs");
    tell("processkit", begun, output.stdout());
}

/// From SIGKILL to the last of a hundred processes in sessions of their own.
fn kill(runtime: &Runtime) {
    const HUNDRED: &str =
        "for i in $(seq 100); do setsid sleep 100 & done; sleep 0.5; echo ready; wait";
    let mut times = Vec::new();
    for _ in 0..7 {
        let took = runtime.block_on(async {
            let shell = cmd("sh").args(["-c", HUNDRED]).grace(Duration::ZERO);
            let mut child = shell.spawn().await.expect("it starts");
            child.lines().next().await.expect("in time");
            let begun = Instant::now();
            child.stop().await.expect("it ends");
            begun.elapsed()
        });
        times.push(took);
    }
    times.sort();
    println!(
        "\nprocx ends 100 processes in sessions of their own: {:.1?} in the middle\n",
        times[3]
    );
}
