//! What a rate limiter is held to.

use crate::{limiters::Contender, verdict::Case};

mod keys;
mod rates;
mod waits;

/// All of them.
pub fn all() -> Vec<Case<dyn Contender>> {
    let mut all = rates::cases();
    all.extend(keys::cases());
    all.extend(waits::cases());
    all
}

#[cfg(test)]
mod tests {
    use crate::limiters::{cases::all, peers};

    #[test]
    fn what_is_meant_to_differ_is_a_case() {
        let names: Vec<_> = all().iter().map(|case| case.name).collect();
        for column in peers::all() {
            for (name, _) in column.by_design {
                assert!(names.contains(name), "{}: no case '{name}'", column.package);
            }
        }
    }
}
