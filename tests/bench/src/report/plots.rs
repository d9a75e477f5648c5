//! Plots as SVG.

use anyhow::{Result, anyhow};
use hdrhistogram::Histogram;
use plotters::prelude::*;

use super::Curve;
use crate::measure::{Series, millis};

const SIZE: (u32, u32) = (900, 420);

/// Latency distributions of series: how many of all requests were slower than this.
pub fn latencies(title: &str, series: &[Series]) -> Result<String> {
    let named: Vec<(String, Histogram<u64>)> =
        series.iter().map(|series| (series.name.clone(), series.latencies.clone())).collect();
    distributions(title, &named)
}

/// Latency distributions of histograms, in microseconds.
pub fn distributions(title: &str, named: &[(String, Histogram<u64>)]) -> Result<String> {
    let curve = |(name, histogram): &(String, Histogram<u64>)| {
        // From all requests down to one of ten thousand, in even steps of the logarithm.
        let shares = (0..=80).map(|step| 10_f64.powf(-f64::from(step) / 20.0));
        let points = shares.map(|share| (1.0 / share, millis(histogram.value_at_quantile(1.0 - share)).max(0.001)));
        Curve { name: name.clone(), points: points.collect() }
    };
    let curves: Vec<Curve> = named.iter().map(curve).collect();
    draw(title, "one request of", "milliseconds, or more", &curves, false)
}

/// Curves over a logarithmic x.
pub fn curves(title: &str, x: &str, y: &str, curves: &[Curve]) -> Result<String> {
    draw(title, x, y, curves, true)
}

fn draw(title: &str, x_name: &str, y_name: &str, curves: &[Curve], has_marks: bool) -> Result<String> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let bounds = |of: fn(&(f64, f64)) -> f64| {
        points().map(of).fold((f64::MAX, f64::MIN), |(min, max), value| (min.min(value), max.max(value)))
    };
    let ((x_min, x_max), (y_min, y_max)) = (bounds(|point| point.0), bounds(|point| point.1));
    let mut svg = String::new();
    let drawn = (|| {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        // Room for the names above the curves.
        let y_range = (y_min * 0.8)..(y_max * 4.0);
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(72)
            .build_cartesian_2d((x_min..x_max).log_scale(), y_range.log_scale())?;
        let plain = |value: &f64| if *value >= 10.0 { format!("{value:.0}") } else { format!("{value}") };
        chart
            .configure_mesh()
            .x_desc(x_name)
            .y_desc(y_name)
            .x_label_formatter(&plain)
            .y_label_formatter(&plain)
            .draw()?;
        for (number, curve) in curves.iter().enumerate() {
            let color = Palette99::pick(number).to_rgba();
            let line = LineSeries::new(curve.points.iter().copied(), color.stroke_width(2));
            let line = if has_marks { line.point_size(3) } else { line };
            chart
                .draw_series(line)?
                .label(&curve.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.2))
            .draw()?;
        area.present()
    })();
    drawn.map_err(|error: DrawingAreaErrorKind<_>| anyhow!("the plot {title:?} cannot be drawn: {error}"))?;
    Ok(svg)
}
