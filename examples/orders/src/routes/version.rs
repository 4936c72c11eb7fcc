//! `/version`: what runs here.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;
use tokio::sync::OnceCell;
use underpin_procx::{Error, Runner, System, cmd};

use super::Service;
use crate::{settings::Settings, tell};

/// Where this program was built. Where it runs may be in the middle of anything, also of another repository.
const SOURCE: &str = env!("CARGO_MANIFEST_DIR");

/// What this is. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    service: String,
    environment: &'static str,
    /// Asked for once, whatever the answer.
    commit: Arc<OnceCell<Option<String>>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Answer {
    service: String,
    version: &'static str,
    environment: &'static str,
    /// The commit of the source, with `-dirty` if files have changed since; null where there is no git or no repository.
    commit: Option<String>,
}

impl Version {
    pub(crate) fn new(settings: &Settings) -> Version {
        Version {
            service: settings.otel_service_name.clone(),
            environment: settings.app_env.name(),
            commit: Arc::default(),
        }
    }

    /// # Cancel safety
    ///
    /// Dropped, git is ended; the next one asks again.
    async fn answer(self, runner: &dyn Runner) -> Answer {
        let commit = self.commit.get_or_init(|| async {
            let commit = commit(runner).await;
            commit.inspect_err(|error| tell(&format!("the commit is not known: {error}"))).ok()
        });
        Answer {
            commit: commit.await.clone(),
            service: self.service,
            version: env!("CARGO_PKG_VERSION"),
            environment: self.environment,
        }
    }
}

/// It has the 30 s that every command has.
async fn commit(runner: &dyn Runner) -> Result<String, Error> {
    let git = cmd("git")
        // It reads, and leaves no lock behind when it is ended.
        .args(["--no-optional-locks", "-C", SOURCE])
        // The commit itself, and no tag that happens to be on it.
        .args(["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"])
        // Whoever starts the service from a hook of git's has variables that lead to another repository.
        .env_only(["HOME", "PATH"]);
    let output = runner.run(git).await?;
    Ok(output.stdout.text().trim().to_owned())
}

pub(super) async fn show(State(service): State<Service>) -> Json<Answer> {
    Json(service.version.answer(&System).await)
}

#[cfg(test)]
mod tests {
    use underpin_procx::{Recording, Reply, Scripted};

    use super::*;

    fn version() -> Version {
        Version { service: "orders".to_owned(), environment: "development", commit: Arc::default() }
    }

    fn git(reply: Reply) -> Recording<Scripted> {
        Recording::new(Scripted::new().on("git", ["--no-optional-locks", "-C", SOURCE], reply))
    }

    #[tokio::test]
    async fn git_is_asked_once() {
        let (version, git) = (version(), git(Reply::ok("8c1f2a-dirty\n")));
        for _ in 0..3 {
            let answer = version.clone().answer(&git).await;
            assert_eq!(answer.commit.as_deref(), Some("8c1f2a-dirty"));
        }
        assert_eq!(git.commands().len(), 1, "{:?}", git.commands());
    }

    #[tokio::test]
    async fn without_an_answer_there_is_none_and_git_is_not_asked_again() {
        let no_repository = Reply::exit(128, "fatal: not a git repository\n");
        let silent = [git(no_repository), git(Reply::timed_out()), Recording::new(Scripted::new())];
        for git in silent {
            let version = version();
            for _ in 0..2 {
                assert_eq!(version.clone().answer(&git).await.commit, None);
            }
            assert_eq!(git.commands().len(), 1, "{:?}", git.commands());
        }
    }
}
