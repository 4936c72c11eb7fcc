//! How a client is made.

use std::{fmt, time::Duration};

use reqwest::Url;
use underpin_retry::{Budget, Retry};

use crate::{
    circuit::Circuits,
    client::{Client, Settings},
    error::{Error, Result},
    hedge::Hedge,
    hosts::Hosts,
    pace::Pace,
    redirect,
};

const MIB: usize = 1024 * 1024;

/// Makes a [`Client`]: [`Client::builder`].
#[must_use = "a builder does nothing until `build`"]
pub struct Builder {
    http: reqwest::ClientBuilder,
    base: Option<String>,
    settings: Settings,
    budget: Box<dyn Fn() -> Budget + Send + Sync>,
    circuits: Circuits,
    pace: Pace,
}

impl Builder {
    pub(crate) fn new() -> Builder {
        let secs = Duration::from_secs;
        Builder {
            // A redirect would tell the next host where it comes from, query and all.
            http: reqwest::Client::builder().referer(false),
            base: None,
            settings: Settings {
                base: None,
                deadline: secs(25),
                attempt_timeout: secs(10),
                connect_timeout: secs(3),
                read_timeout: None,
                max_body: 10 * MIB,
                redirects: 10,
                does_pause: true,
                retry: Retry::exponential(secs(1)..=secs(10)),
                hedge: None,
            },
            budget: Box::new(|| Budget::ratio(0.2).at_least_per_second(1.0)),
            circuits: Circuits::default(),
            pace: Pace::default(),
        }
    }

    /// What relative URLs are relative to. A slash is added to its end where there is none, so that nothing of it is lost.
    pub fn base_url(mut self, url: impl Into<String>) -> Builder {
        self.base = Some(url.into());
        self
    }

    /// The time for everything: waits for a paused host, attempts with their bodies, and the waits between them. 25 s unless set. A body that is
    /// streamed is part of it, so a long download needs a longer one.
    pub fn deadline(mut self, time: Duration) -> Builder {
        self.settings.deadline = time;
        self
    }

    /// The time for one attempt, from before the connection to the end of the body: 10 s unless set, and never longer than what is left of the
    /// deadline.
    pub fn attempt_timeout(mut self, time: Duration) -> Builder {
        self.settings.attempt_timeout = time;
        self
    }

    /// The time for the connection, with the name, all addresses and TLS: 3 s unless set. An attempt that fails by it has sent nothing, so that
    /// any request is tried again.
    pub fn connect_timeout(mut self, time: Duration) -> Builder {
        self.settings.connect_timeout = time;
        self
    }

    /// How long the body of a response may stand still. Not limited by itself, unless set.
    pub fn read_timeout(mut self, time: Duration) -> Builder {
        self.settings.read_timeout = Some(time);
        self
    }

    /// How long a body may be that is kept in memory, in bytes after decompression: 10 MiB unless set. A body that is read in chunks is not
    /// limited.
    pub fn max_body(mut self, bytes: usize) -> Builder {
        self.settings.max_body = bytes;
        self
    }

    /// How many redirects are followed: 10 unless set. With 0, a redirect is a response like any other.
    pub fn redirects(mut self, most: usize) -> Builder {
        self.settings.redirects = most;
        self
    }

    /// When to try again what may be tried again. Unless set, there are 3 retries, after up to 1, 2 and 4 s. What it says of a deadline or a budget is
    /// overruled by [`deadline`](Builder::deadline) and [`budget`](Builder::budget).
    pub fn retry(mut self, retry: Retry) -> Builder {
        self.settings.retry = retry;
        self
    }

    /// How many retries and hedges all requests to a host may add together. It is called for each new host; unless set, each may be retried for a fifth of
    /// its requests, and once a second in any case. To share one budget among hosts, return clones of it.
    pub fn budget(mut self, budget: impl Fn() -> Budget + Send + Sync + 'static) -> Builder {
        self.budget = Box::new(budget);
        self
    }

    /// Sends a request once more beside itself when its headers take long, and takes the better of the two answers. Not done unless set.
    ///
    /// It is done once, for the first attempt of what may be sent twice: an idempotent method or a request with an `Idempotency-Key`, and a body that can be made
    /// again. It takes one out of the [`budget`](Builder::budget) and leaves half of its stock to retries. It is not done with
    /// [`no_retry`](crate::Request::no_retry), while the host is paused, while its breaker is not closed, or while the rate limit has no place at once.
    pub fn hedge(mut self, hedge: Hedge) -> Builder {
        self.settings.hedge = Some(hedge);
        self
    }

    /// Whether a host that answers 429 or 503 with `Retry-After` is left alone for that time, an hour at most, by all requests of this client: true
    /// unless set. Turn it off where limits are not per client, but per the token that a request carries.
    pub fn pause_hosts(mut self, does_pause: bool) -> Builder {
        self.settings.does_pause = does_pause;
        self
    }

    /// One circuit breaker for all hosts.
    #[cfg(feature = "breaker")]
    #[cfg_attr(docsrs, doc(cfg(feature = "breaker")))]
    pub fn breaker(mut self, breaker: underpin_breaker::Breaker) -> Builder {
        self.circuits = Circuits::One(breaker);
        self
    }

    /// A circuit breaker for each host, by its name, with its port unless that is the scheme's own. Keep an `Arc` of them to look at them.
    #[cfg(feature = "breaker")]
    #[cfg_attr(docsrs, doc(cfg(feature = "breaker")))]
    pub fn breakers(
        mut self,
        breakers: impl Into<std::sync::Arc<underpin_breaker::Breakers<String>>>,
    ) -> Builder {
        self.circuits = Circuits::EachHost(breakers.into());
        self
    }

    /// A limit of our own for each host, by its name as for the breakers. Every attempt waits for its place, and a place that comes after the deadline
    /// is not waited for.
    #[cfg(feature = "ratelimit")]
    #[cfg_attr(docsrs, doc(cfg(feature = "ratelimit")))]
    pub fn rate_limit(mut self, limiter: underpin_ratelimit::Limiter) -> Builder {
        self.pace = Pace(Some(limiter));
        self
    }

    /// Settings of the client below: certificates, proxies, default headers. Its timeouts, redirects and retries are set by this one.
    pub fn configure(
        mut self,
        with: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Builder {
        self.http = with(self.http);
        self
    }

    /// Makes the client.
    ///
    /// # Errors
    ///
    /// When the base URL is invalid, or TLS cannot be set up.
    pub fn build(mut self) -> Result<Client> {
        if let Some(base) = self.base {
            let invalid = "base_url is not an absolute URL of HTTP";
            let mut base =
                Url::parse(&base).map_err(|error| Error::request(invalid).because(error))?;
            if !matches!(base.scheme(), "http" | "https") {
                return Err(Error::request(invalid));
            }
            if !base.path().ends_with('/') {
                base.set_path(&format!("{}/", base.path()));
            }
            self.settings.base = Some(base);
        }
        let http = self
            .http
            .connect_timeout(self.settings.connect_timeout)
            .redirect(redirect::policy(self.settings.redirects))
            // An attempt is what the server may have seen, and is counted, delayed and paid for here.
            .retry(reqwest::retry::never())
            .build()
            .map_err(|error| Error::request("the client cannot be set up").because_of(error))?;
        let hosts = Hosts::new(self.budget, self.circuits, self.settings.hedge);
        Ok(Client::new(http, hosts, self.pace, self.settings))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("settings", &self.settings).finish_non_exhaustive()
    }
}
