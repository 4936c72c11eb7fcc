//! What is told of a change.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Waker},
};

use crate::{
    breakers::{Breaker, Called, Contender, Rules, Trouble, calls::succeed},
    verdict::{Case, Outcome, cases, ensure},
};

pub fn cases() -> Vec<Case<dyn Contender>> {
    cases! {
        reentrant, "a callback may make a call",
            "A callback runs under no lock: a call that it makes through the same breaker is answered at once.",
            "a callback that looks after the dependency waits for itself.";
        panics, "a callback that panics breaks nothing",
            "A callback that panics neither reaches the caller nor keeps the breaker from opening.",
            "a mistake in a log line takes requests down, or leaves the breaker closed.";
    }
}

async fn reentrant(contender: &dyn Contender) -> Outcome {
    let breaker: Arc<OnceLock<Box<dyn Breaker>>> = Arc::default();
    let (inside, answered) = (breaker.clone(), Arc::new(Mutex::new(Vec::new())));
    let (entered, answers) = (AtomicBool::new(false), answered.clone());
    let on_change = move || {
        // Its own call may be a change, too.
        if let Some(breaker) = inside.get()
            && !entered.swap(true, Ordering::AcqRel)
        {
            let call = pin!(breaker.call(Box::pin(async { Ok(()) })));
            let answer = call.poll(&mut Context::from_waker(Waker::noop()));
            answers.lock().expect("nobody panics").push(answer.is_ready());
        }
    };
    let rules = Rules { on_change: Some(Arc::new(on_change)), ..Rules::consecutive(3) };
    let _ = breaker.set(contender.breaker(rules)?);
    let breaker = breaker.get().expect("it was set");
    for _ in 0..4 {
        breaker.call(Box::pin(async { Err(Trouble::Theirs) })).await;
    }
    let answered = answered.lock().expect("nobody panics");
    ensure!(!answered.is_empty(), "the callback was not called when it opened");
    ensure!(answered.iter().all(|ready| *ready), "a call in the callback gets no answer");
    Ok(())
}

async fn panics(contender: &dyn Contender) -> Outcome {
    let told = Arc::new(AtomicU32::new(0));
    let count = told.clone();
    let armed = Arc::new(AtomicBool::new(false));
    let is_armed = armed.clone();
    let on_change = move || {
        if is_armed.load(Ordering::Acquire) {
            count.fetch_add(1, Ordering::AcqRel);
            panic!("a callback that is broken");
        }
    };
    let rules = Rules { on_change: Some(Arc::new(on_change)), ..Rules::consecutive(3) };
    let breaker = contender.breaker(rules)?;
    // Some are told of the first state, too.
    armed.store(true, Ordering::Release);
    for nth in 1..5 {
        let call = tokio::spawn(breaker.call(Box::pin(async { Err(Trouble::Theirs) }))).await;
        ensure!(call.is_ok(), "its panic has reached the caller of call {nth}");
    }
    ensure!(told.load(Ordering::Acquire) > 0, "it was not called when the breaker opened");
    ensure!(succeed(&*breaker).await == Called::Rejected, "the breaker has not opened");
    Ok(())
}
