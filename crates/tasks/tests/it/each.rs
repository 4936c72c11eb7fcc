//! Order, limit, errors, drops and fairness of a batch in one task.

use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
    future::{pending, poll_fn, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use proptest::prelude::*;
use tokio::{sync::oneshot, task::yield_now};
use underpin_tasks::each;

#[tokio::test]
async fn order_kept() {
    // Later items are done first: each waits for the one after it.
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..10).map(|_| oneshot::channel::<()>()).unzip();
    let mut senders = senders.into_iter().map(Some).collect::<Vec<_>>();
    let done = RefCell::new(Vec::new());
    let results = each(receivers.into_iter().enumerate())
        .map(|(number, receiver)| {
            let previous = number.checked_sub(1).map(|previous| senders[previous].take());
            let last = number == 9;
            let done = &done;
            async move {
                if !last {
                    let _ = receiver.await;
                }
                done.borrow_mut().push(number);
                drop(previous);
                number
            }
        })
        .await;
    assert_eq!(results, (0..10).collect::<Vec<_>>());
    assert_eq!(*done.borrow(), (0..10).rev().collect::<Vec<_>>());
}

/// The document's own case: 30, 20 and 10 ms of work gave `[3, 2, 1]`.
#[tokio::test(start_paused = true)]
async fn completion_order_does_not_show() {
    let results = each([30_u64, 20, 10])
        .limit(5)
        .map(async |millis| {
            let pause = std::time::Duration::from_millis(millis);
            tokio::time::sleep(pause).await; // sleep-ok: time is paused, and the length is what is tested
            millis
        })
        .await;
    assert_eq!(results, [30, 20, 10]);
}

#[tokio::test]
async fn operations_run_at_the_same_time() {
    let together = tokio::sync::Barrier::new(3);
    let leaders = each(0..3).map(async |_| together.wait().await.is_leader()).await;
    assert_eq!(leaders.into_iter().filter(|&leader| leader).count(), 1);
}

#[tokio::test]
async fn one_at_a_time_is_one_after_the_other() {
    let log = RefCell::new(Vec::new());
    each(0..3)
        .limit(1)
        .map(async |item| {
            log.borrow_mut().push(("begins", item));
            yield_now().await;
            log.borrow_mut().push(("ends", item));
        })
        .await;
    let expected = (0..3).flat_map(|item| [("begins", item), ("ends", item)]);
    assert_eq!(*log.borrow(), expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn never_more_than_n() {
    for limit in [1, 2, 5, 64, 65, 200] {
        let (now, most) = (Cell::new(0), Cell::new(0));
        each(0..150)
            .limit(limit)
            .map(async |item| {
                now.set(now.get() + 1);
                most.set(most.get().max(now.get()));
                for _ in 0..item % 4 {
                    yield_now().await;
                }
                now.set(now.get() - 1);
            })
            .await;
        assert!(most.get() <= limit, "{} at once with limit {limit}", most.get());
        assert!(
            limit == 1 || most.get() > limit / 3,
            "only {} at once with limit {limit}",
            most.get()
        );
    }
}

#[test]
fn limit_zero_panics_at_the_call() {
    let panic = catch_unwind(|| each([1]).limit(0)).unwrap_err();
    let message = panic.downcast_ref::<&str>().unwrap();
    assert!(message.starts_with("limit(0)"), "{message}");
}

#[tokio::test]
async fn limit_above_the_number_of_items_is_fine() {
    assert_eq!(each([1, 2]).limit(usize::MAX).map(ready).await, [1, 2]);
}

#[test]
fn no_items_return_at_once() {
    let mut batch = pin!(each(Vec::<u8>::new()).limit(3).map(ready));
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(batch.as_mut().poll(&mut cx), Poll::Ready(Vec::new()));
}

#[tokio::test]
async fn operations_may_borrow_and_stay_on_their_thread() {
    let words = ["a".to_owned(), "bb".to_owned()];
    let total = Rc::new(Cell::new(0));
    let lengths = each(&words)
        .map(|word| {
            let total = Rc::clone(&total);
            async move {
                yield_now().await;
                total.set(total.get() + word.len());
                word.len()
            }
        })
        .await;
    assert_eq!((lengths.as_slice(), total.get()), (&[1, 2][..], 3));
}

#[tokio::test]
async fn items_are_taken_when_there_is_room() {
    let taken = Cell::new(0);
    let items = (0..100).inspect(|_| taken.set(taken.get() + 1));
    let mut batch = pin!(each(items).limit(7).map(|_| pending::<()>()));
    assert!(poll_once(batch.as_mut()).await.is_pending());
    assert_eq!(taken.get(), 7);
}

#[tokio::test]
async fn the_first_error_in_time_is_returned_after_the_others_are_dropped() {
    let (finish, first) = oneshot::channel::<()>();
    let mut first = Some(first);
    let dropped = Rc::new(Cell::new(0));
    let mut finish = Some(finish);
    let result = each(0..4)
        .try_map(|item| {
            let guard = CountDrop(Rc::clone(&dropped));
            let wait = if item == 0 { first.take() } else { None };
            let signal = if item == 2 { finish.take() } else { None };
            async move {
                let _guard = guard;
                match (wait, signal) {
                    (Some(wait), _) => {
                        let _ = wait.await;
                        yield_now().await;
                        Err("late")
                    }
                    (_, Some(signal)) => {
                        let _ = signal.send(());
                        Err("first")
                    }
                    _ => pending::<Result<(), _>>().await,
                }
            }
        })
        .await;
    assert_eq!(result, Err("first"));
    // The fourth never started: the error came while there was nothing to wait for.
    assert_eq!(dropped.get(), 3);
}

#[tokio::test]
async fn try_map_of_successes_keeps_the_order() {
    assert_eq!(
        each([3, 1, 2]).limit(2).try_map(async |n| Ok::<_, Infallible>(n)).await,
        Ok(vec![3, 1, 2])
    );
}

#[tokio::test]
async fn a_panic_goes_on_in_the_caller_after_the_others_are_dropped() {
    let dropped = Rc::new(Cell::new(0));
    let mut batch = Box::pin(each(0..3).map(|item| {
        let guard = CountDrop(Rc::clone(&dropped));
        async move {
            let _guard = guard;
            yield_now().await;
            assert!(item != 1, "item {item}");
            pending::<()>().await;
        }
    }));
    let payload = poll_fn(|cx| {
        match catch_unwind(AssertUnwindSafe(|| batch.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(_)) => panic!("the batch was done"),
            // Counted before the batch itself is dropped.
            Err(payload) => Poll::Ready((payload, dropped.get())),
        }
    })
    .await;
    assert_eq!(payload.0.downcast_ref::<String>().unwrap(), "item 1");
    assert_eq!(payload.1, 3);
}

#[tokio::test]
async fn dropping_the_batch_drops_what_has_started() {
    let dropped = Rc::new(Cell::new(0));
    {
        let mut batch = pin!(each(0..10).limit(4).map(|_| {
            let guard = CountDrop(Rc::clone(&dropped));
            async move {
                let _guard = guard;
                pending::<()>().await;
            }
        }));
        assert!(poll_once(batch.as_mut()).await.is_pending());
        assert_eq!(dropped.get(), 0);
    }
    assert_eq!(dropped.get(), 4);
}

#[test]
fn ten_thousand_ready_operations_let_others_run() {
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut batch = pin!(each(0..10_000).limit(10_000).map(ready));
    let mut turns = 0;
    while batch.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        turns += 1;
        let woken = count.0.load(std::sync::atomic::Ordering::SeqCst);
        assert_eq!(woken, turns, "it gave its task back without asking for the next turn");
    }
    assert!((50..=100).contains(&turns), "given back {turns} times");
}

/// Each of 300 operations always wakes itself, so every budget runs out, and still each is polled equally often.
#[tokio::test]
async fn nobody_is_starved_by_a_busy_neighbour() {
    let polls = RefCell::new(vec![0_u32; 300]);
    let mut batch = pin!(each(0..300).map(|item| {
        let polls = &polls;
        poll_fn(move |cx| {
            polls.borrow_mut()[item] += 1;
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        })
    }));
    for _ in 0..300 {
        assert!(poll_once(batch.as_mut()).await.is_pending());
    }
    let polls = polls.borrow();
    let (least, most) = (polls.iter().min().unwrap(), polls.iter().max().unwrap());
    assert!(*least > 100 && most - least <= 3, "from {least} to {most} polls");
}

/// Operations that use up the budget that tokio gives a task: the first ones must not get all of it, turn after turn.
#[tokio::test]
async fn operations_that_use_tokios_budget_take_turns() {
    let rounds = RefCell::new(vec![0_u32; 20]);
    each(0..20)
        .map(async |item| {
            for _ in 0..50 {
                for _ in 0..40 {
                    tokio::task::consume_budget().await;
                }
                rounds.borrow_mut()[item] += 1;
                // The first one to finish has had a head start of the turns in which the others were started.
                if rounds.borrow()[item] == 50 {
                    assert!(rounds.borrow().iter().all(|&rounds| rounds >= 20), "{rounds:?}");
                }
            }
        })
        .await;
}

#[tokio::test]
async fn a_stale_waker_wakes_nobody_wrongly() {
    let kept = RefCell::new(Vec::<Waker>::new());
    let results = each(0..50)
        .limit(3)
        .map(|item| {
            let kept = &kept;
            let mut polls = 0;
            poll_fn(move |cx| {
                kept.borrow().iter().for_each(Waker::wake_by_ref);
                kept.borrow_mut().push(cx.waker().clone());
                polls += 1;
                if polls > item % 3 { Poll::Ready(item) } else { Poll::Pending }
            })
        })
        .await;
    assert_eq!(results, (0..50).collect::<Vec<_>>());
}

#[test]
fn one_wake_of_the_task_for_many_wakes_of_operations() {
    let wakers = RefCell::new(Vec::<Waker>::new());
    let mut batch = pin!(each(0..100).map(|_| {
        poll_fn(|cx| {
            wakers.borrow_mut().push(cx.waker().clone());
            Poll::<()>::Pending
        })
    }));
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    assert!(batch.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    wakers.borrow().iter().for_each(Waker::wake_by_ref);
    assert_eq!(count.0.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[test]
fn allocations_grow_with_the_limit_not_with_the_items() {
    let allocations = |items: u32| {
        let measured = allocation_counter::measure(|| {
            let mut batch = pin!(each(0..items).limit(10).map(|item| {
                let mut first = true;
                poll_fn(move |cx| {
                    if std::mem::take(&mut first) {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    Poll::Ready(item)
                })
            }));
            let mut cx = Context::from_waker(Waker::noop());
            while batch.as_mut().poll(&mut cx).is_pending() {}
        });
        measured.count_total
    };
    let (few, many) = (allocations(100), allocations(100_000));
    assert_eq!(few, many);
    assert!(few <= 2 * 10 + 16, "{few} allocations for ten slots");
}

proptest! {
    #[test]
    fn any_schedule_keeps_order_and_limit(
        yields in prop::collection::vec(0_usize..6, 0..200),
        limit in 1_usize..80,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (now, most) = (Cell::new(0), Cell::new(0));
        let results = runtime.block_on(each(yields.iter().enumerate()).limit(limit).map(async |(number, yields)| {
            now.set(now.get() + 1);
            most.set(most.get().max(now.get()));
            for _ in 0..*yields {
                yield_now().await;
            }
            now.set(now.get() - 1);
            number
        }));
        prop_assert_eq!(results, (0..yields.len()).collect::<Vec<_>>());
        prop_assert!(most.get() <= limit);
    }
}

struct CountDrop(Rc<Cell<u32>>);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[derive(Default)]
struct Count(std::sync::atomic::AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}
