//! `cargo xtask parity`: what docs/parity.md and docs/traps.md claim, tested.

mod binary;
mod harness;
mod page;
mod proof;
mod suite;

use std::{collections::BTreeMap, fs};

use anyhow::{Context as _, Result, bail};
use xshell::Shell;

use crate::{
    parity::{
        page::{Claim, PAGES, State},
        proof::Proof,
        suite::{Suite, Verdict},
    },
    workspace::Workspace,
};

pub(crate) fn run(sh: &Shell) -> Result<()> {
    let workspace = Workspace::load(sh)?;
    let mut claims = Vec::new();
    for page in &PAGES {
        let path = workspace.root.join(page.path);
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        claims.extend(page::read(page, &text)?);
    }
    let verdicts = verdicts(sh, &workspace, &claims)?;

    let mut totals = Totals::default();
    for claim in &claims {
        match judge(claim, &verdicts) {
            Judgement::Proven => totals.proven += 1,
            Judgement::NotYet => totals.not_yet += 1,
            Judgement::Skipped(reasons) => {
                totals.skipped += 1;
                println!("{}: not tried here: {}", claim.number, reasons.join("; "));
            }
            Judgement::Broken(reasons) => {
                totals.broken += 1;
                println!(
                    "{}: broken ({}:{}): {}",
                    claim.number,
                    claim.page,
                    claim.line,
                    reasons.join("; ")
                );
            }
        }
    }
    println!(
        "{} proven, {} not yet, {} broken, {} not tried",
        totals.proven, totals.not_yet, totals.broken, totals.skipped
    );
    if totals.broken > 0 {
        bail!("{} of {} claims are broken", totals.broken, claims.len());
    }
    Ok(())
}

#[derive(Default)]
struct Totals {
    proven: usize,
    not_yet: usize,
    broken: usize,
    skipped: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Judgement {
    Proven,
    NotYet,
    /// A proof needs a program that is not installed.
    Skipped(Vec<String>),
    Broken(Vec<String>),
}

/// Runs every proof once, however many claims name it.
fn verdicts(
    sh: &Shell,
    workspace: &Workspace,
    claims: &[Claim],
) -> Result<BTreeMap<Proof, Verdict>> {
    let mut verdicts = BTreeMap::new();
    let mut suite = Suite::new(sh, workspace);
    for proof in claims.iter().flat_map(|claim| &claim.proofs) {
        match proof {
            Proof::Test { package, path } => suite.want_test(package, path),
            Proof::Doctests { package } => suite.want_doctests(package),
            Proof::Document { target } => {
                verdicts
                    .insert(proof.clone(), proof::document(&workspace.root.join("docs"), target));
            }
            Proof::Unreadable { .. } => {}
        }
    }
    verdicts.extend(suite.run()?);
    Ok(verdicts)
}

fn judge(claim: &Claim, verdicts: &BTreeMap<Proof, Verdict>) -> Judgement {
    let mut broken = Vec::new();
    let mut skipped = Vec::new();
    for proof in &claim.proofs {
        match verdicts.get(proof) {
            Some(Verdict::Holds) => {}
            Some(Verdict::Skipped(reason)) => skipped.push(reason.clone()),
            Some(Verdict::Fails(reason)) => broken.push(format!("{proof} {reason}")),
            None => broken.push(format!(
                "{proof} is no proof: write `package::path::of::the_test`, `doc:package` or a link"
            )),
        }
    }
    if claim.state == State::Proven && claim.proofs.is_empty() {
        broken.push("it claims to be proven and names no proof".to_owned());
    }
    match (broken.is_empty(), claim.state) {
        (false, _) => Judgement::Broken(broken),
        (true, State::NotYet) => Judgement::NotYet,
        (true, State::Proven) if !skipped.is_empty() => Judgement::Skipped(skipped),
        (true, State::Proven) => Judgement::Proven,
    }
}

#[cfg(test)]
mod tests {
    use super::{Claim, Judgement, Proof, State, Verdict, judge};

    fn claim(state: State, proofs: Vec<Proof>) -> Claim {
        Claim { page: "page.md", line: 1, number: "S1".to_owned(), state, proofs }
    }

    fn proof() -> Proof {
        Proof::test("p", "a::b")
    }

    fn judgement(state: State, verdict: Verdict) -> Judgement {
        judge(&claim(state, vec![proof()]), &[(proof(), verdict)].into())
    }

    #[test]
    fn claim_is_proven_when_its_proofs_hold() {
        assert_eq!(judgement(State::Proven, Verdict::Holds), Judgement::Proven);
        assert_eq!(judgement(State::NotYet, Verdict::Holds), Judgement::NotYet);
    }

    #[test]
    fn failing_proof_breaks_a_claim_whatever_its_state() {
        for state in [State::Proven, State::NotYet] {
            let judgement = judgement(state, Verdict::Fails("fails".to_owned()));
            assert_eq!(judgement, Judgement::Broken(vec!["`p::a::b` fails".to_owned()]));
        }
    }

    #[test]
    fn claim_without_a_proof_is_broken() {
        assert!(matches!(judge(&claim(State::Proven, vec![]), &[].into()), Judgement::Broken(_)));
        assert_eq!(judge(&claim(State::NotYet, vec![]), &[].into()), Judgement::NotYet);
    }

    #[test]
    fn unreadable_proof_is_broken() {
        let unreadable = Proof::Unreadable { text: "see the tests".to_owned() };
        let Judgement::Broken(reasons) = judge(&claim(State::Proven, vec![unreadable]), &[].into())
        else {
            panic!()
        };
        assert!(reasons[0].starts_with("`see the tests` is no proof"), "{reasons:?}");
    }

    #[test]
    fn missing_program_leaves_a_claim_untried() {
        let judgement = judgement(State::Proven, Verdict::Skipped("no node".to_owned()));
        assert_eq!(judgement, Judgement::Skipped(vec!["no node".to_owned()]));
    }
}
