//! As much Markdown as our own pages use: pipe tables, headings and links.

/// A pipe table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

/// A row below the header, with its line number counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) line: usize,
    pub(crate) cells: Vec<String>,
}

impl Table {
    pub(crate) fn has_header(&self, header: &[&str]) -> bool {
        self.header.iter().eq(header)
    }
}

impl Row {
    /// The cell of that column, empty where the row is too short.
    pub(crate) fn cell(&self, index: usize) -> &str {
        self.cells.get(index).map_or("", String::as_str)
    }
}

/// All pipe tables of a page.
pub(crate) fn tables(text: &str) -> Vec<Table> {
    let mut tables = Vec::new();
    let mut lines = prose(text).peekable();
    while let Some((_, line)) = lines.next() {
        let is_header =
            line.starts_with('|') && lines.peek().is_some_and(|(_, next)| is_rule(next));
        if !is_header {
            continue;
        }
        lines.next();
        let mut rows = Vec::new();
        while let Some((number, line)) = lines.next_if(|(_, line)| line.starts_with('|')) {
            rows.push(Row { line: number, cells: cells(line) });
        }
        tables.push(Table { header: cells(line), rows });
    }
    tables
}

/// The anchors of a page's headings, as repository hosts make them.
pub(crate) fn anchors(text: &str) -> Vec<String> {
    let headings = prose(text).filter_map(|(_, line)| {
        let title = line.trim_start_matches('#');
        (title.len() < line.len()).then(|| title.strip_prefix(' ')).flatten()
    });
    headings.map(anchor).collect()
}

/// The targets of `[text](target)`.
pub(crate) fn links(text: &str) -> Vec<&str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target)
        .collect()
}

/// A cell's text without backticks, and without the brackets and the target if it is a link.
pub(crate) fn plain(cell: &str) -> String {
    let text = match cell.strip_prefix('[').and_then(|rest| rest.split_once("](")) {
        Some((text, _)) => text,
        None => cell,
    };
    text.replace('`', "")
}

/// The lines outside code fences, numbered from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

fn is_rule(line: &str) -> bool {
    line.starts_with('|') && line.contains('-') && line.chars().all(|c| "|-: ".contains(c))
}

/// Splits at bars, but not at those that are escaped or in a code span.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut code = false;
    let mut chars = line.trim().trim_start_matches('|').chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&'|') => {
                chars.next();
                push(&mut cells, '|');
            }
            '|' if !code => cells.push(String::new()),
            _ => {
                code ^= c == '`';
                push(&mut cells, c);
            }
        }
    }
    // What follows the closing bar is not a cell.
    if cells.last().is_some_and(|last| last.trim().is_empty()) {
        cells.pop();
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

fn push(cells: &mut [String], c: char) {
    if let Some(cell) = cells.last_mut() {
        cell.push(c);
    }
}

fn anchor(title: &str) -> String {
    let lower = title.trim().to_lowercase();
    let kept = lower.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::{anchors, links, plain, tables};

    #[test]
    fn table_ends_where_its_lines_end() {
        let tables = tables("text\n\n| a | b |\n|---|--:|\n| 1 | `x|y` |\n| 2 | p\\|q |\nafter\n");
        assert_eq!(tables.len(), 1);
        assert!(tables[0].has_header(&["a", "b"]));
        let rows: Vec<_> = tables[0].rows.iter().map(|row| (row.line, row.cell(1))).collect();
        assert_eq!(rows, [(5, "`x|y`"), (6, "p|q")]);
        assert_eq!(tables[0].rows[0].cell(7), "");
    }

    #[test]
    fn empty_cell_in_the_middle_is_kept() {
        let tables = tables("| a | b | c |\n|---|---|---|\n| 1 | | 3 |\n");
        assert_eq!(tables[0].rows[0].cells, ["1", "", "3"]);
    }

    #[test]
    fn code_fence_holds_no_table_and_no_heading() {
        let page = "```\n| a |\n|---|\n# no\n```\n# Yes, `this` one: 2\n";
        assert_eq!(tables(page), []);
        assert_eq!(anchors(page), ["yes-this-one-2"]);
    }

    #[test]
    fn link_gives_its_target_and_its_text() {
        assert_eq!(links("see [a](b.md#c) and [d](e)"), ["b.md#c", "e"]);
        assert_eq!(plain("[`underpin-fault`](crates/fault)"), "underpin-fault");
        assert_eq!(plain("`fault`"), "fault");
    }
}
