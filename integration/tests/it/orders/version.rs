//! `GET /version`.

use testkit::{program, run, workspace_root};

use super::{PATIENCE, folder, http::get, orders, serve};

#[test]
fn nothing_set_serves_the_version() {
    let dir = folder();
    let (_child, port) = serve(orders(&dir));
    let answer = get(port, "/version");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let version = answer.json();
    assert_eq!(
        (version["service"].as_str(), version["environment"].as_str()),
        (Some("orders"), Some("development"))
    );
    assert!(version["version"].is_string());
}

/// The commit that is checked out in the workspace, if there is git, and a repository.
fn head() -> Option<String> {
    let mut git = program("git").ok()?.command();
    git.arg("-C").arg(workspace_root()).args(["rev-parse", "--verify", "HEAD"]);
    let output = run(git, PATIENCE);
    output.status.success().then(|| output.stdout.trim().to_owned())
}

#[test]
fn it_names_the_commit_of_the_source_wherever_it_runs() {
    let dir = folder();
    let mut command = orders(&dir);
    // As in a hook of git's, where they lead to the repository of the hook.
    command.env("GIT_DIR", "/nowhere").env("GIT_WORK_TREE", "/");
    let (_child, port) = serve(command);
    let version = get(port, "/version").json();
    let commit = version["commit"].as_str();
    // Files that have changed since are said to have.
    assert_eq!(commit.map(|commit| commit.trim_end_matches("-dirty")), head().as_deref());
    assert_eq!(get(port, "/version").json()["commit"].as_str(), commit);
}

#[test]
fn without_git_there_is_no_commit_which_is_said_once() {
    let dir = folder();
    let mut command = orders(&dir);
    command.env("PATH", dir.path());
    let (child, port) = serve(command);
    for _ in 0..3 {
        let answer = get(port, "/version");
        assert_eq!((answer.status, &answer.json()["commit"]), (200, &serde_json::Value::Null));
        assert!(!answer.body.contains("PATH"), "{answer:?}");
    }
    child.terminate();
    let output = child.finish();
    assert_eq!(output.status.code(), Some(0), "{}", output.stderr);
    let said = output.stderr.matches("the commit is not known: git ").count();
    assert_eq!(said, 1, "{}", output.stderr);
}
