//! Waiting for one's turn, on a paused clock.

use std::{cell::RefCell, future::poll_fn, pin::pin, task::Poll, time::Duration};

use tokio::time::{Instant, advance, timeout};
use underpin_ratelimit::{Denied, Granted, Limit, Limiter, Why};

use crate::{millis, secs, three_an_hour};

/// One in a second, by each algorithm.
fn one_a_second() -> [Limit; 4] {
    let second = secs(1);
    [
        Limit::window(1, second),
        Limit::gcra(1, second),
        Limit::fixed(1, second),
        Limit::two_windows(1, second),
    ]
}

/// Polls a future once, so that it has its place, and says whether it waits.
async fn waits<F: Future<Output = Result<Granted, Denied>> + Unpin>(future: &mut F) -> bool {
    poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_pending())).await
}

fn rounded(time: Duration) -> Duration {
    secs((time.as_millis() / 1000).try_into().expect("a short time"))
}

#[tokio::test(start_paused = true)]
async fn turn_comes_at_the_rate() {
    for limit in [Limit::window(2, secs(1)), Limit::gcra(2, secs(1)), Limit::fixed(2, secs(1))] {
        let (limiter, begin) = (Limiter::new(limit), Instant::now());
        let mut times = Vec::new();
        for _ in 0..6 {
            limiter.acquire("key", secs(60)).await.expect("there is time");
            times.push(begin.elapsed().as_millis());
        }
        let expected: [u128; 6] = if limit == Limit::gcra(2, secs(1)) {
            [0, 0, 500, 1000, 1500, 2000]
        } else {
            [0, 0, 1000, 1000, 2000, 2000]
        };
        assert!(
            times.iter().zip(expected).all(|(time, at)| (at..=at + 3).contains(time)),
            "{limit:?}: {times:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn slot_beyond_the_deadline_is_refused_at_once_and_costs_nothing() {
    for limit in one_a_second() {
        let limiter = Limiter::builder(limit).name("slow").build();
        limiter.acquire("key", Duration::ZERO).await.expect("it is free");
        let begin = Instant::now();
        let denied = limiter.acquire("key", millis(900)).await.expect_err("it is too late");
        assert_eq!(begin.elapsed(), Duration::ZERO, "it did not wait");
        let expected = limiter.peek("key").retry_after;
        assert_eq!((denied.why, denied.retry_after), (Why::TooLate, Some(expected)));
        assert!(denied.to_string().starts_with("rate limit 'slow' has no place in the time"));
        limiter.acquire("key", expected).await.expect("in time");
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_wait_than_the_limit_allows_in_that_time() {
    for limit in one_a_second() {
        let limiter = Limiter::new(limit);
        limiter.check("key").expect("it is free");
        let mut waiting: Vec<_> =
            (0..1000).map(|_| Box::pin(limiter.acquire("key", secs(10)))).collect();
        let mut count = 0;
        for future in &mut waiting {
            count += usize::from(waits(future).await);
        }
        assert!((5..=10).contains(&count), "{limit:?}: {count}");
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_are_served_in_order_and_not_overtaken() {
    for limit in one_a_second() {
        let limiter = Limiter::new(limit);
        limiter.check("key").expect("it is free");
        let served = RefCell::new(Vec::new());
        let turn = |number: usize| {
            let (limiter, served) = (limiter.clone(), &served);
            async move {
                limiter.acquire("key", secs(60)).await.expect("there is time");
                served.borrow_mut().push(number);
            }
        };
        tokio::join!(biased; turn(0), turn(1), turn(2), async {
            for _ in 0..20 {
                tokio::task::yield_now().await;
                assert!(limiter.check("key").is_err(), "nobody overtakes");
            }
        });
        assert_eq!(*served.borrow(), [0, 1, 2], "{limit:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn large_request_is_not_starved_by_small_ones() {
    for limit in [
        Limit::window(10, secs(1)),
        Limit::gcra(10, secs(1)),
        Limit::fixed(10, secs(1)),
        Limit::two_windows(10, secs(1)),
    ] {
        let (limiter, begin) = (Limiter::new(limit), Instant::now());
        limiter.check_n("key", 10).expect("it is free");
        let mut large = pin!(limiter.acquire_n("key", 10, secs(60)));
        assert!(waits(&mut large).await);
        let small = async {
            loop {
                let _ = timeout(millis(50), limiter.acquire("key", secs(60))).await;
            }
        };
        tokio::select! { biased; granted = &mut large => assert!(granted.is_ok()), () = small => {} }
        assert!(begin.elapsed() <= secs(2) + millis(10), "{limit:?}: {:?}", begin.elapsed());
    }
}

/// A burst of 1 at one a second. A, B and C wait; A gives up halfway to its turn; then D comes.
#[tokio::test(start_paused = true)]
async fn place_of_one_who_gives_up_is_not_given_to_two() {
    for limit in one_a_second() {
        let (limiter, begin) = (Limiter::new(limit), Instant::now());
        limiter.acquire("key", Duration::ZERO).await.expect("it is free");
        let mut a = Box::pin(limiter.acquire("key", secs(60)));
        let (mut b, mut c) =
            (pin!(limiter.acquire("key", secs(60))), pin!(limiter.acquire("key", secs(60))));
        assert!(waits(&mut a).await && waits(&mut b).await && waits(&mut c).await);
        advance(millis(500)).await;
        drop(a);
        let at = |future| async move {
            let granted: Result<Granted, Denied> = { future }.await;
            granted.expect("there is time");
            begin.elapsed()
        };
        let d = Box::pin(limiter.acquire("key", secs(60)));
        let (b, c, d) = tokio::join!(biased; async { b.await.expect("time"); begin.elapsed() }, async { c.await.expect("time"); begin.elapsed() }, at(d));
        let mut times = [b, c, d].map(rounded);
        times.sort();
        assert!(times.windows(2).all(|pair| pair[1] >= pair[0] + secs(1)), "{limit:?}: {times:?}");
        assert!(b < c && c < d, "{limit:?}: in order");
    }
}

#[tokio::test(start_paused = true)]
async fn last_place_is_given_back_whole() {
    for limit in one_a_second() {
        let limiter = Limiter::new(limit);
        limiter.check("key").expect("it is free");
        let before = limiter.peek("key").retry_after;
        for _ in 0..5 {
            let mut turn = Box::pin(limiter.acquire("key", secs(60)));
            assert!(waits(&mut turn).await);
            assert!(limiter.peek("key").retry_after > before);
            drop(turn);
            assert_eq!(limiter.peek("key").retry_after, before, "{limit:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_taken_before_the_first_poll() {
    for limit in one_a_second() {
        let limiter = Limiter::new(limit);
        drop(limiter.acquire("key", secs(60)));
        let turn = limiter.acquire("key", secs(60));
        assert!(limiter.check("key").is_ok());
        drop(turn);
        assert!(limiter.check("key").is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn more_than_the_limit_and_none_at_all_do_not_wait() {
    for limit in one_a_second() {
        let limiter = Limiter::new(limit);
        limiter.check("key").expect("it is free");
        let denied = limiter.acquire_n("key", 2, Duration::MAX).await.expect_err("never");
        assert_eq!((denied.why, denied.retry_after), (Why::TooMany, None));
        let mut none = pin!(limiter.acquire_n("key", 0, Duration::ZERO));
        assert!(!waits(&mut none).await);
    }
}

/// What the windows before had counted is not forgotten with the place, and neither is the key.
#[tokio::test(start_paused = true)]
async fn key_whose_place_was_given_back_does_not_begin_anew() {
    for limit in three_an_hour() {
        let limiter = Limiter::builder(limit).keys(1).build();
        limiter.check_n("key", 2).expect("3 are allowed");
        let mut turn = Box::pin(limiter.acquire_n("key", 3, secs(3 * 3600)));
        assert!(waits(&mut turn).await);
        drop(turn);
        // All other slots, and its own if it could be had.
        (0..256).for_each(|key| drop(limiter.check(&key)));
        let denied = limiter.check_n("key", 2).expect_err("1 is left");
        assert_eq!(denied.why, Why::Limit, "{limit:?}");
    }
}

/// The future may outlive the key, and be sent to another thread.
#[tokio::test(start_paused = true)]
async fn future_holds_no_key() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let limiter = Limiter::new(Limit::gcra(1, secs(1)));
    let turn = {
        let key = std::rc::Rc::new(String::from("key"));
        is_send(limiter.acquire(&key, secs(1)))
    };
    assert!(turn.await.is_ok());
    assert!(limiter.check("key").is_err());
}
