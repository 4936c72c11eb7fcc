//! A throwaway workspace in which every rule holds, for tests to break one at a time.

use std::fs;

use xshell::{Shell, TempDir, cmd};

use crate::{publish::checks, workspace::Workspace};

const ROOT: &str = r#"[workspace]
resolver = "3"
members = ["crates/*"]

[workspace.dependencies]
scratch-app = { path = "crates/app", version = "0.2.0" }
scratch-base = { path = "crates/base", version = "0.1.0" }
"#;

/// Two published crates, `scratch-base` and `scratch-app` on it (their names sort the other way round), and `helper`, which is not
/// published; all committed.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub(crate) sh: Shell,
    _dir: TempDir,
}

impl Scratch {
    pub(crate) fn new() -> Scratch {
        let sh = Shell::new().expect("a shell");
        let dir = sh.create_temp_dir().expect("a temp folder");
        sh.change_dir(fs::canonicalize(dir.path()).expect("the temp folder exists"));
        let scratch = Scratch { sh, _dir: dir };
        scratch.write("Cargo.toml", ROOT);
        scratch.write(".gitignore", "/target/\n");
        scratch.write("LICENSE-MIT", "MIT\n");
        scratch.write("LICENSE-APACHE", "Apache\n");
        scratch.member("base", "0.1.0", "pub fn one() -> u32 { 1 }\n", "");
        scratch.member(
            "app",
            "0.2.0",
            "pub fn two() -> u32 { 2 * scratch_base::one() }\n",
            "\n[dependencies]\nscratch-base = { workspace = true }\n",
        );
        scratch.write(
            "crates/helper/Cargo.toml",
            "[package]\nname = \"helper\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n",
        );
        scratch.write("crates/helper/src/lib.rs", "");
        scratch.run("cargo generate-lockfile --quiet --offline");
        scratch.run("git init --quiet");
        scratch.commit();
        scratch
    }

    fn member(&self, folder: &str, version: &str, lib: &str, dependencies: &str) {
        let name = format!("scratch-{folder}");
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2024\"\ndescription = \"Scratch.\"\nlicense = \"MIT\"\n\
             include = [\"src/**/*.rs\", \"README.md\", \"CHANGELOG.md\", \"LICENSE-*\"]\n{dependencies}"
        );
        self.write(&format!("crates/{folder}/Cargo.toml"), &manifest);
        self.write(&format!("crates/{folder}/src/lib.rs"), lib);
        self.write(
            &format!("crates/{folder}/CHANGELOG.md"),
            &format!(
                "# Changelog\n\n## [Unreleased]\n\n## {version} - 2026-11-24\n\nFirst release.\n"
            ),
        );
        self.write(
            &format!("crates/{folder}/README.md"),
            &format!(
                "# {name}\n\n```toml\n[dependencies]\n{name} = \"{version}\"\n```\n\n```rust\nfn main() {{\n    use {} as _;\n}}\n```\n",
                name.replace('-', "_")
            ),
        );
        for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
            self.run(&format!("ln -s ../../{licence} crates/{folder}/{licence}"));
        }
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        self.sh.write_file(file, text).expect("a file in the temp folder");
    }

    /// Puts `to` where `from` stands in `file`.
    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        let text = self.sh.read_file(file).expect("the file exists");
        assert!(text.contains(from), "{file} has no {from:?}");
        self.write(file, &text.replace(from, to));
    }

    pub(crate) fn append(&self, file: &str, text: &str) {
        let old = self.sh.read_file(file).expect("the file exists");
        self.write(file, &(old + text));
    }

    /// Runs a command whose words have no spaces in them.
    pub(crate) fn run(&self, command: &str) {
        let mut words = command.split(' ');
        self.sh.cmd(words.next().expect("a program")).args(words).quiet().run().expect(command);
    }

    pub(crate) fn commit(&self) {
        self.run("git add --all");
        let identity = [
            "-c",
            "user.name=scratch",
            "-c",
            "user.email=scratch@localhost",
            "-c",
            "commit.gpgsign=false",
        ];
        cmd!(self.sh, "git {identity...} commit --quiet --message scratch")
            .quiet()
            .run()
            .expect("a commit");
    }

    pub(crate) fn workspace(&self) -> Workspace {
        Workspace::load(&self.sh).expect("a workspace")
    }

    /// What the checks say, which must be something.
    pub(crate) fn complaint(&self) -> String {
        checks::check(&self.sh, &self.workspace()).expect_err("a rule is broken").to_string()
    }
}
