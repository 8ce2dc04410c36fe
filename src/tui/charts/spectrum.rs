//! Singular values on a logarithmic axis, before and after.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;

use super::axis::XUnit;
use super::glyphs::Glyphs;
use super::line::{Line, LineChart, XAxis, YAxis};
use super::palette::Palette;
use super::series::Series;

/// One or two spectra: singular values in falling order over their number.
pub struct Spectrum<'a> {
    title: &'a str,
    curves: Vec<Curve<'a>>,
    palette: Palette,
    glyphs: Glyphs,
}

struct Curve<'a> {
    label: &'a str,
    style: Style,
    number: Vec<f64>,
    values: Series,
}

impl<'a> Spectrum<'a> {
    #[must_use]
    pub fn new(title: &'a str, palette: Palette, glyphs: Glyphs) -> Self {
        Self {
            title,
            curves: Vec::new(),
            palette,
            glyphs,
        }
    }

    /// Adds singular values; values of zero are counted in the title, since they have no logarithm.
    #[must_use]
    pub fn curve(mut self, values: &[f32], label: &'a str, style: Style) -> Self {
        self.curves.push(Curve {
            label,
            style,
            number: (1..=values.len()).map(|number| number as f64).collect(),
            values: values.iter().map(|&value| f64::from(value)).collect(),
        });
        self
    }
}

impl Widget for Spectrum<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let marker = |index| self.glyphs.marker(index);
        let lines = self.curves.iter().enumerate().map(|(index, curve)| Line {
            x: &curve.number,
            y: &curve.values,
            smooth: None,
            style: curve.style,
            faded: curve.style,
            marker: marker(index),
            label: curve.label,
        });
        LineChart::new(self.title, self.palette, self.glyphs)
            .lines(lines)
            .x(XAxis {
                unit: XUnit::Index,
                ..XAxis::default()
            })
            .y(YAxis {
                log: true,
                ..YAxis::default()
            })
            .empty("no singular values")
            .without_end_labels()
            .render(area, buf);
    }
}
