//! One for each key.

use underpin_breaker::{Breaker, Breakers, State, Trip};

use crate::secs;

fn breakers(capacity: usize) -> Breakers<String> {
    Breakers::new(capacity, |key: &String| {
        Breaker::builder(key.clone()).trip(Trip::consecutive(1)).build()
    })
}

#[test]
fn same_key_is_the_same_breaker_and_another_is_another() {
    let breakers = breakers(100);
    let _ = breakers.get(&"a".to_owned()).run(|| Err::<(), _>(()));
    assert_eq!(breakers.get(&"a".to_owned()).state(), State::Open);
    assert_eq!(breakers.get(&"b".to_owned()).state(), State::Closed);
    assert_eq!(breakers.get(&"b".to_owned()).name(), "b");
}

#[test]
fn flood_of_keys_stays_within_the_capacity_and_keeps_the_open_ones() {
    let breakers = breakers(160);
    for number in 0..50 {
        let _ = breakers.get(&format!("down {number}")).run(|| Err::<(), _>(()));
    }
    let down: Vec<_> = breakers.all();
    for number in 0..20_000 {
        let _ = breakers.get(&format!("{number}")).run(|| Ok::<_, ()>(()));
        assert!(breakers.len() <= 160);
    }
    for (key, _) in down {
        assert_eq!(breakers.get(&key).state(), State::Open, "{key}");
    }
}

#[test]
fn one_that_remembers_a_failure_is_kept_and_one_that_recovered_is_given_up() {
    let (row, last) = (Trip::consecutive(2), Trip::rate(1.0).last(2));
    let over = Trip::rate(1.0).over(secs(3600));
    // After a failure, so many successes; whether there is still something to remember.
    for (trip, successes, is_kept) in
        [(row, 0, true), (row, 1, false), (last, 1, true), (last, 2, false), (over, 5, true)]
    {
        let breakers = Breakers::new(16, move |key: &u32| {
            Breaker::builder(key.to_string()).trip(trip).build()
        });
        let succeed = |key| _ = breakers.get(&key).run(|| Ok::<_, ()>(()));
        let _ = breakers.get(&0).run(|| Err::<(), _>(()));
        (0..successes).for_each(|_| succeed(0));
        (1000..3000).for_each(succeed);
        let kept = breakers.all().iter().any(|(key, _)| *key == 0);
        assert_eq!(kept, is_kept, "{trip:?} after {successes} successes");
    }
}

#[test]
fn when_all_are_open_a_new_key_still_gets_through() {
    let breakers = breakers(16);
    for number in 0..200 {
        let _ = breakers.get(&format!("{number}")).run(|| Err::<(), _>(()));
    }
    assert!(breakers.len() <= 16);
    let new = breakers.get(&"new".to_owned());
    assert_eq!(new.run(|| Ok::<_, ()>(1)), Ok(1));
}
