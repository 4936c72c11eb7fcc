//! What it reads.

use std::{fs::File, io::Write as _};

use underpin_procx::{ErrorKind, Stdin, cmd};

use crate::script;

#[tokio::test]
async fn nothing_is_read_unless_something_is_given() {
    assert_eq!(cmd("cat").text().await.expect("it ends at once"), "");
}

#[tokio::test]
async fn more_than_pipes_hold_goes_in_while_it_comes_out() {
    let bytes: Vec<u8> = (0..10_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let whole = underpin_procx::Capture::whole(bytes.len());
    let output = cmd("cat").stdin(bytes.clone()).capture(whole).run().await.expect("it ends");
    assert_eq!(output.stdout.bytes(), Some(bytes.as_slice()));
}

#[tokio::test]
async fn one_that_does_not_read_is_no_error() {
    cmd("true").stdin(vec![b'x'; 10_000_000]).run().await.expect("it ends well");
    let head = cmd("head").args(["-c", "3"]).stdin(vec![b'x'; 10_000_000]).text().await;
    assert_eq!(head.expect("it ends well"), "xxx");
}

#[tokio::test]
async fn a_file_is_read_from_where_it_is() {
    let mut file = tempfile::NamedTempFile::new().expect("a temp file");
    file.write_all(b"from a file").expect("it can be written");
    let file = File::open(file.path()).expect("it exists");
    let text = cmd("cat").stdin(file).text().await;
    assert_eq!(text.expect("it ends"), "from a file");
}

#[tokio::test]
async fn a_reader_is_read_once() {
    let (mut write, read) = tokio::io::duplex(16);
    let cat = cmd("cat").stdin(Stdin::reader(read));
    let first = tokio::spawn(cat.clone().text());
    for _ in 0..1000 {
        tokio::io::AsyncWriteExt::write_all(&mut write, b"0123456789").await.expect("it is read");
    }
    drop(write);
    let text = first.await.expect("no panic").expect("it ends");
    assert_eq!(text, "0123456789".repeat(1000));
    let error = cat.text().await.expect_err("it is used up");
    assert_eq!(error.kind(), ErrorKind::Spawn);
}

#[tokio::test]
async fn a_piped_one_that_nobody_takes_is_closed() {
    let text = cmd("cat").stdin(Stdin::piped()).text().await;
    assert_eq!(text.expect("it ends"), "");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_descriptor_of_ours_is_inherited() {
    const CLOEXEC: u32 = 0o2_000_000;
    let _file = tempfile::NamedTempFile::new().expect("a temp file");
    let _other = cmd("cat").stdin(Stdin::piped()).spawn().await.expect("it starts");
    let open = script("ls /proc/$$/fd; true").text().await.expect("it ends");
    for number in open.lines() {
        if ["0", "1", "2"].contains(&number) {
            continue;
        }
        // Whoever has started this test has left it open, for all of us.
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}"));
        let info = info.unwrap_or_else(|_| panic!("{number} came from nowhere"));
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).expect("a line");
        let flags = u32::from_str_radix(flags.trim(), 8).expect("an octal number");
        assert_eq!(flags & CLOEXEC, 0, "{number} is one of ours");
    }
}

/// Gives three bytes, and fails.
struct Broken(bool);

impl tokio::io::AsyncRead for Broken {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        if std::mem::replace(&mut self.0, true) {
            return std::task::Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into()));
        }
        buffer.put_slice(b"abc");
        std::task::Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_reader_that_fails_is_not_taken_for_its_end() {
    // What it has read so far is not all, and it must not think so.
    let whole = script("cat > /dev/null; echo complete");
    let error = whole.clone().stdin(Stdin::reader(Broken(false))).run().await;
    let error = error.expect_err("a part is missing");
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().ends_with("what it was to read could not be read"), "{error}");
    let source = std::error::Error::source(&error).map(ToString::to_string);
    assert_eq!(source.as_deref(), Some("connection reset"));
    let output = error.output().expect("it was started");
    assert_eq!((output.exit, output.stdout.text()), (underpin_procx::Exit::Signal(15), "".into()));

    let mut child = whole.stdin(Stdin::reader(Broken(false))).spawn().await.expect("it starts");
    assert_eq!(child.lines().next().await.expect("no time is over"), None);
    assert_eq!(child.wait().await.expect_err("a part is missing").kind(), ErrorKind::Io);
}
