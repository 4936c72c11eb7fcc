//! A manifest as its lines: order and layout are what the rules are about, and a TOML value has neither.

/// The sections of a manifest.
#[derive(Debug)]
pub(super) struct Manifest<'a> {
    sections: Vec<Section<'a>>,
}

/// The lines below one `[header]`.
#[derive(Debug)]
pub(super) struct Section<'a> {
    pub(super) header: &'a str,
    /// With their line numbers, counted from 1.
    pub(super) lines: Vec<(usize, &'a str)>,
}

impl<'a> Manifest<'a> {
    pub(super) fn parse(text: &'a str) -> Manifest<'a> {
        let mut sections: Vec<Section<'a>> = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            if let Some(header) = line
                .strip_prefix('[')
                .and_then(|rest| rest.split_once(']'))
                .map(|(header, _)| header)
            {
                sections.push(Section { header, lines: Vec::new() });
            } else if let Some(section) = sections.last_mut() {
                section.lines.push((number, line));
            }
        }
        Manifest { sections }
    }

    pub(super) fn section(&self, header: &str) -> Option<&Section<'a>> {
        self.sections.iter().find(|section| section.header == header)
    }

    /// All tables of dependencies, those of the workspace and of targets too.
    pub(super) fn dependency_tables(&self) -> impl Iterator<Item = &Section<'a>> {
        self.sections.iter().filter(|section| section.header.ends_with("dependencies"))
    }

    /// The value of a key, as written; for `key.workspace = true` the key is `key.workspace`.
    pub(super) fn value(&self, section: &str, key: &str) -> Option<&'a str> {
        self.section(section)?.entries().find(|entry| entry.key == key).map(|entry| entry.value)
    }
}

/// One `key = value` line.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) key: &'a str,
    /// The first line of it.
    pub(super) value: &'a str,
}

impl<'a> Section<'a> {
    /// The lines that start a value; continued ones are indented or close a bracket.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'a>> {
        self.lines.iter().filter_map(|&(_, text)| entry(text))
    }
}

pub(super) fn entry(text: &str) -> Option<Entry<'_>> {
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let (key, value) = text.split_once('=').filter(|_| starts)?;
    Some(Entry { key: key.trim(), value: value.trim() })
}

#[cfg(test)]
mod tests {
    use super::{Manifest, Section};

    #[test]
    fn values_are_found_by_section_and_key() {
        let manifest = Manifest::parse(
            "[package]\nname = \"a\"\nversion.workspace = true\n\n[dependencies]\nb = { features = [\n  \"c\",\n] }\n",
        );
        assert_eq!(manifest.value("package", "name"), Some("\"a\""));
        assert_eq!(manifest.value("package", "version.workspace"), Some("true"));
        assert_eq!(manifest.value("dependencies", "name"), None);
        assert_eq!(manifest.dependency_tables().flat_map(Section::entries).count(), 1);
    }
}
