//! A stop on Kubernetes that is over before the kill.

use crate::tidy::{
    Findings,
    tree::{File, Tree},
};

/// Where the budget of a stop is written down.
const PLAN: &str = "crates/shutdown/src/plan.rs";

/// The preStop hook's sleep, the budget and what it takes to notice the end are within the grace period, and the sleep needs no shell.
pub(super) fn check(tree: &Tree) -> Findings {
    let seconds = |before: &str| {
        let (_, rest) = tree.text(PLAN)?.split_once(before)?;
        rest.split_once(')')?.0.parse::<u32>().ok()
    };
    let budget = seconds("budget: Duration::from_secs(");
    let margin = seconds("GRACE_MARGIN: Duration = Duration::from_secs(");
    let pods = tree
        .files
        .iter()
        .filter(|file| file.path.contains("/k8s/") && file.text.contains("containers:"));
    let mut findings = Findings::new();
    for file in pods {
        let (Some(budget), Some(margin)) = (budget, margin) else {
            findings.push(format!(
                "{PLAN}: no budget to compare {} with, tell this rule where it is",
                file.path
            ));
            continue;
        };
        findings.extend(misfit(file, budget, margin));
    }
    findings
}

fn misfit(file: &File, budget: u32, margin: u32) -> Option<String> {
    let path = &file.path;
    let number =
        |keys: &[&str]| value(&file.text, keys).and_then(|number| number.parse::<u32>().ok());
    let Some(slept) = number(&["lifecycle", "preStop", "sleep", "seconds"]) else {
        return Some(format!(
            "{path}: no preStop sleep, or one that needs a shell: write lifecycle, preStop, sleep, seconds"
        ));
    };
    let Some(grace) = number(&["spec", "terminationGracePeriodSeconds"]) else {
        return Some(format!(
            "{path}: no terminationGracePeriodSeconds, write how long a stop may take"
        ));
    };
    let needed = slept + budget + margin;
    (needed > grace).then(|| {
        format!("{path}: {slept} s of sleep, a budget of {budget} s and {margin} s are {needed} s, the grace period only {grace} s: raise it")
    })
}

/// The value of the first key that lies below the others, in YAML of a line for each.
fn value<'a>(yaml: &'a str, keys: &[&str]) -> Option<&'a str> {
    let mut above: Vec<(usize, &str)> = Vec::new();
    for line in yaml.lines() {
        // The dash of a list counts as indentation.
        let text = line.trim_start_matches([' ', '-']);
        let Some((key, value)) = text.split_once(':').filter(|_| !text.starts_with('#')) else {
            continue;
        };
        let indent = line.len() - text.len();
        above.retain(|(other, _)| *other < indent);
        above.push((indent, key));
        if above.iter().map(|(_, key)| *key).collect::<Vec<_>>().ends_with(keys) {
            return Some(value.trim());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{check, value};
    use crate::tidy::{
        finds, holds,
        tree::{made_up, real},
    };

    const PLAN: (&str, &str) = (
        super::PLAN,
        "const GRACE_MARGIN: Duration = Duration::from_secs(1);\nbudget: Duration::from_secs(25),\n",
    );

    fn pod(grace: u32, pre_stop: &str) -> String {
        format!(
            "spec:\n  # terminationGracePeriodSeconds: 99\n  terminationGracePeriodSeconds: {grace}\n  containers:\n    - name: a\n      lifecycle:\n        preStop:\n          {pre_stop}\n"
        )
    }

    #[test]
    fn a_stop_is_over_before_the_kill() {
        holds(check);
    }

    #[test]
    fn a_grace_period_that_is_too_short_is_found() {
        let sleep = "sleep:\n            seconds: 5";
        let tree = |grace| made_up(&[PLAN, ("examples/a/k8s/a.yaml", &pod(grace, sleep))]);
        assert!(check(&tree(31)).is_empty());
        finds(check, &tree(30), "are 31 s, the grace period only 30 s");
    }

    #[test]
    fn a_shell_in_place_of_a_sleep_is_found() {
        let shell = pod(35, "exec:\n            command: [sh, -c, sleep 5]");
        finds(check, &made_up(&[PLAN, ("examples/a/k8s/a.yaml", &shell)]), "needs a shell");
    }

    #[test]
    fn a_budget_that_has_moved_is_found() {
        let pod = pod(35, "sleep:\n            seconds: 5");
        finds(check, &made_up(&[("examples/a/k8s/a.yaml", &pod)]), "no budget to compare");
    }

    #[test]
    fn the_reference_service_has_the_documented_numbers() {
        let yaml = real().text("examples/orders/k8s/deployment.yaml").expect("it is there");
        for (keys, number) in [
            (&["spec", "terminationGracePeriodSeconds"][..], "35"),
            (&["preStop", "sleep", "seconds"], "5"),
            (&["readinessProbe", "httpGet", "path"], "/health/ready"),
            (&["readinessProbe", "httpGet", "port"], "3000"),
            (&["readinessProbe", "periodSeconds"], "5"),
            (&["readinessProbe", "failureThreshold"], "1"),
            (&["livenessProbe", "httpGet", "path"], "/health/live"),
            (&["startupProbe", "httpGet", "path"], "/health/startup"),
        ] {
            assert_eq!(value(yaml, keys), Some(number), "{keys:?}");
        }
    }
}
