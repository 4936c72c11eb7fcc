//! When results become a state: one failure is not yet an outage.

use crate::record::State;

/// The rule of one check.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    /// This many failures...
    pub(crate) fail_after: u32,
    /// ...among this many of the last results are down. At most 64.
    pub(crate) among: u32,
    /// This many successes in a row are up again.
    pub(crate) recover_after: u32,
}

/// The last 64 results and what they amount to.
#[derive(Debug)]
pub(crate) struct Damper {
    rule: Rule,
    /// A bit a result, the latest lowest, set where it failed.
    failures: u64,
    successes: u32,
    state: State,
}

impl Damper {
    pub(crate) const fn new(rule: Rule) -> Self {
        Self { rule, failures: 0, successes: 0, state: State::Unknown }
    }

    /// The first result decides at once, either way: there is no earlier state to protect.
    pub(crate) fn observe(&mut self, passed: bool) -> State {
        self.failures = self.failures << 1 | u64::from(!passed);
        self.successes = if passed { self.successes.saturating_add(1) } else { 0 };
        self.state = match self.state {
            State::Unknown if passed => State::Up,
            State::Unknown => State::Down,
            State::Up if self.recent_failures() >= self.rule.fail_after => State::Down,
            State::Down if self.successes >= self.rule.recover_after => {
                // What brought it down has been answered for.
                self.failures = 0;
                State::Up
            }
            unchanged => unchanged,
        };
        self.state
    }

    fn recent_failures(&self) -> u32 {
        let window = u64::MAX >> (64 - self.rule.among.clamp(1, 64));
        (self.failures & window).count_ones()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(rule: Rule, results: &str) -> String {
        let mut damper = Damper::new(rule);
        let letter = |result| match damper.observe(result == '+') {
            State::Up => 'U',
            State::Down => 'D',
            State::Unknown => '?',
        };
        results.chars().map(letter).collect()
    }

    #[test]
    fn failures_in_a_row_are_down_and_successes_in_a_row_up_again() {
        let rule = Rule { fail_after: 2, among: 2, recover_after: 3 };
        assert_eq!(states(rule, "+-+--++-+++"), "UUUUDDDDDDU");
    }

    #[test]
    fn the_first_result_decides() {
        let rule = Rule { fail_after: 3, among: 3, recover_after: 2 };
        assert_eq!(states(rule, "-++"), "DDU");
        assert_eq!(states(rule, "+--+"), "UUUU");
    }

    #[test]
    fn flapping_is_down_where_n_of_m_says_so() {
        let in_a_row = Rule { fail_after: 2, among: 2, recover_after: 1 };
        assert_eq!(states(in_a_row, "+-+-+-"), "UUUUUU");
        let of_five = Rule { fail_after: 3, among: 5, recover_after: 2 };
        assert_eq!(states(of_five, "+-+-+-++"), "UUUUUDDU");
    }

    #[test]
    fn windows_up_to_64_results_count_all_of_them() {
        let rule = Rule { fail_after: 64, among: 64, recover_after: 1 };
        let results = format!("+{}", "-".repeat(64));
        assert_eq!(states(rule, &results), format!("{}D", "U".repeat(64)));
    }
}
