//! A column of values with a pyramid of reductions over it.

use std::ops::Range;

/// Points in a bucket of the first level, and buckets in a bucket of the next.
const FACTOR: usize = 8;

/// What is known of one bucket of neighbouring points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bucket {
    /// First and last value in order. Meant only for buckets without non-finite values.
    pub first: f32,
    pub last: f32,
    /// Bounds of the finite values; `min > max` if there are none.
    pub min: f32,
    pub max: f32,
    /// Points.
    pub count: u32,
    /// NaN or infinite.
    pub non_finite: u32,
    /// Finite and at or below zero.
    pub non_positive: u32,
}

impl Bucket {
    pub fn of(value: f32) -> Self {
        let finite = value.is_finite();
        Self {
            first: value,
            last: value,
            min: if finite { value } else { f32::INFINITY },
            max: if finite { value } else { f32::NEG_INFINITY },
            count: 1,
            non_finite: u32::from(!finite),
            non_positive: u32::from(finite && value <= 0.0),
        }
    }

    fn append(&mut self, next: &Self) {
        self.last = next.last;
        self.min = self.min.min(next.min);
        self.max = self.max.max(next.max);
        self.count += next.count;
        self.non_finite += next.non_finite;
        self.non_positive += next.non_positive;
    }
}

/// Values in the order of their points.
///
/// They are held as `f32`, which is what training computes in; a finite value stays finite and a positive
/// one positive. Over them lies a pyramid: level 1 reduces 8 points to first, minimum, maximum, last and
/// counts, level 2 reduces 8 of those, and so on. Appending a point touches one bucket per level.
#[derive(Clone, Debug, Default)]
pub struct Series {
    values: Vec<f32>,
    /// `levels[0]` reduces points, `levels[1]` reduces `levels[0]`. The last bucket may be partial.
    levels: Vec<Vec<Bucket>>,
    non_finite: usize,
}

impl Series {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a value; NaN and infinities are kept as such.
    pub fn push(&mut self, value: f64) {
        let value = narrow(value);
        let bucket = Bucket::of(value);
        self.non_finite += bucket.non_finite as usize;
        let mut index = self.values.len();
        self.values.push(value);
        for level in &mut self.levels {
            index /= FACTOR;
            match level.get_mut(index) {
                Some(open) => open.append(&bucket),
                None => level.push(bucket),
            }
        }
        self.grow();
    }

    /// Adds a level once the highest one has a whole bucket's worth of entries.
    fn grow(&mut self) {
        let top = match self.levels.last() {
            Some(level) if level.len() < FACTOR => return,
            Some(level) => collect(level.iter().copied()),
            None if self.values.len() < FACTOR => return,
            None => collect(self.values.iter().map(|&value| Bucket::of(value))),
        };
        self.levels.push(top);
    }

    /// Forgets all points from number `len` on.
    pub fn truncate(&mut self, len: usize) {
        if len >= self.values.len() {
            return;
        }
        self.values.truncate(len);
        let keep = len / FACTOR * FACTOR;
        let tail = self.values.split_off(keep);
        let mut whole = keep;
        for level in &mut self.levels {
            whole /= FACTOR;
            level.truncate(whole);
        }
        // Buckets of higher levels were cut back to whole ones; what they lack is in the level below.
        for number in 1..self.levels.len() {
            let (below, above) = self.levels.split_at_mut(number);
            let missing = above[0].len() * FACTOR..below[number - 1].len();
            above[0].extend(collect(below[number - 1][missing].iter().copied()));
        }
        self.levels.retain(|level| !level.is_empty());
        self.non_finite = self
            .values
            .iter()
            .filter(|value| !value.is_finite())
            .count();
        for value in tail {
            self.push(f64::from(value));
        }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// How many values are NaN or infinite.
    #[must_use]
    pub fn non_finite(&self) -> usize {
        self.non_finite
    }

    /// Bounds of the finite values in a range of points; with `Positive`, of those above zero.
    #[must_use]
    pub fn bounds(&self, range: Range<usize>, which: Values) -> Option<(f64, f64)> {
        let (mut min, mut max) = (f32::INFINITY, f32::NEG_INFINITY);
        let whole = |bucket: &Bucket| which == Values::Finite || bucket.is_one_sided();
        self.cover(range, whole, |bucket, _| {
            if which == Values::Finite || bucket.min > 0.0 {
                min = min.min(bucket.min);
                max = max.max(bucket.max);
            }
        });
        (min <= max).then(|| (f64::from(min), f64::from(max)))
    }

    /// How many points of a range are non-finite, and how many are finite but not above zero.
    #[must_use]
    pub fn without_place(&self, range: Range<usize>) -> (usize, usize) {
        let (mut non_finite, mut non_positive) = (0, 0);
        self.cover(
            range,
            |_| true,
            |bucket, _| {
                non_finite += bucket.non_finite as usize;
                non_positive += bucket.non_positive as usize;
            },
        );
        (non_finite, non_positive)
    }

    /// How many finite values of a range lie below `low` or above `high`.
    #[must_use]
    pub fn outside(&self, range: Range<usize>, low: f64, high: f64) -> usize {
        let mut count = 0;
        let beyond = |bucket: &Bucket| {
            f64::from(bucket.max) < low || f64::from(bucket.min) > high || bucket.min > bucket.max
        };
        let within =
            |bucket: &Bucket| f64::from(bucket.min) >= low && f64::from(bucket.max) <= high;
        let decided = |bucket: &Bucket| beyond(bucket) || within(bucket);
        self.cover(range, decided, |bucket, _| {
            if beyond(bucket) {
                count += (bucket.count - bucket.non_finite) as usize;
            }
        });
        count
    }

    /// Visits a range in order by the largest buckets that lie inside it and that `whole` accepts, and by
    /// single points where it accepts none. The second argument is the range of points of the bucket.
    pub(super) fn cover(
        &self,
        range: Range<usize>,
        whole: impl Fn(&Bucket) -> bool,
        mut visit: impl FnMut(&Bucket, Range<usize>),
    ) {
        let end = range.end.min(self.values.len());
        let mut at = range.start;
        while at < end {
            let (bucket, size) = self.largest(at, end, &whole);
            visit(&bucket, at..at + size);
            at += size;
        }
    }

    /// The largest accepted bucket that starts at `at` and ends by `end`, and how many points it holds.
    fn largest(&self, at: usize, end: usize, whole: impl Fn(&Bucket) -> bool) -> (Bucket, usize) {
        let mut best = (Bucket::of(self.values[at]), 1);
        let mut size = FACTOR;
        for level in &self.levels {
            if !at.is_multiple_of(size) || at + size > end {
                break;
            }
            let bucket = level[at / size];
            if whole(&bucket) {
                best = (bucket, size);
            }
            size *= FACTOR;
        }
        best
    }
}

/// Which values count for [`Series::bounds`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    Finite,
    Positive,
}

impl Bucket {
    /// Whether all finite values are above zero, or none is.
    fn is_one_sided(&self) -> bool {
        self.non_positive == 0 || self.non_positive + self.non_finite == self.count
    }

    /// Whether every point can be drawn on an axis, so that the bucket stands for an unbroken line.
    pub fn is_unbroken(&self, log: bool) -> bool {
        self.non_finite == 0 && (!log || self.non_positive == 0)
    }

    /// Whether no point can be drawn on an axis, all for one and the same reason.
    pub fn is_absent(&self, log: bool) -> bool {
        self.non_finite == self.count || (log && self.non_positive == self.count)
    }
}

fn collect(entries: impl Iterator<Item = Bucket>) -> Vec<Bucket> {
    let mut level: Vec<Bucket> = Vec::new();
    for (index, entry) in entries.enumerate() {
        match level.last_mut() {
            Some(open) if index % FACTOR != 0 => open.append(&entry),
            _ => level.push(entry),
        }
    }
    level
}

/// To `f32` without turning a finite value into infinity or a positive one into zero.
fn narrow(value: f64) -> f32 {
    let narrow = value as f32;
    if value.is_finite() && !narrow.is_finite() {
        return f32::MAX.copysign(narrow);
    }
    if value > 0.0 && narrow == 0.0 {
        return f32::from_bits(1);
    }
    narrow
}

impl FromIterator<f64> for Series {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut series = Self::new();
        series.extend(values);
        series
    }
}

impl Extend<f64> for Series {
    fn extend<I: IntoIterator<Item = f64>>(&mut self, values: I) {
        values.into_iter().for_each(|value| self.push(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_value() -> impl Strategy<Value = f64> {
        prop_oneof![
            8 => -10.0..10.0,
            1 => Just(f64::NAN),
            1 => Just(f64::INFINITY),
            1 => Just(0.0),
        ]
    }

    proptest! {
        #[test]
        fn answers_from_the_pyramid_are_those_of_a_scan(
            values in prop::collection::vec(any_value(), 0..700),
            a in 0_usize..700, b in 0_usize..700, low in -10.0..0.0, high in 0.0..10.0,
        ) {
            let series: Series = values.iter().copied().collect();
            let range = a.min(b)..a.max(b).min(values.len());
            let scan: Vec<f64> = values.get(range.clone()).unwrap_or_default()
                .iter().map(|&v| f64::from(v as f32)).collect();
            let finite = || scan.iter().copied().filter(|v| v.is_finite());
            let bounds = |values: &mut dyn Iterator<Item = f64>| values
                .map(|v| (v, v)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
            prop_assert_eq!(series.bounds(range.clone(), Values::Finite), bounds(&mut finite()));
            prop_assert_eq!(series.bounds(range.clone(), Values::Positive),
                bounds(&mut finite().filter(|&v| v > 0.0)));
            prop_assert_eq!(series.outside(range.clone(), low, high),
                finite().filter(|&v| v < low || v > high).count());
            prop_assert_eq!(series.without_place(range),
                (scan.len() - finite().count(), finite().filter(|&v| v <= 0.0).count()));
        }

        #[test]
        fn truncating_leaves_what_pushing_fewer_points_makes(
            values in prop::collection::vec(any_value(), 0..700), keep in 0_usize..700,
        ) {
            let mut cut: Series = values.iter().copied().collect();
            cut.truncate(keep);
            let short: Series = values.iter().copied().take(keep).collect();
            prop_assert_eq!(cut.len(), short.len());
            prop_assert_eq!(cut.non_finite(), short.non_finite());
            for (a, b) in cut.levels.iter().zip(&short.levels) {
                prop_assert_eq!(format!("{a:?}"), format!("{b:?}"));
            }
        }
    }

    #[test]
    fn a_million_points_are_covered_by_few_buckets() {
        let series: Series = (0..1_000_000).map(f64::from).collect();
        let mut visited = 0;
        series.cover(3..999_999, |_| true, |_, _| visited += 1);
        assert!(visited < 100, "{visited} buckets");
    }

    #[test]
    fn finite_values_stay_finite_and_positive_ones_positive() {
        let series: Series = [1e300, -1e300, 1e-300].into_iter().collect();
        assert_eq!(series.non_finite(), 0);
        assert!(series.values()[2] > 0.0);
    }
}
