//! How many in which time. All on a paused clock.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, time::pause};

use crate::{
    limiters::{
        Answer, Contender, Quota,
        calls::{KEY, after_ms, granted},
    },
    verdict::{Case, Outcome, Stop, cases, ensure},
};

pub fn cases() -> Vec<Case<dyn Contender>> {
    cases! {
        bucket, "a burst at once, then the rate",
            "With a burst of 5 and 10 a second, 5 are granted at once and one every 100 ms after that.",
            "clients get more or less than was agreed.";
        idle, "nobody saves up more than the burst",
            "After an hour without a request, the burst is granted and no more.",
            "a client that was quiet overnight sends all of it in the morning.";
        denied, "denied requests cost nothing",
            "After 1,000 denied requests, the next one in time is granted.",
            "a client that retries too often never gets through.";
        polling, "the rate does not depend on polling",
            "Asked every 1.7 ms for a minute, 10 a second grant 600 and one, give or take one.",
            "who asks more often gets less.";
        fraction, "a rate that does not divide a second is kept",
            "30,000 a second, asked for 1,000 s, grant 30,000,000 and the burst, give or take one below.",
            "the limit is another than the one that was agreed with a provider.";
        retry, "after the time that it says, it is granted",
            "A denied request that comes back when it was told to is granted, and one a millisecond earlier is not.",
            "clients come back in vain, or wait too long.";
        never, "more than ever possible is told apart",
            "A request for more than the burst is denied for ever, and not told to come back.",
            "a client comes back for ever.";
        back, "a clock that goes back grants nothing more",
            "Asked with clocks one second behind, as threads with old readings do, an empty bucket grants nothing.",
            "one old reading gives a burst away.";
        race, "threads together get no more than the limit",
            "Four threads that ask all the time for 300 ms are granted the burst and the rate, and no more.",
            "the limit is off exactly when the load is high.";
        window, "a window never holds more than its limit",
            "With 10 a second, 10 at 0.9 s leave none before 1.9 s.",
            "at a boundary, twice the limit goes through.";
        leaves, "a place is free when its request leaves the window",
            "With 10 a second, one at 0 s and nine at 0.5 s, one is granted at 1 s and a bit, nine at 1.5 s and a bit.",
            "clients get less than was agreed.";
    }
}

async fn bucket(contender: &dyn Contender) -> Outcome {
    pause();
    let limiter = contender.limiter(Quota::smooth(10, 5))?;
    let at_once = granted(&*limiter, KEY, 20)?;
    ensure!(at_once == 5, "{at_once} were granted at once");
    for nth in 1..=10 {
        after_ms(100).await;
        let more = granted(&*limiter, KEY, 5)?;
        ensure!(more == 1, "{more} were granted {nth}00 ms later");
    }
    Ok(())
}

async fn idle(contender: &dyn Contender) -> Outcome {
    pause();
    let limiter = contender.limiter(Quota::smooth(10, 5))?;
    granted(&*limiter, KEY, 20)?;
    after_ms(3_600_000).await;
    let burst = granted(&*limiter, KEY, 100)?;
    ensure!(burst == 5, "{burst} were granted");
    Ok(())
}

async fn denied(contender: &dyn Contender) -> Outcome {
    pause();
    let limiter = contender.limiter(Quota::smooth(10, 5))?;
    granted(&*limiter, KEY, 1000)?;
    after_ms(100).await;
    let next = granted(&*limiter, KEY, 1)?;
    ensure!(next == 1, "it was not");
    Ok(())
}

async fn polling(contender: &dyn Contender) -> Outcome {
    pause();
    let limiter = contender.limiter(Quota::smooth(10, 1))?;
    let mut sum = 0;
    for _ in 0..60_000_000 / 1_700 {
        sum += granted(&*limiter, KEY, 1)?;
        tokio::time::advance(Duration::from_micros(1_700)).await;
    }
    // A request can be late by a polling interval, which the next one need not make up for.
    ensure!((588..=602).contains(&sum), "{sum} were granted");
    Ok(())
}

async fn fraction(contender: &dyn Contender) -> Outcome {
    pause();
    let limiter = contender.limiter(Quota::smooth(30_000, 60_000))?;
    let mut sum = 0;
    for second in 0..=1000 {
        // The burst is two seconds' worth, so that nothing is lost in one.
        after_ms(if second == 0 { 0 } else { 1000 }).await;
        for n in [30_000, 10_000, 1000, 100, 10, 1] {
            while limiter.check(KEY, n)? == Answer::Granted {
                sum += u64::from(n);
            }
        }
    }
    let most = 30_000 * 1000 + 60_000_u64;
    ensure!(sum <= most, "{} more were granted", sum - most);
    ensure!(sum >= most - 1, "{} fewer were granted", most - sum);
    Ok(())
}

async fn retry(contender: &dyn Contender) -> Outcome {
    pause();
    for early in [false, true] {
        let limiter = contender.limiter(Quota::smooth(3, 5))?;
        granted(&*limiter, KEY, 5)?;
        after_ms(100).await;
        let Answer::Denied(told) = limiter.check(KEY, 1)? else {
            return Err(Stop::Observed("more than the burst was granted".to_owned()));
        };
        let Some(told) = told else {
            return Err(Stop::Cannot("a denied request is not told when to come back"));
        };
        let wait = if early { told - Duration::from_millis(1) } else { told };
        tokio::time::advance(wait).await;
        let answer = limiter.check(KEY, 1)?;
        ensure!((answer == Answer::Granted) != early, "told {told:?}, after {wait:?}: {answer:?}");
    }
    Ok(())
}

async fn never(contender: &dyn Contender) -> Outcome {
    pause();
    let limiter = contender.limiter(Quota::smooth(10, 5))?;
    let answer = limiter.check(KEY, 6)?;
    ensure!(answer == Answer::Never, "it was {answer:?}");
    let answer = limiter.check(KEY, 5)?;
    ensure!(answer == Answer::Granted, "the whole burst was {answer:?}");
    Ok(())
}

async fn back(contender: &dyn Contender) -> Outcome {
    pause();
    let limiter = contender.limiter(Quota::smooth(10, 5))?;
    after_ms(10_000).await;
    granted(&*limiter, KEY, 5)?;
    let mut sum = 0;
    for _ in 0..100 {
        let answer = limiter.check_behind(KEY, Duration::from_secs(1))?;
        sum += u32::from(answer == Answer::Granted);
        sum += granted(&*limiter, KEY, 1)?;
    }
    ensure!(sum == 0, "{sum} were granted");
    after_ms(100).await;
    let next = granted(&*limiter, KEY, 2)?;
    ensure!(next == 1, "100 ms later, {next} were granted");
    Ok(())
}

async fn race(contender: &dyn Contender) -> Outcome {
    let limiter = contender.limiter(Quota::smooth(1000, 100))?;
    let sum = AtomicU32::new(0);
    let runtime = Handle::current();
    let began = Instant::now();
    let failed = thread::scope(|scope| {
        let ask = || {
            let _clock = runtime.enter();
            while began.elapsed() < Duration::from_millis(300) {
                sum.fetch_add(granted(&*limiter, KEY, 100)?, Ordering::Relaxed);
            }
            Ok(())
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
    });
    let _: Vec<()> = match failed {
        Ok(all) => all,
        Err(stop) => return Err(stop),
    };
    let time = began.elapsed();
    let sum = sum.load(Ordering::Relaxed);
    let most = 100 + u32::try_from(time.as_millis()).expect("it is a short time") + 1;
    ensure!(sum <= most, "{sum} were granted in {time:?}, and {most} may be");
    ensure!(sum >= 300, "only {sum} were granted in {time:?}");
    Ok(())
}

async fn window(contender: &dyn Contender) -> Outcome {
    pause();
    let limiter = contender.limiter(Quota::window(10))?;
    after_ms(900).await;
    let first = granted(&*limiter, KEY, 20)?;
    ensure!(first == 10, "{first} were granted at first");
    for (wait, time) in [(100, 1000), (100, 1100), (400, 1500), (399, 1899)] {
        after_ms(wait).await;
        let more = granted(&*limiter, KEY, 20)?;
        ensure!(more == 0, "{more} more were granted at {time} ms");
    }
    Ok(())
}

async fn leaves(contender: &dyn Contender) -> Outcome {
    pause();
    let limiter = contender.limiter(Quota::window(10))?;
    granted(&*limiter, KEY, 1)?;
    after_ms(500).await;
    let nine = granted(&*limiter, KEY, 20)?;
    ensure!(nine == 9, "{nine} were granted at 500 ms");
    after_ms(501).await;
    let one = granted(&*limiter, KEY, 20)?;
    ensure!(one == 1, "{one} were granted at 1001 ms");
    after_ms(500).await;
    let nine = granted(&*limiter, KEY, 20)?;
    ensure!(nine == 9, "{nine} were granted at 1501 ms");
    Ok(())
}
