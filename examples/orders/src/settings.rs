//! What the environment says about this service.

use std::{path::PathBuf, time::Duration};

use underpin_config::{ByteSize, Config, Secret, Url, Value};

use crate::rate::Rate;

/// The order service. It starts with nothing set.
#[derive(Debug, Config)]
#[config(profile = "APP_ENV")]
pub(crate) struct Settings {
    /// Where the service runs. In development it listens on the loopback address only and reads `.env`.
    #[config(default = "development")]
    pub(crate) app_env: Environment,
    /// Port for HTTP, unless a socket is handed over by `LISTEN_FDS`.
    #[config(default = 3000, range = 1024..=65535)]
    pub(crate) port: u16,
    /// Port for gRPC.
    #[config(default = 50051, range = 1024..=65535)]
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "checked now, read by a part that comes later")
    )]
    pub(crate) grpc_port: u16,
    /// Folder for the database and the activity log.
    #[config(default = "./data")]
    pub(crate) data_dir: PathBuf,
    /// A JSON file of settings that count at once: `rate_limit`, as below, and `taking_orders`, true or false. Unset: `settings.json` in `DATA_DIR`.
    #[config(var = "SETTINGS_FILE")]
    pub(crate) live_file: Option<PathBuf>,
    /// How large the file of the activity log may get before the next one begins. Three that are full are kept beside it.
    #[config(default = "64MiB", range = "64KiB"..="1GiB")]
    pub(crate) activity_file_size: ByteSize,
    /// How long everything is still accepted after a stop was asked for, while load balancers hear of it.
    /// Unset: 5 s in Kubernetes, 0 s elsewhere. After a `preStop` sleep, 1 s is enough.
    #[config(range = "0s"..="15s")]
    pub(crate) lame_duck: Option<Duration>,
    /// A database server in place of the file in `DATA_DIR`.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "checked now, read by a part that comes later")
    )]
    pub(crate) database_url: Option<Secret<Url>>,
    /// A Redis server for state that several machines share.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "checked now, read by a part that comes later")
    )]
    pub(crate) redis_url: Option<Secret<Url>>,
    /// The name of this service in logs, traces and metrics.
    #[config(default = "orders")]
    pub(crate) otel_service_name: String,
    /// Where traces and metrics go.
    #[config(schemes = ["http", "https"])]
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "checked now, read by a part that comes later")
    )]
    pub(crate) otel_exporter_otlp_endpoint: Option<Url>,
    /// The least severe level that is logged.
    #[config(default = "info")]
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "checked now, read by a part that comes later")
    )]
    pub(crate) log_level: LogLevel,
    /// The payment provider. Unset: a stub inside the process.
    #[config(schemes = ["http", "https"])]
    pub(crate) payment_url: Option<Url>,
    /// How many orders a user may try to place, with each process of the service.
    #[config(default = "100/10s")]
    pub(crate) rate_limit: Rate,
    /// How long the circuit to the payment provider stays open.
    #[config(default = "60s", range = "1s"..="1h")]
    pub(crate) breaker_open: Duration,
}

/// The profiles that the service knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Value)]
pub(crate) enum Environment {
    Development,
    Staging,
    Production,
}

impl Environment {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Environment::Development => "development",
            Environment::Staging => "staging",
            Environment::Production => "production",
        }
    }
}

/// The levels of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Value)]
pub(crate) enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

#[cfg(test)]
mod tests {
    use underpin_config::Env;

    use super::*;

    fn problems(name: &str, text: &str) -> Vec<String> {
        match Settings::load_from(Env::from([(name, text)])) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn nothing_set_means_the_defaults() {
        let settings = Settings::load_from(Env::default()).unwrap().value;
        assert_eq!(settings.app_env, Environment::Development);
        assert_eq!((settings.port, settings.grpc_port), (3000, 50051));
        assert_eq!(settings.data_dir, PathBuf::from("./data"));
        assert_eq!(settings.live_file, None);
        assert_eq!(settings.activity_file_size, ByteSize::new(64 << 20));
        assert!(
            settings.database_url.is_none()
                && settings.redis_url.is_none()
                && settings.payment_url.is_none()
        );
        assert_eq!(settings.otel_service_name, "orders");
        assert!(settings.otel_exporter_otlp_endpoint.is_none());
        assert_eq!(settings.log_level, LogLevel::Info);
        assert_eq!(settings.rate_limit, Rate { requests: 100, window: Duration::from_secs(10) });
        assert_eq!(settings.lame_duck, None);
        assert_eq!(settings.breaker_open, Duration::from_secs(60));
    }

    #[test]
    fn every_variable_has_its_rule() {
        for (name, good, bad) in [
            ("APP_ENV", vec!["development", "staging", "production"], vec!["prod", "", "test"]),
            ("PORT", vec!["1024", "65535"], vec!["1023", "65536", "http", "3000.5", "-1", ""]),
            ("GRPC_PORT", vec!["50051"], vec!["80", "x"]),
            ("DATA_DIR", vec!["/var/lib/orders"], vec![""]),
            ("SETTINGS_FILE", vec!["/etc/orders/settings.json"], vec![""]),
            ("ACTIVITY_FILE_SIZE", vec!["64KiB", "1GiB"], vec!["63KiB", "2GiB", "64", ""]),
            (
                "DATABASE_URL",
                vec!["postgres://u:p@db:5432/orders"],
                vec!["db:5432", "postgres://", ""],
            ),
            ("REDIS_URL", vec!["redis://cache:6379/0"], vec!["cache", "redis://:x"]),
            ("OTEL_SERVICE_NAME", vec!["shop"], vec![""]),
            (
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                vec!["http://otel-collector:4317"],
                vec!["otel-collector:4317", "ftp://x"],
            ),
            ("LOG_LEVEL", vec!["debug", "info", "warn", "error", "INFO"], vec!["verbose", "7"]),
            ("PAYMENT_URL", vec!["https://pay.example/v1"], vec!["pay.example"]),
            (
                "RATE_LIMIT",
                vec!["100/10s", "1/24h", "100000/1s"],
                vec!["100", "0/1s", "1/0s", "x/1s", "1/10", "100001/1s", "1/999ms", "1/25h"],
            ),
            ("LAME_DUCK", vec!["0s", "500ms", "15s"], vec!["5", "-1s", "16s", ""]),
            ("BREAKER_OPEN", vec!["3s", "60s"], vec!["60", "0s", "2h"]),
        ] {
            for text in good {
                assert_eq!(problems(name, text), Vec::<String>::new(), "{name}={text}");
            }
            for text in bad {
                let found = problems(name, text);
                assert!(
                    matches!(&found[..], [one] if one.starts_with(name)),
                    "{name}={text}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn env_example_is_current() {
        assert_eq!(include_str!("../.env.example"), Settings::SPEC.env_example());
    }
}
