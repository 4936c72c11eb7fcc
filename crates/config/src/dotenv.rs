//! The `.env` file.
//!
//! There is no standard for it, and its readers disagree, so this grammar keeps to where they meet and
//! refuses what they take in different ways:
//!
//! - a line is `NAME=value` or `export NAME=value`, with blanks allowed around each part; blank lines and
//!   lines that begin with `#` do not count;
//! - a value without quotes ends with its line or before a `#` that has a blank before it, and is trimmed;
//!   any other `#` in it is refused, since some readers end the value there, and so is a backtick at its
//!   beginning, which some take for a quote;
//! - between single quotes every character stands for itself, line breaks too; a backslash before a
//!   quote or another backslash is refused, since some take it for an escape;
//! - between double quotes `\n`, `\r`, `\t`, `\\`, `\"`, `` \` `` and `\$` are escapes, line breaks stand for
//!   themselves, and any other backslash is refused;
//! - `$` has no meaning anywhere: a password with a dollar sign in it is the password;
//! - a byte order mark is skipped, a line may end with CR LF, and NUL and a CR of its own are refused.
//!
//! Nothing that is reported shows a part of the file: what looks like a name may be a line of a secret.

use std::{collections::HashMap, ffi::OsStr, path::Path};

use crate::{
    env::{Env, Variable},
    file::{self, Unreadable},
    finding::escape,
    problem::Problem,
    spec::Spec,
};

/// Adds the variables of the `.env` file, in development.
pub(crate) fn merge(spec: &Spec, env: &mut Env, problems: &mut Vec<Problem>) {
    let (Some(profile), Some(path)) = (spec.profile, env.dotenv().map(Path::to_owned)) else {
        return;
    };
    if env.find(profile).is_some_and(|index| !is_development(&env.variables()[index].value)) {
        return;
    }
    let file = escape(&path.to_string_lossy());
    let text = match file::read(&path) {
        Ok(text) => text,
        Err(Unreadable::Missing) => return,
        Err(Unreadable::Other(why)) => {
            let reason = format!("{why}: mend it, or remove it");
            problems.push(Problem { variable: file, reason, expected: String::new() });
            return;
        }
    };
    let (variables, found) = parse(&file, &text);
    problems.extend(found);
    for variable in &variables {
        if variable.name == *profile && !is_development(&variable.value) {
            let reason = format!(
                "sets {profile}, which decides whether this file is read: set it in the environment"
            );
            let line = variable.line.unwrap_or_default();
            problems.push(Problem {
                variable: format!("{file} line {line}"),
                reason,
                expected: String::new(),
            });
        }
    }
    env.fill_in(variables);
}

fn is_development(profile: &OsStr) -> bool {
    profile.eq_ignore_ascii_case("development")
}

/// The variables of a `.env` file called `file`, and what is wrong with it.
fn parse(file: &str, text: &str) -> (Vec<Variable>, Vec<Problem>) {
    if let Some(problem) = bad_control(file, text) {
        return (Vec::new(), vec![problem]);
    }
    let mut parser = Parser { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 };
    let mut variables: Vec<Variable> = Vec::new();
    let mut first: HashMap<&str, usize> = HashMap::new();
    let mut problems = Vec::new();
    while !parser.rest.is_empty() {
        let line = parser.line;
        let mut problem = |reason: String| {
            problems.push(Problem {
                variable: format!("{file} line {line}"),
                reason,
                expected: "NAME=value, NAME='value' or NAME=\"value\"".to_owned(),
            });
        };
        match parser.assignment() {
            Ok(None) => {}
            Ok(Some((name, value))) => {
                if let Some(first) = first.get(name) {
                    problem(format!("sets the same variable as line {first}"));
                } else {
                    first.insert(name, line);
                    variables.push(Variable::new(name.into(), value.into(), Some(line)));
                }
            }
            Err(Refused { reason, rest }) => {
                problem(reason.to_owned());
                match rest {
                    Rest::NextLine => parser.skip_line(),
                    Rest::Nothing => break,
                }
            }
        }
    }
    (variables, problems)
}

/// NUL, which no environment can hold, or a CR of its own, which is the end of a line to some readers.
fn bad_control(file: &str, text: &str) -> Option<Problem> {
    let bytes = text.as_bytes();
    let bad = |at: usize| match bytes[at] {
        0 => true,
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        _ => false,
    };
    let at = (0..bytes.len()).find(|at| bad(*at))?;
    let line = 1 + text[..at].matches('\n').count();
    let reason = if bytes[at] == 0 {
        "has a NUL, so it is no text file"
    } else {
        "has a carriage return that ends no line: save the file with LF at the end of lines"
    };
    Some(Problem {
        variable: format!("{file} line {line}"),
        reason: reason.to_owned(),
        expected: String::new(),
    })
}

/// Why an assignment cannot be read, and where the next one may begin.
struct Refused {
    reason: &'static str,
    rest: Rest,
}

enum Rest {
    NextLine,
    /// An open quote has everything to the end of the file.
    Nothing,
}

impl From<&'static str> for Refused {
    fn from(reason: &'static str) -> Refused {
        Refused { reason, rest: Rest::NextLine }
    }
}

struct Parser<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Parser<'a> {
    /// Reads one line, or more where quotes span them.
    fn assignment(&mut self) -> Result<Option<(&'a str, String)>, Refused> {
        self.skip_blanks();
        if self.at_end_of_line() {
            self.skip_line();
            return Ok(None);
        }
        let mut name = self.word();
        if name == "export" && self.rest.starts_with([' ', '\t']) {
            self.skip_blanks();
            name = self.word();
        }
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err("does not begin with a name of letters, digits and underscores".into());
        }
        self.skip_blanks();
        self.rest = self.rest.strip_prefix('=').ok_or("has no = after the name")?;
        self.skip_blanks();
        let value = match self.rest.chars().next() {
            Some('\'') => self.single_quoted()?,
            Some('"') => self.double_quoted()?,
            _ => return Ok(Some((name, self.unquoted()?))),
        };
        self.skip_blanks();
        if !self.at_end_of_line() {
            return Err("has text after the closing quote".into());
        }
        self.skip_line();
        Ok(Some((name, value)))
    }

    fn word(&mut self) -> &'a str {
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn unquoted(&mut self) -> Result<String, &'static str> {
        let line = self.rest.split('\n').next().unwrap_or_default();
        let line = line.strip_suffix('\r').unwrap_or(line);
        let value = match line.find('#') {
            Some(at) if at > 0 && line[..at].ends_with([' ', '\t']) => &line[..at],
            Some(_) => {
                return Err("has a # in a value without quotes: put the value in single quotes");
            }
            None if line.starts_with('`') => {
                return Err("has a value in backticks: use single quotes");
            }
            None => line,
        };
        let value = value.trim_matches([' ', '\t']);
        if value.trim() != value {
            return Err("has white space around its value that is neither a blank nor a tab");
        }
        self.skip_line();
        Ok(value.to_owned())
    }

    fn single_quoted(&mut self) -> Result<String, Refused> {
        let Some((value, _)) = self.rest[1..].split_once('\'') else {
            return Err(Refused {
                reason: "has a single quote that is never closed",
                rest: Rest::Nothing,
            });
        };
        self.advance(value.len() + 2);
        if value.contains("\\\\") || value.ends_with('\\') {
            return Err("has a backslash in single quotes that some readers take for an escape: \
                        use double quotes, and write \\\\ for it"
                .into());
        }
        Ok(value.replace("\r\n", "\n"))
    }

    /// Goes to the closing quote whatever it finds on the way, so that the rest of a secret is never
    /// read as names.
    fn double_quoted(&mut self) -> Result<String, Refused> {
        let mut value = String::new();
        let mut bad_escape = false;
        let mut chars = self.rest.char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.advance(at + 1);
                    return if bad_escape {
                        Err("has a backslash that is none of \\n \\r \\t \\\\ \\\" \\` \\$: \
                             use single quotes, or write \\\\"
                            .into())
                    } else {
                        Ok(value)
                    };
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, 'r')) => value.push('\r'),
                    Some((_, 't')) => value.push('\t'),
                    Some((_, c @ ('\\' | '"' | '`' | '$'))) => value.push(c),
                    _ => bad_escape = true,
                },
                '\r' if chars.peek().is_some_and(|(_, next)| *next == '\n') => {}
                c => value.push(c),
            }
        }
        Err(Refused { reason: "has a double quote that is never closed", rest: Rest::Nothing })
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn at_end_of_line(&self) -> bool {
        self.rest.is_empty() || self.rest.starts_with(['\n', '#']) || self.rest.starts_with("\r\n")
    }

    fn skip_line(&mut self) {
        let end = self.rest.find('\n').map_or(self.rest.len(), |end| end + 1);
        self.advance(end);
    }

    fn advance(&mut self, bytes: usize) {
        let (passed, rest) = self.rest.split_at(bytes);
        self.line += passed.matches('\n').count();
        self.rest = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        let (variables, problems) = parse(".env", text);
        assert_eq!(problems, []);
        let text = |os: std::ffi::OsString| os.into_string().unwrap();
        variables.into_iter().map(|variable| (text(variable.name), text(variable.value))).collect()
    }

    fn value(text: &str) -> String {
        let mut pairs = pairs(text);
        assert_eq!(pairs.len(), 1, "{text}");
        pairs.remove(0).1
    }

    #[test]
    fn reads_what_the_grammar_says() {
        for (text, expected) in [
            ("A=b", "b"),
            ("A=b\r\n", "b"),
            ("\u{feff}A=b", "b"),
            ("export A=b", "b"),
            ("  export\tA = b  ", "b"),
            ("A=", ""),
            ("A=''", ""),
            ("A=b c # d", "b c"),
            ("A='b # c' # d", "b # c"),
            ("A='b\nc'", "b\nc"),
            ("A='b\r\nc'\r\n", "b\nc"),
            ("A=\"b\nc\"", "b\nc"),
            (r#"A="b\n\t\r\"\\\`\$c""#, "b\n\t\r\"\\`$c"),
            (r"A='b\n'", r"b\n"),
            ("A=$B${C}", "$B${C}"),
            ("A=\"$B\"", "$B"),
            ("A=b=c", "b=c"),
            ("A=it's", "it's"),
            ("A=höhe", "höhe"),
            ("# c\n\n  \nA=b", "b"),
            ("export=b", "b"),
        ] {
            assert_eq!(value(text), expected, "{text:?}");
        }
        assert_eq!(pairs("A=1\nB='2\n'\nC=3").len(), 3);
    }

    #[test]
    fn refuses_the_rest_by_line_and_goes_on() {
        let (variables, problems) = parse(
            ".env",
            "A=1\nhunter2\n1B=2\nC 3\nD='4' hunter2\nE=\"\\hunter2\"\nA=hunter2\nF=6\nG=hunter2#hunter2\n\
             H=#hunter2\nI=`hunter2`\nJ='hunter2\\'\nK='a\\\\b'\nL=\u{a0}hunter2\nM='hunter2\nhunter2=hunter2\n",
        );
        assert_eq!(
            lines(&problems),
            ["2", "3", "4", "5", "6", "7", "9", "10", "11", "12", "13", "14", "15"]
        );
        assert!(!format!("{problems:?}").contains("hunter2"));
        let names: Vec<_> =
            variables.iter().map(|variable| variable.name.to_str().unwrap()).collect();
        assert_eq!(names, ["A", "F"]);
    }

    #[test]
    fn a_broken_secret_of_several_lines_is_one_problem() {
        let (variables, problems) =
            parse(".env", "KEY=\"-----\nMII\\q\nhunter2=\nhunter2=\n-----\"\nA=1\n");
        assert_eq!((variables.len(), lines(&problems)), (1, vec!["1"]));
    }

    #[test]
    fn what_is_no_text_file_is_refused_whole() {
        for (text, line) in [("A=1\rB=2\r", "1"), ("A=1\r\nB='a\rb'\n", "2"), ("A=1\nB=\0\n", "2")]
        {
            let (variables, problems) = parse(".env", text);
            assert_eq!((variables.len(), lines(&problems)), (0, vec![line]), "{text:?}");
        }
    }

    fn lines(problems: &[Problem]) -> Vec<&str> {
        problems.iter().map(|problem| problem.variable.trim_start_matches(".env line ")).collect()
    }
}
