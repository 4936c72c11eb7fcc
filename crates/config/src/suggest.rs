//! "Did you mean".

/// The candidate closest to `name`, if it is close enough to be what was meant.
pub(crate) fn closest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // A typo is a slip or two; a third of the letters changed is another word. The bound also keeps hostile names cheap.
    let limit = (name.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= 4 * limit)
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment), without regard to ASCII case.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().map(|c| c.to_ascii_lowercase()).collect();
    let b: Vec<char> = b.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let substituted = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substituted.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_nothing_else() {
        let names = ["ORDERS_TIMEOUT", "ORDERS_PORT", "ORDERS_MAX_BODY"];
        for (typo, meant) in [
            ("ORDERS_TIMEUOT", Some("ORDERS_TIMEOUT")),
            ("ORDERS_TIMOUT", Some("ORDERS_TIMEOUT")),
            ("ORDERS_PORTT", Some("ORDERS_PORT")),
            ("ORDERS_prot", Some("ORDERS_PORT")),
            ("ORDERS_MAXBODY", Some("ORDERS_MAX_BODY")),
            ("ORDERS_DATABASE_URL", None),
            ("", None),
        ] {
            assert_eq!(closest(typo, names), meant, "{typo}");
        }
        assert_eq!(closest(&"x".repeat(1_000_000), names), None);
    }
}
