//! How many uploads the public registry takes, and what that means for a release.

use std::{fmt, time::Duration};

use crate::publish::{release::Release, target::Presence};

/// The public registry's limits: so many at once, then one a period.
const NEW_CRATES: Limit = Limit { burst: 5, period: Duration::from_secs(10 * 60) };
const NEW_VERSIONS: Limit = Limit { burst: 30, period: Duration::from_secs(60) };

/// So many at once, then one a period.
#[derive(Clone, Copy)]
struct Limit {
    burst: u32,
    period: Duration,
}

/// Whether the registry takes all of `releases` without a wait.
pub(crate) fn fits_burst(releases: &[Release]) -> bool {
    schedule(releases).last().is_none_or(Duration::is_zero)
}

/// When each of `releases` can go, counted from the start, if nothing was published in the hour before.
pub(crate) fn schedule<'a>(releases: impl IntoIterator<Item = &'a Release>) -> Vec<Duration> {
    let (mut now, mut crates, mut versions) = (Duration::ZERO, 0, 0);
    releases
        .into_iter()
        .map(|release| {
            let (limit, sent) = match release.presence {
                Presence::Nothing => (NEW_CRATES, &mut crates),
                _ => (NEW_VERSIONS, &mut versions),
            };
            *sent += 1;
            // The order is fixed, so whoever waits holds up everybody behind.
            now = now.max(limit.period * u32::saturating_sub(*sent, limit.burst));
            now
        })
        .collect()
}

/// The limits in words.
pub(crate) fn describe() -> String {
    format!("{NEW_CRATES} for new crates, {NEW_VERSIONS} for new versions")
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at once, then one every {} min", self.burst, self.period.as_secs() / 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn releases(count: usize, presence: &Presence) -> Vec<Release> {
        let release = |i| Release {
            name: format!("crate-{i}"),
            version: "0.1.0".to_owned(),
            folder: "crates/it".into(),
            presence: presence.clone(),
        };
        (0..count).map(release).collect()
    }

    #[test]
    fn a_burst_of_new_crates_goes_at_once_and_the_rest_one_in_ten_minutes() {
        let times = schedule(&releases(8, &Presence::Nothing));
        assert_eq!(times[..5], [Duration::ZERO; 5]);
        assert_eq!(times[5..], [10 * MINUTE, 20 * MINUTE, 30 * MINUTE]);
    }

    #[test]
    fn a_burst_of_new_versions_goes_at_once_and_the_rest_one_a_minute() {
        let times = schedule(&releases(32, &Presence::OtherVersions));
        assert_eq!(times[..30], [Duration::ZERO; 30]);
        assert_eq!(times[30..], [MINUTE, 2 * MINUTE]);
    }

    #[test]
    fn the_two_limits_count_apart_but_the_order_holds_everybody_up() {
        let mut mixed = releases(6, &Presence::Nothing);
        mixed.extend(releases(2, &Presence::OtherVersions));
        assert_eq!(schedule(&mixed)[5..], [10 * MINUTE; 3]);
        mixed.rotate_right(2);
        assert_eq!(schedule(&mixed)[6..], [Duration::ZERO, 10 * MINUTE]);
    }

    #[test]
    fn only_what_needs_no_wait_fits_the_burst() {
        assert!(fits_burst(&[]));
        assert!(fits_burst(&releases(5, &Presence::Nothing)));
        assert!(!fits_burst(&releases(6, &Presence::Nothing)));
        assert!(fits_burst(&releases(30, &Presence::OtherVersions)));
        assert!(!fits_burst(&releases(31, &Presence::OtherVersions)));
    }
}
