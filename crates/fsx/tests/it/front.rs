//! The async functions, and what happens when they are given up.

use std::{
    future::Future as _,
    pin::pin,
    sync::mpsc,
    task::{Context, Poll, Waker},
};

use underpin_fsx::{AtomicFile, blocking, read_json, read_json_or, update_json, write, write_json};

use crate::{names, read, temp_dir};

#[tokio::test]
async fn everything_has_an_async_form() {
    let dir = temp_dir();
    let path = dir.path().join("a.json");
    assert_eq!(read_json_or(&path, 100, || 7).await.expect("missing"), 7);
    write_json(&path, 8).await.expect("it is written");
    update_json(&path, 100, |n: &mut u32| *n += 1).await.expect("it is updated");
    assert_eq!(read_json::<u32>(&path, 100).await.expect("it is read"), 9);
    assert!(write(&path, "text").await.expect("it is written").durable);
    let (written, output) = AtomicFile::at(&path)
        .write_with(|to| to.write_all(b"more").map(|()| 5))
        .await
        .expect("it is written");
    assert_eq!((written.bytes, output, read(&path).as_str()), (4, 5, "more"));
}

/// Gives a write up while it is writing, and lets it go on until it notices.
#[tokio::test]
async fn write_that_is_given_up_leaves_the_old_file_and_nothing_else() {
    let dir = temp_dir();
    let path = dir.path().join("a");
    blocking::write(&path, "old").expect("it is written");
    let (writing, is_writing) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let (result, was) = mpsc::channel();
    {
        let mut write = pin!(AtomicFile::at(&path).write_with(move |to| {
            to.write_all(&vec![b'x'; 200_000])?;
            let _ = writing.send(());
            let _ = may_go_on.recv();
            let written = to.write_all(&vec![b'x'; 200_000]);
            let _ = result.send(written.is_err());
            written
        }));
        assert!(write.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        is_writing.recv().expect("it begins");
    }
    go_on.send(()).expect("it waits");
    assert!(was.recv().expect("it goes on"), "it notices at its next write");
    // The job has dropped its function, and with it the sender, before the temporary file: wait for the folder to be as it was.
    while names(dir.path()) != ["a"] {
        std::thread::yield_now();
    }
    assert_eq!(read(&path), "old");
}

/// Gives a write up after every number of polls there can be.
#[tokio::test]
async fn write_that_is_given_up_at_any_await_is_done_or_undone() {
    let dir = temp_dir();
    let path = dir.path().join("a");
    for round in 0..50_usize {
        blocking::write(&path, "old").expect("it is written");
        {
            let mut write = pin!(write(&path, "new"));
            for _ in 0..round % 5 {
                let mut context = Context::from_waker(Waker::noop());
                if let Poll::Ready(result) = write.as_mut().poll(&mut context) {
                    result.expect("it is written");
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        // A later write of the same file comes after the job that was given up, whatever has become of it.
        while names(dir.path()) != ["a"] {
            tokio::task::yield_now().await;
        }
        assert!(["old", "new"].contains(&read(&path).as_str()));
    }
}

#[tokio::test]
async fn panic_of_the_function_is_the_callers() {
    let dir = temp_dir();
    let path = dir.path().join("a.json");
    let update = tokio::spawn(update_json(path, 100, |_: &mut u32| panic!("on purpose")));
    assert!(update.await.expect_err("it panicked").is_panic());
}
