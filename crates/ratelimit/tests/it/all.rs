//! Several limits, all or nothing.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use underpin_ratelimit::{Limit, Limiter, Why, check_all, check_all_at};

use crate::{secs, three_an_hour};

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[test]
fn no_limit_is_charged_when_another_denies() {
    for limit in three_an_hour() {
        let per_ip = Limiter::builder(limit).name("per-ip").build();
        let per_user = Limiter::builder(Limit::window(1, secs(60))).name("per-user").build();
        let global = Limiter::builder(limit).name("global").build();
        let ask = || check_all([per_ip.of(&ADDRESS), per_user.of("ada"), global.of(&())]);
        let [ip, user, all] = ask().expect("nothing is used up");
        assert_eq!([ip.remaining, user.remaining, all.remaining], [2, 0, 2]);
        for _ in 0..10 {
            let denied = ask().expect_err("the user has had its one");
            assert_eq!((&*denied.name, denied.why), ("per-user", Why::Limit));
        }
        assert_eq!((per_ip.remaining(&ADDRESS), global.remaining(&())), (2, 2));
    }
}

#[test]
fn denial_is_that_of_the_longest_wait() {
    let now = Instant::now();
    let [short, long] = [("short", 10), ("long", 60)].map(|(name, time)| {
        let limiter = Limiter::builder(Limit::window(1, secs(time))).name(name).build();
        assert!(limiter.check_at("key", 1, now).is_ok());
        limiter
    });
    let ask = |units| check_all_at([short.of("key").units(units), long.of("key")], now);
    let denied = ask(1).expect_err("both are used up");
    assert_eq!((&*denied.name, denied.retry_after), ("long", Some(secs(60))));
    let denied = ask(2).expect_err("never");
    assert_eq!((&*denied.name, denied.why, denied.retry_after), ("short", Why::TooMany, None));
}

#[test]
fn one_key_twice_is_charged_twice_or_not_at_all() {
    for limit in three_an_hour() {
        let limiter = Limiter::new(limit);
        let ask = || check_all([limiter.of("key"), limiter.of("key")]);
        let [_, second] = ask().expect("3 are allowed");
        assert_eq!(second.remaining, 1);
        assert!(ask().is_err(), "each alone could be had, both cannot");
        assert_eq!(limiter.remaining("key"), 1, "{limit:?}");
    }
}

#[test]
fn full_table_denies_without_a_charge_elsewhere() {
    for limit in three_an_hour() {
        let few = Limiter::builder(limit).name("few").keys(1).build();
        while few.keys_in_use() < 256 {
            few.check(&few.keys_in_use()).expect("there is room");
        }
        let other = Limiter::new(limit);
        let denied = check_all([other.of("key"), few.of("key")]).expect_err("it is full");
        assert_eq!((&*denied.name, denied.why), ("few", Why::Full));
        assert_eq!(other.remaining("key"), 3, "{limit:?}");
    }
}

#[test]
fn none_at_all_are_granted() {
    assert!(check_all([]).is_ok_and(|granted| granted.is_empty()));
}

/// The second limit denies most of the time, from many threads at once, and the first never has less left than was granted.
#[test]
fn threads_that_race_charge_what_was_granted() {
    let hour = Duration::from_secs(3600);
    for first in [Limit::window(100, hour), Limit::fixed(100, hour), Limit::two_windows(100, hour)]
    {
        let (first, second) = (Limiter::new(first), Limiter::new(Limit::window(10, hour)));
        let granted = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        if check_all([first.of(&()), second.of(&())]).is_ok() {
                            granted.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let granted = granted.into_inner();
        assert!(granted <= 10, "{granted}");
        assert_eq!((first.remaining(&()), second.remaining(&())), (100 - granted, 10 - granted));
    }
}
