//! How the curves are looked at: axes, zoom, cursor, smoothing.

use super::metric::{Metric, Which};
use crate::tui::charts::{Scale, XUnit};

/// Decay per point, from none to strong.
const SMOOTHING: [f64; 4] = [0.0, 0.6, 0.9, 0.98];
/// How much of the view one step of panning moves.
const PAN: f64 = 0.25;

/// What the keys of the charts change. The x axis is common to all charts.
#[derive(Clone, Debug)]
pub struct Sight {
    pub unit: XUnit,
    pub log_x: bool,
    /// The part of the x axis that is shown; None follows new points.
    pub zoom: Option<(f64, f64)>,
    /// Where values are read off.
    pub cursor: Option<f64>,
    /// The chart that keys act on.
    pub focus: Metric,
    /// Whether that chart has all the room.
    pub enlarged: bool,
    pub which: Which,
    smoothing: usize,
    log_y: [bool; Metric::ALL.len()],
    clip: [bool; Metric::ALL.len()],
}

impl Default for Sight {
    fn default() -> Self {
        Self {
            unit: XUnit::Epoch,
            log_x: false,
            zoom: None,
            cursor: None,
            focus: Metric::Accuracy,
            enlarged: false,
            which: Which::Auto,
            smoothing: 2,
            log_y: [false; Metric::ALL.len()],
            clip: [true; Metric::ALL.len()],
        }
    }
}

impl Sight {
    /// The decay of the smoothing; 0 for none.
    #[must_use]
    pub fn decay(&self) -> f64 {
        SMOOTHING[self.smoothing]
    }

    pub fn next_smoothing(&mut self) {
        self.smoothing = (self.smoothing + 1) % SMOOTHING.len();
    }

    #[must_use]
    pub fn log_y(&self, metric: Metric) -> bool {
        self.log_y[metric as usize]
    }

    #[must_use]
    pub fn clip(&self, metric: Metric) -> bool {
        self.clip[metric as usize]
    }

    pub fn toggle_log_y(&mut self) {
        self.log_y[self.focus as usize] ^= true;
    }

    pub fn toggle_clip(&mut self) {
        self.clip[self.focus as usize] ^= true;
    }

    pub fn toggle_log_x(&mut self) {
        self.log_x = !self.log_x;
        self.zoom = None;
    }

    /// The next x axis. Zoom and cursor were places on the old one.
    pub fn next_unit(&mut self) {
        self.unit = self.unit.next();
        self.zoom = None;
        self.cursor = None;
    }

    /// The x axis as it is shown, `full` being all of it.
    #[must_use]
    pub fn window(&self, full: &Scale) -> Scale {
        match self.zoom {
            None => *full,
            Some((low, high)) if full.is_log() => Scale::log(low, high),
            Some((low, high)) => Scale::linear(low, high),
        }
    }

    /// Shows `factor` times as much of the axis, keeping the cursor, or else the middle, in its place.
    pub fn zoom_by(&mut self, factor: f64, full: &Scale) {
        let window = self.window(full);
        let centre = self
            .cursor
            .and_then(|at| window.fraction(at))
            .filter(|at| (0.0..=1.0).contains(at))
            .unwrap_or(0.5);
        let (from, to) = (centre - centre * factor, centre + (1.0 - centre) * factor);
        self.show(window.part(from, to), full);
    }

    /// Moves the view by a part of itself, `way` being -1 or 1.
    pub fn pan(&mut self, way: f64, full: &Scale) {
        if self.zoom.is_some() {
            let window = self.window(full);
            self.show(window.part(way * PAN, 1.0 + way * PAN), full);
        }
    }

    /// Shows a part of the axis, moved so that it lies on it; all of it means no zoom.
    fn show(&mut self, part: Scale, full: &Scale) {
        let (Some(mut from), Some(mut to)) =
            (full.fraction(part.low()), full.fraction(part.high()))
        else {
            return;
        };
        if to - from >= 1.0 {
            self.zoom = None;
            return;
        }
        let back = (to - 1.0).max(0.0) + from.min(0.0);
        (from, to) = (from - back, to - back);
        // Finer than this, neighbouring numbers are no longer told apart.
        if to - from > 1e-9 {
            self.zoom = Some((full.value(from), full.value(to)));
        }
    }

    /// Moves the cursor to the next point of `x` in direction `way` that is at least one of `columns`
    /// columns away; it begins at the end it comes from.
    pub fn step(&mut self, way: f64, x: &[f64], full: &Scale, columns: u16) {
        let window = self.window(full);
        let Some(at) = self.cursor.and_then(|at| window.fraction(at)) else {
            let visible = |x: &&f64| window.fraction(**x).is_some_and(|at| at <= 1.0);
            self.cursor = x.iter().rev().find(visible).copied();
            return;
        };
        let column = 1.0 / f64::from(columns.max(2) - 1);
        // A little less than a column, so that points one column apart are not skipped for rounding.
        let near = window.value(at + way * column * 0.999);
        let next = if way > 0.0 {
            x.get(x.partition_point(|&x| x < near))
        } else {
            x[..x.partition_point(|&x| x <= near)].last()
        };
        if let Some(&next) = next {
            self.cursor = Some(next);
            self.reveal(next, full);
        }
    }

    /// Pans until a place is in view.
    fn reveal(&mut self, place: f64, full: &Scale) {
        for _ in 0..8 {
            match self.window(full).fraction(place) {
                Some(at) if at < 0.0 => self.pan(-1.0, full),
                Some(at) if at > 1.0 => self.pan(1.0, full),
                _ => return,
            }
        }
    }

    /// Takes back the last thing that Esc can take back; false if there is none.
    pub fn step_back(&mut self) -> bool {
        if self.cursor.take().is_some() {
            return true;
        }
        if self.zoom.take().is_some() {
            return true;
        }
        std::mem::take(&mut self.enlarged)
    }

    /// Whether Esc has something to take back.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.cursor.is_some() || self.zoom.is_some() || self.enlarged
    }

    /// Shows all, without a cursor.
    pub fn reset(&mut self) {
        self.cursor = None;
        self.zoom = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: fn() -> Scale = || Scale::linear(0.0, 100.0);

    #[test]
    fn zooming_keeps_the_cursor_in_its_place_and_ends_at_all() {
        let mut sight = Sight {
            cursor: Some(80.0),
            ..Sight::default()
        };
        let full = FULL();
        sight.zoom_by(0.5, &full);
        let (low, high) = sight.zoom.unwrap();
        assert!((low - 40.0).abs() < 1e-9 && (high - 90.0).abs() < 1e-9);
        sight.zoom_by(2.0, &full);
        assert_eq!(sight.zoom, None);
    }

    #[test]
    fn panning_stays_on_the_axis() {
        let mut sight = Sight::default();
        let full = FULL();
        sight.pan(1.0, &full);
        assert_eq!(sight.zoom, None);
        sight.zoom_by(0.5, &full);
        for _ in 0..9 {
            sight.pan(1.0, &full);
        }
        let (low, high) = sight.zoom.unwrap();
        assert!((low - 50.0).abs() < 1e-9 && (high - 100.0).abs() < 1e-9);
    }

    #[test]
    fn the_cursor_goes_from_point_to_point_or_by_columns() {
        let full = FULL();
        let few = [10.0, 20.0, 90.0];
        let mut sight = Sight::default();
        sight.step(-1.0, &few, &full, 50);
        assert_eq!(sight.cursor, Some(90.0));
        sight.step(-1.0, &few, &full, 50);
        assert_eq!(sight.cursor, Some(20.0));
        sight.step(1.0, &few, &full, 50);
        sight.step(1.0, &few, &full, 50);
        assert_eq!(sight.cursor, Some(90.0));
        let many: Vec<f64> = (0..=10_000).map(|i| f64::from(i) / 100.0).collect();
        sight.step(-1.0, &many, &full, 51);
        assert!((sight.cursor.unwrap() - 88.0).abs() < 0.02);
    }

    #[test]
    fn esc_takes_back_one_thing_at_a_time() {
        let mut sight = Sight {
            cursor: Some(1.0),
            zoom: Some((0.0, 2.0)),
            enlarged: true,
            ..Sight::default()
        };
        for _ in 0..3 {
            assert!(sight.is_changed());
            assert!(sight.step_back());
        }
        assert!(!sight.step_back());
    }
}
