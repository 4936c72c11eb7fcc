//! What the README of a crate tells its reader to write: dependencies and a program.

/// What a README tells its reader to write.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Readme {
    /// The block with `[dependencies]`.
    pub(crate) manifest: Option<String>,
    pub(crate) program: Option<Program>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) text: String,
    /// As for rustdoc: what is not marked `no_run` runs, and must end.
    pub(crate) runs: bool,
}

/// A fenced block: the words after the backticks, and the lines.
struct Block<'a> {
    words: Vec<&'a str>,
    lines: Vec<&'a str>,
}

impl Readme {
    pub(crate) fn parse(text: &str) -> Readme {
        let blocks = blocks(text);
        let manifest = blocks
            .iter()
            .find(|block| {
                block.words.contains(&"toml")
                    && block.lines.iter().any(|line| line.trim() == "[dependencies]")
            })
            .map(|block| block.lines.join("\n") + "\n");
        let examples = || blocks.iter().filter(|block| block.is_example());
        let program = examples()
            .find(|block| block.lines.iter().any(|line| line.contains("fn main(")))
            .or_else(|| examples().next())
            .map(Block::program);
        Readme { manifest, program }
    }
}

impl Block<'_> {
    fn is_example(&self) -> bool {
        self.words.contains(&"rust")
            && !self
                .words
                .iter()
                .any(|word| matches!(*word, "ignore" | "compile_fail" | "should_panic"))
    }

    fn program(&self) -> Program {
        // rustdoc hides lines that begin with `# `, but compiles them.
        let lines = self.lines.iter().map(|line| match line.trim_start() {
            "#" => "",
            hidden => hidden.strip_prefix("# ").unwrap_or(line),
        });
        let mut text: String = lines.flat_map(|line| [line, "\n"]).collect();
        if !text.contains("fn main(") {
            text = format!("fn main() {{\n{text}}}\n");
        }
        Program { text, runs: !self.words.contains(&"no_run") }
    }
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for line in text.lines() {
        let fence = line.strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(words)) => {
                let words = words
                    .split([',', ' '])
                    .map(str::trim)
                    .filter(|word| !word.is_empty())
                    .collect();
                open = Some(Block { words, lines: Vec::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.lines.push(line),
            (None, None) => {}
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(readme: &str) -> Program {
        Readme::parse(readme).program.expect("a program")
    }

    #[test]
    fn the_dependencies_are_the_readme_s_own() {
        let readme = Readme::parse(
            "# It\n\n```toml\n[lints]\n```\n\n```toml\n[dependencies]\nit = \"0.1\"\n```\n\ntext\n",
        );
        assert_eq!(
            readme,
            Readme { manifest: Some("[dependencies]\nit = \"0.1\"\n".to_owned()), program: None }
        );
    }

    #[test]
    fn the_first_whole_program_is_the_example() {
        let readme = "```rust\nlet part = 1;\n```\n```rust\nfn main() {}\n```\n```rust\nfn main() { other() }\n```\n";
        assert_eq!(program(readme), Program { text: "fn main() {}\n".to_owned(), runs: true });
    }

    #[test]
    fn a_part_of_a_program_is_wrapped() {
        assert_eq!(
            program("```rust\nlet part = 1;\n```\n").text,
            "fn main() {\nlet part = 1;\n}\n"
        );
    }

    #[test]
    fn what_rustdoc_hides_is_compiled() {
        let readme = "```rust\n# use it::It;\n#\n#[derive(It)]\nstruct S;\n# fn main() {}\n```\n";
        assert_eq!(program(readme).text, "use it::It;\n\n#[derive(It)]\nstruct S;\nfn main() {}\n");
    }

    #[test]
    fn what_does_not_end_is_built_and_not_run() {
        assert!(!program("```rust,no_run\nfn main() { loop {} }\n```\n").runs);
        assert!(!program("```rust, no_run\nfn main() { loop {} }\n```\n").runs);
    }

    #[test]
    fn blocks_that_rustdoc_would_not_build_are_passed_over() {
        let readme = "```rust,ignore\nfn main() { a }\n```\n```rust,compile_fail\nfn main() { b }\n```\n```text\nfn main() {}\n```\n";
        assert_eq!(Readme::parse(readme).program, None);
    }
}
