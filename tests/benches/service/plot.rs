//! Plots of what was measured, as SVG.

use std::fs;
use std::path::Path;

use plotters::coord::combinators::BindKeyPoints as _;
use plotters::prelude::*;

/// Several quantities over one.
pub(crate) struct Plot<'a> {
    /// What grows.
    pub(crate) x: &'a str,
    pub(crate) panels: [Panel<'a>; 3],
}

/// One of them: from 0, over a logarithmic axis.
pub(crate) struct Panel<'a> {
    pub(crate) title: &'a str,
    pub(crate) points: Vec<(f64, f64)>,
}

const SIZE: (u32, u32) = (1080, 300);
const INK: RGBColor = RGBColor(40, 40, 40);
const LINE: RGBColor = RGBColor(0, 95, 160);

impl Plot<'_> {
    /// Writes it, in place of what is there.
    pub(crate) fn write(&self, path: &Path) {
        let folder = path.parent().expect("a plot has a folder");
        fs::create_dir_all(folder).expect("the target folder can be written to");
        let area = SVGBackend::new(path, SIZE).into_drawing_area();
        let drawn = self.draw(&area);
        drawn.unwrap_or_else(|error| panic!("{} cannot be drawn: {error}", path.display()));
    }

    fn draw<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, plotters::coord::Shift>,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        area.fill(&WHITE)?;
        for (panel, area) in self.panels.iter().zip(area.split_evenly((1, 3))) {
            let (least, most) = ends(panel.points.iter().map(|p| p.0));
            let highest = ends(panel.points.iter().map(|p| p.1)).1;
            let mut chart = ChartBuilder::on(&area)
                .margin(12)
                .margin_right(24)
                .caption(panel.title, ("sans-serif", 15, &INK))
                .x_label_area_size(38)
                .y_label_area_size(46)
                .build_cartesian_2d(
                    (least / 1.3..most * 1.3)
                        .log_scale()
                        .with_key_points(panel.points.iter().map(|p| p.0).collect()),
                    0.0..(highest * 1.15).max(f64::MIN_POSITIVE),
                )?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .light_line_style(TRANSPARENT)
                .bold_line_style(RGBColor(220, 220, 220))
                .axis_style(INK)
                .label_style(("sans-serif", 12, &INK))
                .x_desc(self.x)
                .x_label_formatter(&|x| short(*x))
                .x_labels(panel.points.len())
                .y_labels(5)
                .y_label_formatter(&|y| short(*y))
                .draw()?;
            let line = LineSeries::new(panel.points.iter().copied(), LINE.stroke_width(2));
            chart.draw_series(line)?;
            let dots = panel
                .points
                .iter()
                .map(|p| Circle::new(*p, 3, LINE.filled()));
            chart.draw_series(dots)?;
        }
        area.present()
    }
}

/// The lowest and the highest.
fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), v| {
        (least.min(v), most.max(v))
    })
}

/// With the prefix of its thousands.
fn short(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{} M", v / 1e6),
        v if v >= 1e3 => format!("{} k", v / 1e3),
        v => format!("{v:.2}")
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned(),
    }
}
