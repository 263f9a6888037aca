//! Pictures as data: what is drawn, not how.

/// A picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What it shows.
    pub title: String,
    /// From left to right.
    pub x: Axis,
    /// From bottom to top.
    pub y: Axis,
    /// How the points of a series belong together.
    pub shape: Shape,
    /// What is compared. Each has a colour and a line in the legend.
    pub series: Vec<Series>,
}

/// What is measured along one side.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// The quantity and its unit, like `latency (ms)`.
    pub label: String,
    /// Equal factors are equally far apart.
    pub logarithmic: bool,
    /// Names that stand at 0, 1, 2, … instead of numbers; empty where the axis has numbers.
    pub names: Vec<String>,
}

/// How the points of a series belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A line from point to point.
    Lines,
    /// A bar from the bottom to each point; bars of several series stand beside each other.
    Bars,
}

/// The points of one colour.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// Where they lie.
    pub points: Vec<(f64, f64)>,
}

impl Axis {
    /// An axis of numbers.
    pub fn linear(label: impl Into<String>) -> Axis {
        Axis { label: label.into(), logarithmic: false, names: Vec::new() }
    }

    /// An axis of numbers above 0 on which equal factors are equally far apart.
    pub fn logarithmic(label: impl Into<String>) -> Axis {
        Axis { logarithmic: true, ..Axis::linear(label) }
    }

    /// An axis on which these names stand at 0, 1, 2, …
    pub fn names(label: impl Into<String>, names: impl IntoIterator<Item = impl Into<String>>) -> Axis {
        Axis { names: names.into_iter().map(Into::into).collect(), ..Axis::linear(label) }
    }
}
