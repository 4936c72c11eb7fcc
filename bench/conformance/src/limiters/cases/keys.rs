//! Many keys, and several limits.

use tokio::time::pause;

use crate::{
    limiters::{
        Contender, Quota,
        calls::{KEY, granted},
    },
    verdict::{Case, Outcome, cases, ensure},
};

pub fn cases() -> Vec<Case<dyn Contender>> {
    cases! {
        others, "one key costs another nothing",
            "With room for 1,000 keys, 100 keys have their burst whatever another one does.",
            "one client uses up what others were promised.";
        others_window, "so it is with exact windows",
            "The same holds for exact windows.",
            "there is no exact limit for each client.";
        flood, "a flood of keys lifts no limit",
            "With room for 1,000 keys, a key at its limit is still at it after 100,000 other keys.",
            "who can make up keys has no limit at all.";
        bounded, "keys stay within their room",
            "Told to keep 1,000 keys, it keeps not many more after 100,000.",
            "who can make up keys takes all of the memory.";
        full, "a new key is let in when the room is used up",
            "Told to keep 1,000 keys, after 100,000 that are all at their limit, a new one is granted.",
            "who can make up keys shuts new clients out.";
        several, "several limits are asked all or nothing",
            "Twenty requests that one limit denies leave the other as full as it was.",
            "a limit that denies uses up the others.";
    }
}

async fn others(contender: &dyn Contender) -> Outcome {
    pause();
    everybody_has_a_burst(contender, Quota::smooth(1, 5).keys(1000)).await
}

async fn others_window(contender: &dyn Contender) -> Outcome {
    pause();
    everybody_has_a_burst(contender, Quota::window(5).keys(1000)).await
}

async fn everybody_has_a_burst(contender: &dyn Contender, quota: Quota) -> Outcome {
    let limiter = contender.limiter(quota)?;
    granted(&*limiter, KEY, 1000)?;
    for key in 1000..1100 {
        let burst = granted(&*limiter, key, 10)?;
        ensure!(burst == 5, "{burst} were granted to key {key}");
    }
    Ok(())
}

async fn flood(contender: &dyn Contender) -> Outcome {
    pause();
    let limiter = contender.limiter(Quota::smooth(1, 5).keys(1000))?;
    granted(&*limiter, KEY, 5)?;
    for key in 1000..101_000 {
        granted(&*limiter, key, 1)?;
    }
    let more = granted(&*limiter, KEY, 5)?;
    ensure!(more == 0, "{more} more were granted");
    Ok(())
}

async fn bounded(contender: &dyn Contender) -> Outcome {
    pause();
    let limiter = contender.limiter(Quota::smooth(1, 5).keys(1000))?;
    for key in 0..100_000 {
        granted(&*limiter, key, 1)?;
    }
    let kept = limiter.kept()?;
    ensure!(kept <= 2000, "it keeps {kept}");
    Ok(())
}

async fn full(contender: &dyn Contender) -> Outcome {
    pause();
    let limiter = contender.limiter(Quota::smooth(1, 5).keys(1000))?;
    for key in 0..100_000 {
        granted(&*limiter, key, 5)?;
    }
    let mut sum = 0;
    for key in 200_000..200_100 {
        sum += granted(&*limiter, key, 1)?;
    }
    ensure!(sum == 100, "{sum} of 100 new keys were granted a request");
    Ok(())
}

async fn several(contender: &dyn Contender) -> Outcome {
    pause();
    let both = contender.both()?;
    ensure!(both.ask(), "the first request was denied");
    for _ in 0..20 {
        ensure!(!both.ask(), "a second one was granted");
    }
    let left = (0..20).filter(|_| both.ask_second()).count();
    ensure!(left == 9, "{left} of 9 were left");
    Ok(())
}
