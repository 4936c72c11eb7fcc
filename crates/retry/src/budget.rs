//! How many retries all callers together may add.

use std::{fmt, sync::Arc};

use tokio::time::Instant;

use crate::sync::{AtomicU64, Ordering};

/// One retry in the fixed point of the account. A ratio is kept to a millionth.
const ONE: u64 = 1_000_000;

/// How many retries may come at once after a quiet time, unless set.
const BURST: u32 = 100;

/// A shared account of retries: each call pays a fraction of a retry in, and each retry takes one out.
///
/// When everything fails, every caller's own limit of retries multiplies the load on whoever is down: three retries make it four times as
/// much, and three services in a row that do so make it 64. With a budget of a fifth, the load grows by a fifth, however long it
/// lasts.
///
/// ```
/// use underpin_retry::Budget;
///
/// // A fifth of all calls, and 10 a second where there are few.
/// let budget = Budget::ratio(0.2).at_least_per_second(10.0);
/// ```
///
/// In any time `w` in which `n` calls begin, at most `ratio * n + burst + 1` retries and hedges begin, and, with a floor, `floor * (w + 1 s)` more retries.
///
/// Clones are the same account. A call pays when it begins, and a retry is taken out when it is scheduled; it is paid back if
/// the call is dropped before the retry begins. Nothing here takes a lock or allocates.
#[derive(Clone)]
pub struct Budget {
    account: Arc<Account>,
}

struct Account {
    deposit: u64,
    most: u64,
    balance: AtomicU64,
    floor: Option<Floor>,
}

/// Retries at a steady rate: GCRA, one word that holds when the account of time would be empty.
struct Floor {
    epoch: Instant,
    interval: u64,
    empty_at: AtomicU64,
}

/// A retry that was taken out and has not begun. Dropped before it is spent, it is paid back.
#[derive(Debug)]
#[must_use = "dropped, it is paid back"]
pub struct Withdrawal(Option<Budget>);

impl Budget {
    /// So many retries for each call: 0.2 is a fifth. Kept to a millionth.
    ///
    /// # Panics
    ///
    /// When the ratio is not from 0 to 1000.
    #[track_caller]
    pub fn ratio(ratio: f64) -> Budget {
        assert!(
            (0.0..=1000.0).contains(&ratio),
            "a retry budget of {ratio} per call is not from 0 to 1000"
        );
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is in range, and rounding is meant"
        )]
        let deposit = (ratio * 1e6).round() as u64;
        Budget::with(deposit, BURST, None)
    }

    /// So many retries a second in any case, so that a client with few calls can retry at all.
    ///
    /// # Panics
    ///
    /// When the rate is not from 0.001 to 1,000,000.
    #[track_caller]
    #[must_use]
    pub fn at_least_per_second(self, rate: f64) -> Budget {
        assert!(
            (0.001..=1e6).contains(&rate),
            "{rate} retries a second are not from 0.001 to 1,000,000"
        );
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is in range, and rounding is meant"
        )]
        let interval = (1e9 / rate).round() as u64;
        let burst = u32::try_from(self.account.most / ONE).unwrap_or(u32::MAX);
        Budget::with(self.account.deposit, burst, Some(interval))
    }

    /// How many unused retries are kept for later: 100 unless set. The account begins full.
    #[must_use]
    pub fn burst(self, retries: u32) -> Budget {
        let interval = self.account.floor.as_ref().map(|floor| floor.interval);
        Budget::with(self.account.deposit, retries, interval)
    }

    fn with(deposit: u64, burst: u32, interval: Option<u64>) -> Budget {
        let full = u64::from(burst) * ONE;
        let floor = interval.map(|interval| Floor {
            epoch: Instant::now(),
            interval,
            empty_at: AtomicU64::new(0),
        });
        // Room for a fraction more, so that none is lost on the way to the next retry.
        let (balance, most) = (AtomicU64::new(full), full + ONE - 1);
        Budget { account: Arc::new(Account { deposit, most, balance, floor }) }
    }

    /// How many retries could be taken out now, without the floor.
    pub fn balance(&self) -> u64 {
        self.account.balance.load(Ordering::Relaxed) / ONE
    }

    /// Takes one out for an attempt beside another that is still under way, a hedge, if it can be spared: half of what is kept for later
    /// ([`burst`](Budget::burst)) stays for retries, rounded up, and the floor is theirs alone. So hedges end before retries do, and together
    /// they stay within the bound.
    pub fn take_spare(&self) -> Option<Withdrawal> {
        let account = &*self.account;
        account.take_one(account.reserve()).then(|| Withdrawal(Some(self.clone())))
    }

    /// A call begins.
    pub(crate) fn deposit(&self) {
        self.account.pay_in(self.account.deposit);
    }

    /// A retry is scheduled, if there is one left.
    pub(crate) fn withdraw(&self, now: Instant) -> Option<Withdrawal> {
        let account = &*self.account;
        let taken =
            account.take_one(0) || account.floor.as_ref().is_some_and(|floor| floor.take_one(now));
        taken.then(|| Withdrawal(Some(self.clone())))
    }
}

impl Account {
    fn pay_in(&self, amount: u64) {
        let more = |balance: u64| {
            let after = balance.saturating_add(amount).min(self.most);
            // A full account is not written to: the usual case only reads a line that all callers share.
            (after != balance).then_some(after)
        };
        let _ = self.balance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    /// Unless less than this would be left.
    fn take_one(&self, reserve: u64) -> bool {
        let less = |balance: u64| balance.checked_sub(ONE).filter(|left| *left >= reserve);
        self.balance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    /// What is not to be spared.
    fn reserve(&self) -> u64 {
        (self.most / ONE).div_ceil(2) * ONE
    }
}

impl Floor {
    fn take_one(&self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.epoch);
        let now = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        // A second's worth is kept for later, or one retry where that is less than one.
        let latest = now.saturating_add(SECOND.max(self.interval));
        let next = |empty_at: u64| {
            let next = empty_at.max(now).saturating_add(self.interval);
            (next <= latest).then_some(next)
        };
        self.empty_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

/// In nanoseconds.
const SECOND: u64 = 1_000_000_000;

impl Withdrawal {
    /// The attempt begins. Nothing is paid back from now on.
    pub fn spend(mut self) {
        self.0 = None;
    }
}

impl Drop for Withdrawal {
    fn drop(&mut self) {
        if let Some(budget) = self.0.take() {
            budget.account.pay_in(ONE);
        }
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").field("balance", &self.balance()).finish_non_exhaustive()
    }
}

#[cfg(all(test, underpin_loom))]
mod models {
    use loom::thread;

    use super::*;

    fn model(check: impl Fn() + Send + Sync + 'static) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(check);
    }

    #[test]
    fn two_callers_never_share_a_retry() {
        model(|| {
            let budget = Budget::ratio(0.5).burst(1);
            let now = Instant::now();
            let other = budget.clone();
            let other = thread::spawn(move || other.withdraw(now).map(Withdrawal::spend).is_some());
            let here = budget.withdraw(now).map(Withdrawal::spend).is_some();
            assert!(here != other.join().unwrap());
            assert_eq!(budget.balance(), 0);
        });
    }

    #[test]
    fn a_hedge_never_takes_what_a_retry_leaves_of_the_reserve() {
        model(|| {
            let budget = Budget::ratio(0.5).burst(3);
            let now = Instant::now();
            let other = budget.clone();
            let other = thread::spawn(move || other.withdraw(now).map(Withdrawal::spend).is_some());
            let here = budget.take_spare().map(Withdrawal::spend).is_some();
            assert!(other.join().unwrap());
            // Whoever comes second finds 2, which is the reserve.
            assert_eq!(budget.balance(), if here { 1 } else { 2 });
        });
    }

    #[test]
    fn nothing_that_is_paid_in_is_lost() {
        model(|| {
            let budget = Budget::ratio(0.5).burst(2);
            let now = Instant::now();
            budget.withdraw(now).unwrap().spend();
            budget.withdraw(now).unwrap().spend();
            let other = budget.clone();
            let other = thread::spawn(move || other.deposit());
            budget.deposit();
            other.join().unwrap();
            assert_eq!(budget.balance(), 1);
        });
    }
}
