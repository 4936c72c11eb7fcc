//! Every result, whatever happens to the others.

use std::{future::ready, panic::panic_any};

use tokio::task::yield_now;
use underpin_tasks::{Failure, each, split};

#[tokio::test]
async fn one_panic_does_not_kill_batch() {
    let settled = each(0..6)
        .limit(2)
        .settle(async |item| {
            yield_now().await;
            assert!(item != 3, "item {item} is bad");
            if item == 4 { Err("four") } else { Ok(item) }
        })
        .await;
    let split = split(settled);
    assert_eq!(split.healthy, [(0, 0), (1, 1), (2, 2), (5, 5)]);
    assert_eq!(split.failed.len(), 2);
    let (3, Failure::Panicked(panic)) = &split.failed[0] else {
        panic!("{:?}", split.failed);
    };
    assert_eq!(panic.message(), Some("item 3 is bad"));
    assert_eq!(split.failed[0].1.to_string(), "panicked: item 3 is bad");
    assert!(matches!(split.failed[1], (4, Failure::Error("four"))), "{:?}", split.failed);
}

#[tokio::test]
async fn a_panic_of_the_function_is_its_items_failure() {
    let settled = each(0..3)
        .settle(|item| {
            assert!(item != 1, "no future for {item}");
            ready(Ok::<_, String>(item))
        })
        .await;
    assert!(settled[0].is_ok() && settled[2].is_ok());
    assert_eq!(settled[1].as_ref().unwrap_err().to_string(), "panicked: no future for 1");
}

#[tokio::test]
async fn a_panicking_destructor_is_its_items_failure() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    struct Holding {
        _held: Bad,
    }
    impl Future for Holding {
        type Output = Result<(), String>;
        fn poll(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Self::Output> {
            std::task::Poll::Ready(Ok(()))
        }
    }
    let settled = each(0..2).settle(|_| Holding { _held: Bad }).await;
    for result in settled {
        assert_eq!(result.unwrap_err().to_string(), "panicked: in drop");
    }
}

#[tokio::test]
async fn a_panic_keeps_its_payload() {
    let mut settled =
        each([7_u8]).settle(|item| -> std::future::Ready<Result<(), ()>> { panic_any(item) }).await;
    let Err(Failure::Panicked(panic)) = settled.remove(0) else {
        panic!("no panic");
    };
    assert_eq!(panic.message(), None);
    assert_eq!(panic.to_string(), "panicked");
    assert_eq!(*panic.into_payload().downcast::<u8>().unwrap(), 7);
}

#[test]
fn a_failure_is_an_error_like_any_other() {
    fn error<T: std::error::Error + Send + Sync + 'static>() {}
    error::<Failure<std::io::Error>>();
    error::<underpin_tasks::Panic>();
    assert_eq!(Failure::Error("x").into_error(), Some("x"));
    assert_eq!(Failure::<()>::Cancelled.into_error(), None);
    assert_eq!(Failure::<String>::Cancelled.to_string(), "cancelled before it finished");
}
