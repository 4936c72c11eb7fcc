//! What a claim rests on.

use std::{fmt, fs, path::Path};

use crate::{
    markdown::{anchors, links},
    parity::suite::Verdict,
};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Proof {
    /// `` `package::path::of::the_test` ``: a test in any test binary of the package.
    Test {
        package: String,
        path: String,
    },
    /// `` `doc:package` ``: all doctests of the package.
    Doctests {
        package: String,
    },
    /// `[text](target)`: a document, or a heading of it.
    Document {
        target: String,
    },
    Unreadable {
        text: String,
    },
}

impl Proof {
    pub(super) fn test(package: &str, path: &str) -> Proof {
        Proof::Test { package: package.to_owned(), path: path.to_owned() }
    }
}

/// Reads a comma-separated list of proofs.
pub(super) fn read(cell: &str) -> Vec<Proof> {
    cell.split(',').map(str::trim).filter(|text| !text.is_empty()).map(read_one).collect()
}

fn read_one(text: &str) -> Proof {
    let unreadable = || Proof::Unreadable { text: text.to_owned() };
    let Some(code) = text.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) else {
        return match links(text)[..] {
            [target] => Proof::Document { target: target.to_owned() },
            _ => unreadable(),
        };
    };
    if let Some(package) = code.strip_prefix("doc:") {
        return Proof::Doctests { package: package.to_owned() };
    }
    match code.split_once("::") {
        Some((package, path)) => Proof::test(package, path),
        None => unreadable(),
    }
}

/// Looks whether a document exists below `folder`, with the heading if one is named.
pub(super) fn document(folder: &Path, target: &str) -> Verdict {
    let (file, heading) =
        target.split_once('#').map_or((target, None), |(file, heading)| (file, Some(heading)));
    let Ok(text) = fs::read_to_string(folder.join(file)) else {
        return Verdict::Fails("does not exist".to_owned());
    };
    match heading {
        Some(heading) if !anchors(&text).iter().any(|anchor| anchor == heading) => {
            Verdict::Fails(format!("has no heading #{heading}"))
        }
        _ => Verdict::Holds,
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Proof::Test { package, path } => write!(f, "`{package}::{path}`"),
            Proof::Doctests { package } => write!(f, "`doc:{package}`"),
            Proof::Document { target } => f.write_str(target),
            Proof::Unreadable { text } => write!(f, "`{text}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Proof, document, read};
    use crate::parity::suite::Verdict;

    #[test]
    fn each_form_is_read() {
        let proofs =
            read("`underpin-a::b::c`, `doc:underpin-a`, [Why](decisions.md#why), `alone`, words");
        let expected = [
            Proof::test("underpin-a", "b::c"),
            Proof::Doctests { package: "underpin-a".to_owned() },
            Proof::Document { target: "decisions.md#why".to_owned() },
            Proof::Unreadable { text: "`alone`".to_owned() },
            Proof::Unreadable { text: "words".to_owned() },
        ];
        assert_eq!(proofs, expected);
        assert_eq!(read(""), []);
    }

    #[test]
    fn document_and_heading_must_exist() {
        let root = testkit::workspace_root();
        let fails = |reason: &str| Verdict::Fails(reason.to_owned());
        assert_eq!(document(root, "crates/fault/README.md"), Verdict::Holds);
        assert_eq!(document(root, "crates/fault/README.md#underpin-fault"), Verdict::Holds);
        assert_eq!(
            document(root, "crates/fault/README.md#no-such"),
            fails("has no heading #no-such")
        );
        assert_eq!(document(root, "no-such.md"), fails("does not exist"));
    }
}
