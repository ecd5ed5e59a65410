//! Bars beside each other: what each of several had of something, a server's share of the requests.

use maud::{Markup, html};

use super::draw::n;
use super::frame::text_width;
use super::{LOOKS, Unit};

/// The height of a bar with the space to the next.
const ROW: f64 = 22.0;
const WIDTH: f64 = 480.0;
const HEAD: f64 = 24.0;

/// A bar for each of several names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bars {
    /// What is shown, without its unit.
    pub title: String,
    /// What the values are.
    pub unit: Unit,
    /// Name, value, and what else is to be said of it, which may be nothing.
    pub rows: Vec<(String, f64, String)>,
}

impl Bars {
    /// The bars as an `svg` element; the longest fills the width.
    pub(crate) fn draw(&self) -> Markup {
        let notes: Vec<String> = self.rows.iter().map(|row| self.note(row)).collect();
        let widest = |texts: &mut dyn Iterator<Item = usize>| text_width(texts.max().unwrap_or(0)).min(WIDTH / 3.0);
        let left = widest(&mut self.rows.iter().map(|row| row.0.chars().count())) + 8.0;
        let right = WIDTH - widest(&mut notes.iter().map(|note| note.chars().count())) - 8.0;
        let most = self.rows.iter().map(|row| length(row.1)).fold(0.0, f64::max);
        #[allow(clippy::cast_precision_loss, reason = "a few rows")]
        let y = |row: usize| HEAD + row as f64 * ROW;
        let spoken: Vec<String> =
            self.rows.iter().zip(&notes).map(|(row, note)| format!("{}: {note}", row.0)).collect();
        html! {
            svg class="chart" role="img" viewBox=(format!("0 0 {WIDTH} {}", n(y(self.rows.len())))) {
                title { (self.title) }
                desc { @if spoken.is_empty() { "no values" } @else { (spoken.join("; ")) "." } }
                text class="title" x="0" y="13" { (self.title) }
                @for (at, ((name, value, _), note)) in self.rows.iter().zip(&notes).enumerate() {
                    @let long = if most > 0.0 { length(*value) / most * (right - left) } else { 0.0 };
                    text class="name" x="0" y=(n(y(at) + 13.0)) { (name) }
                    rect class=(format!("bar a{}", at % LOOKS)) x=(n(left)) y=(n(y(at) + 3.0)) width=(n(long))
                        height=(n(ROW - 8.0)) {}
                    text x=(n(left + long + 6.0)) y=(n(y(at) + 13.0)) { (note) }
                }
            }
        }
    }

    fn note(&self, (_, value, note): &(String, f64, String)) -> String {
        let space = if note.is_empty() { "" } else { " " };
        format!("{}{space}{note}", self.unit.show(*value))
    }
}

/// What a bar can be drawn of.
fn length(value: f64) -> f64 {
    if value.is_finite() { value.max(0.0) } else { 0.0 }
}
