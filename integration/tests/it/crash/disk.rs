//! A disk whose power can be cut: ext4 in a file, on a loop device.

use std::{
    ffi::CStr,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use tempfile::TempDir;
use testkit::{Skip, run};

/// Gives a disk's folder to the ioctl that stops ext4 as a loss of power does. There is no safe binding of it, and this is not the place for unsafe code.
const CUT_OFF: &str = "
import fcntl, os, struct, sys
for line in sys.stdin:
    flags, path = line.rstrip('\\n').split(' ', 1)
    folder = os.open(path, os.O_RDONLY)
    try:
        fcntl.ioctl(folder, 0x8004587d, struct.pack('I', int(flags)))
    finally:
        os.close(folder)
    print('off', flush=True)
";

const BYTES: u64 = 48 << 20;

/// What is lost beside what was never flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// The journal is flushed first, as if the power had gone a moment later: names without their data are likely.
    Data = 1,
    /// Everything else.
    All = 2,
}

/// Mounted while it exists, whatever happens to the test.
#[derive(Debug)]
pub(super) struct Disk {
    device: String,
    options: String,
    is_mounted: bool,
    switch: Child,
    answers: BufReader<ChildStdout>,
    // Last, so that it is removed when nothing uses it any more.
    dir: TempDir,
}

impl Disk {
    /// Makes one with these mount options.
    ///
    /// # Errors
    ///
    /// When this user may not mount, or a program is missing.
    pub(super) fn new(options: &str) -> Result<Disk, Skip> {
        if !rustix::process::geteuid().is_root() {
            return Err(Skip::new("only root may mount (run it as root)"));
        }
        let python = testkit::python(&[])?;
        let mkfs = testkit::program("mkfs.ext4")?;
        let losetup = testkit::program("losetup")?;
        // In memory where there is such a place: the power that goes is not this machine's.
        let shm = Path::new("/dev/shm");
        let dir = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() };
        let dir = dir.expect("a temp folder");
        let image = dir.path().join("image");
        fs::File::create(&image).and_then(|file| file.set_len(BYTES)).expect("it is created");
        fs::create_dir(dir.path().join("mount")).expect("a folder");
        let finish = |mut command: Command, args: &[&str]| {
            command.args(args).arg(&image);
            run(command, Duration::from_secs(30))
        };
        let made = finish(mkfs.command(), &["-q", "-F", "-b", "4096"]);
        assert!(made.status.success(), "{}", made.stderr);
        let attached = finish(losetup.command(), &["--find", "--show"]);
        if !attached.status.success() {
            return Err(Skip::new(format!(
                "no loop device (run it where there are some): {}",
                attached.stderr.trim()
            )));
        }
        let mut switch = python.command();
        switch.args(["-c", CUT_OFF]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut switch = switch.spawn().expect("python starts");
        let answers = BufReader::new(switch.stdout.take().expect("it is piped"));
        let device = attached.stdout.trim().to_owned();
        let options = options.to_owned();
        let mut disk = Disk { device, options, is_mounted: false, switch, answers, dir };
        disk.mount();
        Ok(disk)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().join("mount")
    }

    /// Cuts the power. Whoever uses the disk gets errors from now on.
    pub(super) fn cut_off(&mut self, loss: Loss) {
        let path = self.path();
        let stdin = self.switch.stdin.as_mut().expect("it is piped");
        writeln!(stdin, "{} {}", loss as u32, path.display()).expect("it listens");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("it answers");
        assert_eq!(answer, "off\n");
    }

    /// Starts again. Nobody may use it meanwhile.
    pub(super) fn restart(&mut self) {
        self.unmount();
        self.mount();
    }

    fn mount(&mut self) {
        let options = std::ffi::CString::new(self.options.as_str()).expect("no NUL");
        let options: &CStr = &options;
        mount(&*self.device, self.path(), "ext4", MountFlags::NOATIME, options)
            .expect("it can be mounted");
        self.is_mounted = true;
    }

    fn unmount(&mut self) {
        unmount(self.path(), UnmountFlags::empty()).expect("nobody uses it");
        self.is_mounted = false;
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_mounted {
            // Whoever still uses it keeps it, but its name is gone.
            let _ = unmount(self.path(), UnmountFlags::DETACH);
        }
        let _ = Command::new("losetup").args(["--detach", &self.device]).status();
        let _ = self.switch.kill();
        let _ = self.switch.wait();
    }
}
