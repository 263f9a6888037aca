//! Figures as SVG.

use std::fmt::Display;
use std::io;
use std::ops::Range;

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use selkey::lab::{Axis, Figure, Shape};

/// One figure in pixels; several stand below each other.
const SIZE: (u32, u32) = (800, 420);

/// Colours that people with any kind of colour vision can tell apart (Okabe and Ito, 2008).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

/// How much of the way from one name to the next the bars of a name fill.
const BARS: f64 = 0.8;

/// The figures as one picture.
pub fn svg(figures: &[Figure]) -> io::Result<String> {
    let mut text = String::new();
    let size = (SIZE.0, SIZE.1 * figures.len().max(1) as u32);
    {
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        for (figure, area) in figures.iter().zip(root.split_evenly((figures.len(), 1))) {
            draw(figure, &area).map_err(failed)?;
        }
        root.present().map_err(failed)?;
    }
    Ok(text)
}

fn failed(error: impl Display) -> io::Error {
    io::Error::other(format!("cannot draw: {error}"))
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

fn draw<'a>(figure: &Figure, area: &Area<'a>) -> Drawn<'a> {
    let bars = figure.shape == Shape::Bars;
    let mut chart = ChartBuilder::on(area)
        .caption(&figure.title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(42)
        .y_label_area_size(72)
        .build_cartesian_2d(
            range(&figure.x, figure.series.iter().flat_map(|s| s.points.iter().map(|p| p.0)), false),
            below_legend(
                figure,
                range(&figure.y, figure.series.iter().flat_map(|s| s.points.iter().map(|p| p.1)), bars),
            ),
        )?;
    let mut mesh = chart.configure_mesh();
    mesh.x_desc(&figure.x.label).y_desc(&figure.y.label).light_line_style(TRANSPARENT);
    if !figure.x.names.is_empty() {
        mesh.disable_x_mesh();
    }
    let (x_label, y_label) = (|at: &f64| label(&figure.x, *at), |at: &f64| label(&figure.y, *at));
    mesh.x_labels(ticks(&figure.x)).y_labels(ticks(&figure.y));
    mesh.x_label_formatter(&x_label).y_label_formatter(&y_label).draw()?;
    match figure.shape {
        Shape::Lines => lines(figure, &mut chart)?,
        Shape::Bars => columns(figure, &mut chart)?,
    }
    if figure.series.len() > 1 {
        let mut legend = chart.configure_series_labels();
        legend.position(SeriesLabelPosition::UpperRight).background_style(WHITE.mix(0.8)).border_style(BLACK.mix(0.3));
        legend.draw()?;
    }
    Ok(())
}

fn lines<'a>(figure: &Figure, chart: &mut Chart<'_, 'a>) -> Drawn<'a> {
    for (series, colour) in figure.series.iter().zip(COLOURS.iter().cycle()) {
        let points: Vec<(f64, f64)> = series.points.iter().map(|&point| place(figure, point)).collect();
        let style = colour.stroke_width(2);
        chart
            .draw_series(LineSeries::new(points.iter().copied(), style))?
            .label(&series.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        if points.len() <= 60 {
            chart.draw_series(points.iter().map(|&point| Circle::new(point, 3, colour.filled())))?;
        }
    }
    Ok(())
}

fn columns<'a>(figure: &Figure, chart: &mut Chart<'_, 'a>) -> Drawn<'a> {
    let bottom = chart.y_range().start;
    let width = BARS / figure.series.len().max(1) as f64;
    for (at, (series, colour)) in figure.series.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let left = width * at as f64 - BARS / 2.0;
        let bar = |&point: &(f64, f64)| {
            let (x, y) = place(figure, point);
            Rectangle::new([(x + left, bottom), (x + left + width, y)], colour.filled())
        };
        chart
            .draw_series(series.points.iter().map(bar))?
            .label(&series.name)
            .legend(|(x, y)| Rectangle::new([(x, y - 5), (x + 18, y + 5)], colour.filled()));
    }
    Ok(())
}

/// A logarithmic axis is a linear one of the logarithms, so that one kind of chart does for all.
fn scaled(axis: &Axis, value: f64) -> f64 {
    if axis.logarithmic { value.max(f64::MIN_POSITIVE).log10() } else { value }
}

fn place(figure: &Figure, (x, y): (f64, f64)) -> (f64, f64) {
    (scaled(&figure.x, x), scaled(&figure.y, y))
}

/// What an axis shows: all values, whole decades of a logarithmic one, and of a linear one the zero where `from_zero` or where it is near.
fn range(axis: &Axis, values: impl Iterator<Item = f64>, from_zero: bool) -> Range<f64> {
    if !axis.names.is_empty() {
        return -0.5..axis.names.len() as f64 - 0.5;
    }
    let finite = values.filter(|value| value.is_finite() && (!axis.logarithmic || *value > 0.0));
    let (low, high) =
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return 0.0..1.0;
    }
    if axis.logarithmic {
        let (low, high) = (low.log10().floor(), high.log10().ceil());
        return low..high.max(low + 1.0);
    }
    let low = if from_zero || low > 0.0 && low < high / 2.0 { low.min(0.0) } else { low };
    let room = (high - low) * 0.05;
    low..if room > 0.0 { high + room } else { low + 1.0 }
}

/// Room above the values for the legend, where there is one.
fn below_legend(figure: &Figure, values: Range<f64>) -> Range<f64> {
    let lines = figure.series.len();
    let share = if lines > 1 { (0.05 * (lines + 1) as f64).min(0.4) } else { 0.0 };
    values.start..values.end + (values.end - values.start) * share
}

fn ticks(axis: &Axis) -> usize {
    if axis.names.is_empty() { 10 } else { 2 * axis.names.len() + 1 }
}

fn label(axis: &Axis, at: f64) -> String {
    let whole = at.round();
    let near = (at - whole).abs() < 1e-6;
    if !axis.names.is_empty() {
        return axis.names.get(whole as usize).filter(|_| near && whole >= 0.0).cloned().unwrap_or_default();
    }
    match axis.logarithmic {
        true if near => short(10f64.powf(whole)),
        true => String::new(),
        false => short(at),
    }
}

/// A number with few letters: 1.5k, 20M, 0.004.
fn short(value: f64) -> String {
    let (size, letter) = match value.abs() {
        size if size >= 1e9 => (1e9, "G"),
        size if size >= 1e6 => (1e6, "M"),
        size if size >= 1e4 => (1e3, "k"),
        _ => (1.0, ""),
    };
    let text = format!("{:.4}", value / size);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{}{letter}", if text == "-0" { "0" } else { text })
}

#[cfg(test)]
mod tests {
    use selkey::lab::Series;

    use super::*;

    fn figure(shape: Shape, x: Axis, y: Axis) -> Figure {
        let series = ["a & b", "<c>"].map(|name| Series { name: name.into(), points: vec![(1.0, 10.0), (2.0, 3e6)] });
        Figure { title: "\"one\" < two & three".into(), x, y, shape, series: series.into() }
    }

    #[test]
    fn a_picture_has_every_name_escaped_and_every_figure() {
        let lines = figure(Shape::Lines, Axis::linear("time (s)"), Axis::logarithmic("rate (1/s)"));
        let bars = figure(Shape::Bars, Axis::names("which", ["x", "y & z", "w"]), Axis::linear("latency (ms)"));
        let text = svg(&[lines, bars]).unwrap();
        for wanted in ["time (s)", "rate (1/s)", "1M", "a &amp; b", "&lt;c&gt;", "y &amp; z", "latency (ms)"] {
            assert!(text.contains(wanted), "{wanted}");
        }
        assert_eq!(text.matches("one\" &lt; two &amp; three").count() + text.matches("one&quot; &lt;").count(), 2);
        assert!(!text.contains("a & b") && !text.contains("NaN") && !text.contains("inf"));
    }

    #[test]
    fn strange_figures_are_drawn_all_the_same() {
        let mut figure = figure(Shape::Lines, Axis::linear(""), Axis::logarithmic(""));
        figure.series[0].points = vec![(f64::NAN, 1.0), (1.0, 0.0), (1.0, f64::INFINITY)];
        figure.series[1].points = vec![(5.0, 5.0)];
        svg(&[figure.clone()]).unwrap();
        figure.series.clear();
        svg(&[figure]).unwrap();
        svg(&[]).unwrap();
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in
            [(0.0, "0"), (0.25, "0.25"), (1234.0, "1234"), (15_000.0, "15k"), (2.5e6, "2.5M"), (-0.00001, "0")]
        {
            assert_eq!(short(value), text);
        }
    }
}
