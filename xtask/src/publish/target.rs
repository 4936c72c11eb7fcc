//! Where crates go and how they get there. The rehearsal and the real release run this same code.

use std::{
    thread,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, bail};
use xshell::{Shell, cmd};

use crate::publish::{date, limits, release::Release, transcript::Transcript};

/// The longest wait that a refusal may ask for. The public registry admits a new crate every ten minutes.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// So many refusals in a row, without an upload between them, end the run.
const REFUSALS: u32 = 12;

/// A registry, under the name that cargo knows it by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) registry: &'static str,
    /// An upload leaves a tag in git.
    pub(crate) tags: bool,
}

/// What a registry holds of a crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Presence {
    ThisVersion,
    OtherVersions,
    Nothing,
    /// The registry did not answer, and why. Never to be taken for "unpublished".
    Unknown(String),
}

impl Target {
    /// The registry everybody uses.
    pub(crate) const PUBLIC: Target = Target { registry: "crates-io", tags: true };
    /// The one on loopback.
    pub(crate) const REHEARSAL: Target = Target { registry: "rehearsal", tags: false };

    /// Asks the registry what it holds of `name`.
    pub(crate) fn presence(self, sh: &Shell, name: &str, version: &str) -> Result<Presence> {
        let registry = self.registry;
        for (spec, found) in [
            (format!("{name}@{version}"), Presence::ThisVersion),
            (name.to_owned(), Presence::OtherVersions),
        ] {
            let answer = Transcript::of(cmd!(sh, "cargo info --registry {registry} {spec}"))?;
            // The exit code is the same for a registry that lacks it and for one that is down: only the words tell.
            let lacks = answer.stderr.contains(&format!("could not find `{spec}`"));
            if !answer.success && !lacks {
                let reason = answer.stderr.lines().map(str::trim).rfind(|line| !line.is_empty());
                return Ok(Presence::Unknown(
                    reason.unwrap_or("`cargo info` failed without a word").to_owned(),
                ));
            }
            // Offline, or with a folder in the registry's place, cargo answers from what it has and says nothing of an index.
            if !answer.stderr.contains("Updating") {
                return Ok(Presence::Unknown(format!(
                    "cargo asked no index, is it offline or is {registry} replaced by a folder?"
                )));
            }
            if answer.success {
                return Ok(found);
            }
        }
        Ok(Presence::Nothing)
    }

    /// Uploads `left`, which is in dependency order, and waits out the registry's limits. What is uploaded stays uploaded: after
    /// a failure, a call with the rest carries on.
    pub(crate) fn upload(self, sh: &Shell, mut left: Vec<Release>) -> Result<()> {
        let registry = self.registry;
        // Within the burst cargo takes all of them, and waits for the index only between levels. Beyond it, each refusal would
        // cost a new verification of all that is left.
        let at_once = if limits::fits_burst(&left) { left.len() } else { 1 };
        let mut refusals = 0;
        while !left.is_empty() {
            let batch = at_once.min(left.len());
            let packages = left[..batch].iter().flat_map(|release| ["-p", &release.name]);
            let run =
                Transcript::of(cmd!(sh, "cargo publish --registry {registry} {packages...}"))?;

            // A refusal in the middle leaves the uploads before it. The index may not show them yet, so cargo's own words count.
            let uploaded: Vec<Release> = if run.success {
                left.drain(..batch).collect()
            } else {
                left.extract_if(.., |release| run.stderr.contains(&release.uploaded_line()))
                    .collect()
            };
            if self.tags {
                for tag in uploaded.iter().map(Release::tag) {
                    cmd!(sh, "git tag {tag}").run()?;
                }
            }
            if run.success {
                continue;
            }
            refusals = if uploaded.is_empty() { refusals + 1 } else { 0 };
            match retry_date(&run.stderr) {
                Some(date) if refusals < REFUSALS => wait_until(date)?,
                Some(_) => bail!(
                    "the registry refused {REFUSALS} uploads in a row; what is uploaded stays: run the same command later"
                ),
                None => {
                    return run.ok().context(
                        "the upload stopped; what is uploaded stays: run the same command to carry on",
                    );
                }
            }
        }
        Ok(())
    }
}

/// The date in a refusal for too many uploads; `None` for any other failure.
fn retry_date(stderr: &str) -> Option<SystemTime> {
    let (_, refusal) = stderr.split_once("429")?;
    let (_, date) = refusal.split_once("try again after ")?;
    date::parse(date)
}

fn wait_until(date: SystemTime) -> Result<()> {
    let wait = date.duration_since(SystemTime::now()).unwrap_or_default();
    let text = date::format(date);
    if wait > PATIENCE {
        bail!(
            "the registry takes no upload until {text}; what is uploaded stays: run the same command then"
        );
    }
    println!("    Refused until {text}, {} s from now", wait.as_secs());
    // A date has whole seconds, and the registry's clock is not ours.
    let end = date + Duration::from_secs(1);
    while let Some(rest) = end.duration_since(SystemTime::now()).ok().filter(|rest| !rest.is_zero())
    {
        if rest.as_secs() > 60 {
            println!("    Waiting, {} s to go", rest.as_secs());
        }
        thread::sleep(rest.min(Duration::from_secs(60)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_with_a_date_is_waited_for() {
        let refusal = "error: failed to publish it v0.1.0 to registry\n\nCaused by:\n  the remote server responded with an error \
                       (status 429 Too Many Requests): Please try again after Tue, 24 Nov 2026 08:49:37 GMT or ask for more.";
        let date = retry_date(refusal).expect("a date");
        assert_eq!(date::format(date), "Tue, 24 Nov 2026 08:49:37 GMT");
        assert_eq!(
            retry_date("(status 429 Too Many Requests): Please try again after lunch"),
            None
        );
        assert_eq!(retry_date("(status 500): try again after Tue, 24 Nov 2026 08:49:37 GMT"), None);
    }

    #[test]
    fn a_wait_ends_at_its_date_and_a_long_one_does_not_begin() {
        wait_until(SystemTime::now() - Duration::from_secs(60)).expect("a date in the past");
        let error = wait_until(SystemTime::now() + PATIENCE + Duration::from_secs(60))
            .expect_err("beyond our patience")
            .to_string();
        assert!(error.contains("run the same command then"), "{error}");
    }
}
