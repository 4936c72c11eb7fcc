//! Settings that may change while the service runs, from a file that is watched.

use std::{
    convert::Infallible,
    path::PathBuf,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde::Deserialize;
use tokio::time::timeout;
use underpin_fsx::{ErrorKind, Watch, read_json};
use underpin_health::{Health, Switch, Weight};
use underpin_ratelimit::Limiter;
use underpin_shutdown::{Phase, Shutdown};
use underpin_tasks::Nursery;

use crate::{rate::Rate, settings::Settings, tell, with_causes};

/// Bytes that the file may have.
const LARGEST: u64 = 64 << 10;
/// How long the file may take to be read.
const PATIENCE: Duration = Duration::from_secs(5);

/// What counts now. Clones are the same.
#[derive(Clone)]
pub(crate) struct Live {
    limiter: Arc<RwLock<(Rate, Limiter)>>,
    takes_orders: Arc<AtomicBool>,
}

/// What may be in the file. What is not, is as if there were no file.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Overrides {
    rate_limit: Option<Rate>,
    taking_orders: Option<bool>,
}

impl Live {
    /// What counts without a file.
    pub(crate) fn new(settings: &Settings) -> Live {
        let rate = settings.rate_limit;
        Live {
            limiter: Arc::new(RwLock::new((rate, rate.limiter()))),
            takes_orders: Arc::new(AtomicBool::new(true)),
        }
    }

    /// Of orders, for each user. What is only read is not limited.
    pub(crate) fn limiter(&self) -> Limiter {
        self.limiter.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// Whether the shop is open.
    pub(crate) fn takes_orders(&self) -> bool {
        self.takes_orders.load(Ordering::Relaxed)
    }

    /// Reads the file, if there is one, and then each time that its content is another one, until the service drains.
    ///
    /// # Errors
    ///
    /// When no thread can be started to watch it. What is wrong with the file is none: it is told, and changes nothing.
    pub(crate) async fn follow(
        &self,
        settings: &Settings,
        health: &Health,
        shutdown: &Shutdown,
        tasks: &Nursery,
    ) -> Result<(), underpin_fsx::Error> {
        let default = || settings.data_dir.join("settings.json");
        let file = SettingsFile {
            path: settings.live_file.clone().unwrap_or_else(default),
            otherwise: settings.rate_limit,
            live: self.clone(),
            // Optional: it goes on with what it had.
            health: health.switch("settings file").weight(Weight::Optional),
        };
        // Watched before it is read, so that no change falls in between.
        let watch = Watch::at(&file.path).start().await?;
        file.load().await;
        let mut leaving = shutdown.at(Phase::Draining);
        tasks.spawn("settings file", async move {
            tokio::select! {
                () = file.load_all(watch) => {}
                _ = &mut leaving => {}
            }
            Ok::<_, Infallible>(())
        });
        Ok(())
    }

    fn set(&self, rate: Rate, takes_orders: bool) {
        self.takes_orders.store(takes_orders, Ordering::Relaxed);
        let mut limiter = self.limiter.write().unwrap_or_else(PoisonError::into_inner);
        let (old, current) = &mut *limiter;
        if *old != rate {
            // What a user has placed counts on, unless it is counted in another way.
            if rate.counts_like(*old) {
                current.set_limit(rate.limit());
            } else {
                *current = rate.limiter();
            }
            *old = rate;
        }
    }
}

struct SettingsFile {
    path: PathBuf,
    otherwise: Rate,
    live: Live,
    health: Switch,
}

impl SettingsFile {
    async fn load_all(&self, mut watch: Watch) {
        while watch.next().await.is_some() {
            self.load().await;
        }
        // Its thread has panicked, which is no reason to stop.
        self.reject("nobody watches the file any more");
    }

    /// All of it counts, or nothing.
    async fn load(&self) {
        let path = self.path.display();
        match timeout(PATIENCE, read_json(&self.path, LARGEST)).await {
            Ok(Ok(overrides)) => {
                let what = self.apply(overrides);
                tell(&format!("settings of {path} count now: {what}"));
            }
            Ok(Err(error)) if error.kind() == ErrorKind::NotFound => {
                let what = self.apply(Overrides::default());
                tell(&format!("settings without {path}: {what}"));
            }
            Ok(Err(error)) => self.reject(&with_causes(&error)),
            Err(_) => self.reject(&format!("{path} cannot be read within {PATIENCE:?}")),
        }
    }

    fn apply(&self, overrides: Overrides) -> String {
        let rate = overrides.rate_limit.unwrap_or(self.otherwise);
        let takes_orders = overrides.taking_orders.unwrap_or(true);
        self.live.set(rate, takes_orders);
        self.health.up();
        format!("rate_limit {rate}, taking_orders {takes_orders}")
    }

    fn reject(&self, why: &str) {
        self.health.down(why);
        tell(&format!("settings stay as they are: {why}"));
    }
}

#[cfg(test)]
mod tests {
    use underpin_config::{Config as _, Env};

    use super::*;

    fn live() -> Live {
        let variables = Env::from([("RATE_LIMIT", "3/1h")]);
        Live::new(&Settings::load_from(variables).unwrap().value)
    }

    fn rate(requests: u32) -> Rate {
        Rate { requests, window: Duration::from_secs(3600) }
    }

    fn left(live: &Live) -> u32 {
        live.limiter().remaining("ann")
    }

    #[test]
    fn what_was_placed_counts_on_when_the_rate_changes() {
        let live = live();
        live.limiter().check("ann").unwrap();
        assert_eq!(left(&live), 2);
        for (requests, expected) in [(10, 9), (1, 0), (1, 0), (1000, 999)] {
            live.set(rate(requests), true);
            assert_eq!(left(&live), expected, "{requests}");
        }
    }

    #[test]
    fn every_rate_may_follow_every_other() {
        let live = live();
        for requests in [1000, 1001, 100_000, 1001, 1000, 1] {
            live.set(rate(requests), true);
            assert_eq!(live.limiter().limit(), rate(requests).limit());
        }
    }

    #[test]
    fn what_is_not_in_the_file_is_open_and_what_nobody_knows_is_refused() {
        let parse = serde_json::from_str::<Overrides>;
        let all = parse(r#"{"rate_limit":"5/10s","taking_orders":false}"#).unwrap();
        assert_eq!(all.rate_limit.unwrap().to_string(), "5/10s");
        assert_eq!(all.taking_orders, Some(false));
        assert!(parse("{}").unwrap().rate_limit.is_none());
        for (wrong, why) in [
            (r#"{"rate":"5/10s"}"#, "unknown field `rate`"),
            (r#"{"rate_limit":"5"}"#, r#""5" is not a number of requests in a time"#),
            (r#"{"rate_limit":5}"#, "expected a string"),
            (r#"{"taking_orders":"no"}"#, "expected a boolean"),
            ("[]", "invalid length"),
            ("", "EOF"),
        ] {
            let error = parse(wrong).unwrap_err().to_string();
            assert!(error.contains(why), "{wrong}: {error}");
        }
    }
}
