//! What a circuit breaker is held to.

use crate::{breakers::Contender, verdict::Case};

mod callbacks;
mod cancelled;
mod layers;
mod probes;
mod stragglers;
mod waits;
mod windows;

/// All of them.
pub fn all() -> Vec<Case<dyn Contender>> {
    let mut all = windows::cases();
    all.extend(probes::cases());
    all.extend(stragglers::cases());
    all.extend(cancelled::cases());
    all.extend(waits::cases());
    all.extend(layers::cases());
    all.extend(callbacks::cases());
    all
}

#[cfg(test)]
mod tests {
    use crate::breakers::{cases::all, peers};

    #[test]
    fn what_is_meant_to_differ_is_a_case() {
        let names: Vec<_> = all().iter().map(|case| case.name).collect();
        for column in peers::all() {
            for (name, _) in column.by_design {
                assert!(names.contains(name), "{}: no case '{name}'", column.package);
            }
        }
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = all().iter().map(|case| case.name).collect();
        let cases = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), cases);
    }
}
