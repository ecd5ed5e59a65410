//! Plain text tables: aligned columns, two spaces between them, nothing drawn.

/// Which side the cells of a column keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table of rows under a header.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns and no rows.
    pub(crate) fn new(columns: &[(&str, Align)]) -> Self {
        Self { columns: columns.iter().map(|(name, align)| ((*name).to_owned(), *align)).collect(), rows: Vec::new() }
    }

    /// Adds a row; cells beyond the columns are left out, missing ones are empty.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<String> = cells.into_iter().collect();
        cells.resize(self.columns.len(), String::new());
        self.rows.push(cells);
    }

    /// What its columns are called.
    pub(crate) fn columns(&self) -> Vec<String> {
        self.columns.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Its rows.
    pub(crate) fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    /// The text, each line ended and behind `indent` spaces, none with spaces at its end.
    pub(crate) fn render(&self, indent: usize) -> String {
        let header = self.columns();
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| self.rows.iter().chain([&header]).map(|row| width(&row[column])).max().unwrap_or(0))
            .collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&self.columns).zip(&widths);
            let cells: Vec<String> = cells.map(|((cell, (_, align)), width)| pad(cell, *align, *width)).collect();
            format!("{:indent$}{}", "", cells.join("  ")).trim_end().to_owned() + "\n"
        };
        [&header].into_iter().chain(&self.rows).map(line).collect()
    }
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

fn pad(cell: &str, align: Align, to: usize) -> String {
    let space = " ".repeat(to.saturating_sub(width(cell)));
    match align {
        Align::Left => format!("{cell}{space}"),
        Align::Right => format!("{space}{cell}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_left_numbers_right() {
        let mut table = Table::new(&[("name", Align::Left), ("µs", Align::Right), ("note", Align::Left)]);
        table.row(["a".into(), "1000".into(), "x".into()]);
        table.row(["longer".into(), "5".into()]);
        let expected = "  name      µs  note\n  a       1000  x\n  longer     5\n";
        assert_eq!(table.render(2), expected);
    }
}
