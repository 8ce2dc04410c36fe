//! From points to dots, by way of a series' pyramid.
//!
//! The picture of a curve is defined on dots: every point goes to its nearest dot, and the dots of
//! neighbouring points are joined by straight lines. Points without a place on the axes break the line.
//! Within one dot column such a picture depends only on the first, lowest, highest and last point of each
//! unbroken piece, so drawing those few lights the very same dots.

use std::ops::Range;

use super::glyphs::Mark;
use super::raster::{Dot, Raster};
use super::scale::Scale;
use super::series::{Bucket, Series};

/// Where a curve is drawn: its axes.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub x: Scale,
    pub y: Scale,
}

/// The points that a raster of `columns` shows: those whose nearest dot column lies on it. `x` must not
/// fall.
pub(super) fn visible(x: &[f64], scale: &Scale, columns: usize) -> Range<usize> {
    let column = |&x: &f64| scale.dot(x, columns).unwrap_or(i64::MIN);
    let start = x.partition_point(|x| column(x) < 0);
    let end = x.partition_point(|x| column(x) < columns as i64);
    start..end
}

/// Draws a curve into `raster` and reports what could not be drawn, as (dot column, mark).
///
/// `x` holds finite numbers that do not fall, one for each value of `y`.
pub(super) fn draw(x: &[f64], y: &Series, view: &View, raster: &mut Raster) -> Vec<(i64, Mark)> {
    let columns = raster.columns();
    let mut pen = Pen::new(view, raster);
    let inside = visible(x, &view.x, columns);
    // The neighbours on both sides are off the grid; the lines to them are not.
    let from = inside.start.saturating_sub(1);
    let to = (inside.end + 1).min(x.len()).min(y.len());
    let log = view.y.is_log();
    let mut at = from;
    while at < to {
        let column = view.x.dot(x[at], columns);
        let end = at + same_column(&x[at..to], |x| view.x.dot(x, columns) == column);
        let Some(column) = column else {
            pen.lift();
            at = end;
            continue;
        };
        let whole = |bucket: &Bucket| bucket.is_unbroken(log) || bucket.is_absent(log);
        y.cover(at..end, whole, |bucket, _| pen.bucket(column, bucket));
        at = end;
    }
    pen.marks
}

/// How many of the first points satisfy `same`, which holds for a leading part of `x`, at least one.
/// Steps of growing length find the end first: most columns hold few points.
fn same_column(x: &[f64], same: impl Fn(f64) -> bool) -> usize {
    let mut reach = 1;
    while reach < x.len() && same(x[reach]) {
        reach *= 2;
    }
    let low = reach / 2;
    let high = reach.min(x.len());
    (low + x[low..high].partition_point(|&x| same(x))).max(1)
}

/// Draws piece after piece, and joins them until it is lifted.
struct Pen<'a> {
    view: View,
    raster: &'a mut Raster,
    last: Option<Dot>,
    marks: Vec<(i64, Mark)>,
}

impl<'a> Pen<'a> {
    fn new(view: &View, raster: &'a mut Raster) -> Self {
        Self {
            view: *view,
            raster,
            last: None,
            marks: Vec::new(),
        }
    }

    fn lift(&mut self) {
        self.last = None;
    }

    fn bucket(&mut self, column: i64, bucket: &Bucket) {
        if bucket.non_finite > 0 {
            self.mark(column, Mark::NonFinite);
            return self.lift();
        }
        let rows = self.raster.rows();
        let row = |value: f32| self.view.y.dot(f64::from(value), rows);
        let places = (
            row(bucket.first),
            row(bucket.min),
            row(bucket.max),
            row(bucket.last),
        );
        let (Some(first), Some(min), Some(max), Some(last)) = places else {
            self.mark(column, Mark::NonPositive);
            return self.lift();
        };
        if f64::from(bucket.max) > self.view.y.high() {
            self.mark(column, Mark::Above);
        }
        if f64::from(bucket.min) < self.view.y.low() {
            self.mark(column, Mark::Below);
        }
        if let Some(before) = self.last {
            self.raster.segment(before, (column, first));
        }
        self.raster.span(column, min, max);
        self.last = Some((column, last));
    }

    fn mark(&mut self, column: i64, mark: Mark) {
        let on_grid = (0..self.raster.columns() as i64).contains(&column);
        if on_grid && self.marks.last() != Some(&(column, mark)) {
            self.marks.push((column, mark));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::glyphs::Glyphs;
    use super::*;
    use proptest::prelude::*;

    /// The picture by its definition: every point, every line.
    fn plain(x: &[f64], y: &Series, view: &View, raster: &mut Raster) -> Vec<(i64, Mark)> {
        let mut pen = Pen::new(view, raster);
        for (&x, &y) in x.iter().zip(y.values()) {
            match view.x.dot(x, pen.raster.columns()) {
                Some(column) => pen.bucket(column, &Bucket::of(y)),
                None => pen.lift(),
            }
        }
        pen.marks
    }

    fn both(x: &[f64], y: &Series, view: &View, glyphs: Glyphs) {
        let mut reduced = Raster::new(glyphs, 12, 5);
        let mut all = Raster::new(glyphs, 12, 5);
        let mut marks = draw(x, y, view, &mut reduced);
        let mut every = plain(x, y, view, &mut all);
        assert_eq!(reduced.masks(), all.masks());
        for list in [&mut marks, &mut every] {
            list.sort_by_key(|&(column, mark)| (column, mark as u8));
            list.dedup();
        }
        assert_eq!(marks, every);
    }

    #[derive(Clone, Copy, Debug)]
    enum Kind {
        Noise,
        Spikes,
        Gaps,
        Constant,
        Falling,
        LoneBetweenGaps,
        AcrossZero,
    }

    fn value(kind: Kind, random: f64, index: usize) -> f64 {
        match kind {
            Kind::Noise => random,
            Kind::Spikes if random > 0.99 => 1e6 * random,
            Kind::Spikes => 1.0,
            Kind::Gaps if random < 0.1 => f64::NAN,
            Kind::Gaps => random,
            Kind::Constant => 0.25,
            Kind::Falling => 2.3 / (1.0 + index as f64 * 0.01) + 0.1 * random,
            Kind::LoneBetweenGaps if index.is_multiple_of(2) => f64::INFINITY,
            Kind::LoneBetweenGaps => random,
            Kind::AcrossZero => random - 0.5,
        }
    }

    fn kind() -> impl Strategy<Value = Kind> {
        prop_oneof![
            Just(Kind::Noise),
            Just(Kind::Spikes),
            Just(Kind::Gaps),
            Just(Kind::Constant),
            Just(Kind::Falling),
            Just(Kind::LoneBetweenGaps),
            Just(Kind::AcrossZero),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn the_reduction_lights_the_dots_of_all_points(
            kind in kind(),
            random in prop::collection::vec(0.0..1.0_f64, 1..3000),
            gaps in prop::collection::vec(0_u8..3, 3000),
            zoom in (0.0..0.9_f64, 0.01..1.0_f64),
            y_view in (-0.5..0.5_f64, 0.1..2.0_f64),
            log in (any::<bool>(), any::<bool>()),
            glyphs in prop_oneof![Just(Glyphs::Braille), Just(Glyphs::Blocks), Just(Glyphs::Ascii)],
        ) {
            let y: Series = random.iter().enumerate().map(|(i, &r)| value(kind, r, i)).collect();
            let mut at = 0.0;
            let x: Vec<f64> = gaps.iter().take(y.len()).map(|&gap| {
                at += f64::from(gap);
                at
            }).collect();
            let (low, high) = (at * zoom.0, at * (zoom.0 + zoom.1) + 1.0);
            let x_scale = if log.0 { Scale::log(low.max(0.5), high) } else { Scale::linear(low, high) };
            let (low, high) = (y_view.0, y_view.0 + y_view.1);
            let y_scale = if log.1 { Scale::log(low.max(1e-3), high) } else { Scale::linear(low, high) };
            both(&x, &y, &View { x: x_scale, y: y_scale }, glyphs);
        }
    }

    #[test]
    fn a_lone_value_between_two_nans_is_a_dot() {
        let y: Series = [f64::NAN, 1.0, f64::NAN].into_iter().collect();
        let view = View {
            x: Scale::linear(0.0, 2.0),
            y: Scale::linear(0.0, 2.0),
        };
        let mut raster = Raster::new(Glyphs::Braille, 5, 5);
        let marks = draw(&[0.0, 1.0, 2.0], &y, &view, &mut raster);
        let dots: u32 = raster.masks().iter().map(|mask| mask.count_ones()).sum();
        assert_eq!(dots, 1);
        assert_eq!(marks, [(0, Mark::NonFinite), (9, Mark::NonFinite)]);
    }

    #[test]
    fn the_line_from_a_point_left_of_the_view_is_drawn() {
        let y: Series = [0.0, 10.0].into_iter().collect();
        let view = View {
            x: Scale::linear(4.0, 6.0),
            y: Scale::linear(0.0, 10.0),
        };
        let mut raster = Raster::new(Glyphs::Braille, 5, 5);
        draw(&[0.0, 10.0], &y, &view, &mut raster);
        assert!(raster.masks().iter().any(|&mask| mask != 0));
    }
}
