//! Charts as SVG, drawn here and not in the browser, for pages that ask nobody for anything: numbers in, markup out.
//!
//! What a chart shows is in [`Chart`] and [`Bars`]; how it looks, its colours included, is in [`STYLE`], which a page
//! has in its head. There is no script and no file; whoever has the page writes both.

mod bars;
mod draw;
mod frame;
mod scale;
mod style;
#[cfg(test)]
mod tests;
mod thin;

pub(crate) use bars::Bars;
pub(crate) use scale::Unit;
pub(crate) use style::STYLE;

/// Colours and dashes; what comes after begins anew.
const LOOKS: usize = 8;

/// Several series over one time line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chart {
    /// What is shown, without its unit.
    pub title: String,
    /// What the values are.
    pub unit: Unit,
    /// Lines beside each other or areas on top of each other.
    pub form: Form,
    /// When the values were taken, in seconds that grow. Those before 0 are shown as so long ago.
    pub times_s: Vec<f64>,
    /// What is drawn; of areas the lowest is the first.
    pub series: Vec<Series>,
    /// What happened meanwhile.
    pub marks: Vec<Mark>,
    /// A value that should not be passed.
    pub limit: Option<Limit>,
    /// From when to when; `None` for all that was taken.
    pub span_s: Option<(f64, f64)>,
    /// The greatest value of the axis; `None` for what the values need.
    pub top: Option<f64>,
    /// How large it is beside others.
    pub size: Size,
}

/// One line or area.
#[derive(Debug, Clone, Default)]
pub(crate) struct Series {
    /// What the legend says.
    pub name: String,
    /// A value for each time; `None` where there is none, which is drawn as a gap.
    pub values: Vec<Option<f64>>,
}

/// A moment that is marked, or a time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mark {
    /// When, on the chart's time line.
    pub at_s: f64,
    /// When it was over, if it lasted.
    pub until_s: Option<f64>,
    /// What happened.
    pub label: String,
}

/// A value that should not be passed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Limit {
    /// The value, in the chart's unit.
    pub value: f64,
    /// What it is.
    pub label: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Form {
    /// A line for each series.
    #[default]
    Lines,
    /// Areas on top of each other: parts of a whole.
    Stacked,
}

/// How large a chart is beside others, in its own units; a page scales it to the place that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Size {
    /// Two of them fill a line of a page; one a phone's.
    #[default]
    Half,
    /// As wide as the page.
    Full,
    /// Three of them fill a line. Marks have no labels.
    Third,
}

impl Chart {
    /// A chart without series.
    pub(crate) fn new(title: &str, unit: Unit, times_s: &[f64]) -> Self {
        Self { title: title.to_owned(), unit, times_s: times_s.to_vec(), ..Self::default() }
    }

    /// The same with one series more.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, values: impl IntoIterator<Item = Option<f64>>) -> Self {
        self.series.push(Series { name: name.to_owned(), values: values.into_iter().collect() });
        self
    }

    /// The chart as an `svg` element.
    pub(crate) fn draw(&self) -> maud::Markup {
        draw::chart(self)
    }
}
