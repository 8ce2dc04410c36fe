//! Values of a graph that no image reaches: parameters, and the numbers that shapes are worked out with.
//!
//! A constant is a view of numbers that lie elsewhere. Parameters are turned, cut and stretched without
//! being read; only small constants are ever looked at.

use std::sync::Arc;

use super::proto::DataType;
use super::stored::Stored;

/// Most elements of a constant that is worked out while reading the graph. Masks and biases of windowed
/// attention have some hundred thousand; parameters stay where they are.
pub(super) const MOST_COMPUTED: usize = 1 << 20;

/// Most elements of any constant, worked out or not: beyond, no machine could run the network.
pub(super) const MOST_ELEMENTS: usize = 1 << 31;

/// Where numbers lie.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// In a tensor of the file, by its place in [`Stored`].
    Stored(usize),
    /// The same number everywhere.
    Filled(f64),
    /// Worked out from other constants.
    Computed(Arc<Vec<f64>>),
}

/// Which elements of a source make a tensor: element `[i, j, ..]` is number
/// `offset + i * steps[0] + j * steps[1] + ..` of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    pub shape: Vec<usize>,
    pub steps: Vec<isize>,
    pub offset: usize,
}

impl View {
    /// All elements, row-major.
    pub(super) fn whole(shape: Vec<usize>) -> Self {
        let mut steps = vec![1_isize; shape.len()];
        for i in (1..shape.len()).rev() {
            steps[i - 1] = steps[i].saturating_mul(shape[i] as isize);
        }
        Self {
            shape,
            steps,
            offset: 0,
        }
    }

    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether a dimension is zero.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// The place of every element in the source, row-major.
    pub fn places(&self) -> impl Iterator<Item = usize> + '_ {
        let mut index = vec![0; self.shape.len()];
        let mut at = self.offset as isize;
        (0..self.len()).map(move |_| {
            let place = at as usize;
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                at += self.steps[axis];
                if index[axis] < self.shape[axis] {
                    break;
                }
                at -= self.steps[axis] * self.shape[axis] as isize;
                index[axis] = 0;
            }
            place
        })
    }

    /// The same elements in another shape, if they lie evenly enough.
    fn reshaped(&self, shape: &[usize]) -> Option<Self> {
        if self.is_whole() {
            return Some(Self {
                offset: self.offset,
                ..Self::whole(shape.to_vec())
            });
        }
        // Otherwise only dimensions of one may come and go.
        let wide = |s: &[usize]| s.iter().copied().filter(|d| *d != 1).collect::<Vec<_>>();
        if wide(&self.shape) != wide(shape) {
            return None;
        }
        let axes = self.shape.iter().zip(&self.steps);
        let mut steps = axes.filter(|(d, _)| **d != 1).map(|(_, s)| *s);
        let steps = shape.iter().map(|d| match d {
            1 => 0,
            _ => steps.next().unwrap_or_default(),
        });
        Some(Self {
            shape: shape.to_vec(),
            steps: steps.collect(),
            offset: self.offset,
        })
    }

    /// Whether the elements follow each other without gaps.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let mut step = 1;
        let axes = self.shape.iter().zip(&self.steps).rev();
        for (&dim, &have) in axes.filter(|(d, _)| **d != 1) {
            if have != step {
                return false;
            }
            step *= dim as isize;
        }
        true
    }
}

/// A constant of the graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    pub source: Source,
    pub view: View,
    /// Whether its elements are whole numbers or truth values, which divide differently.
    pub integer: bool,
    /// What the file calls it, or what it is a view of.
    pub name: Option<Arc<str>>,
}

impl Constant {
    pub(super) fn computed(shape: Vec<usize>, numbers: Vec<f64>, integer: bool) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), numbers.len());
        Self {
            source: Source::Computed(Arc::new(numbers)),
            view: View::whole(shape),
            integer,
            name: None,
        }
    }

    pub(super) fn filled(shape: Vec<usize>, value: f64, integer: bool) -> Self {
        Self {
            source: Source::Filled(value),
            view: View::whole(shape),
            integer,
            name: None,
        }
    }

    /// The same, called `name` unless it has one.
    pub(super) fn called(mut self, name: &str) -> Self {
        self.name.get_or_insert_with(|| name.into());
        self
    }

    pub(super) fn shape(&self) -> &[usize] {
        &self.view.shape
    }

    pub(super) fn len(&self) -> usize {
        self.view.len()
    }

    /// The numbers themselves, row-major.
    pub(super) fn numbers(&self, stored: &Stored) -> Result<Vec<f64>, String> {
        if self.len() > MOST_COMPUTED {
            return Err(format!(
                "a constant of {} elements would have to be worked out; {MOST_COMPUTED} at most are",
                self.len()
            ));
        }
        match &self.source {
            Source::Filled(value) => Ok(vec![*value; self.len()]),
            Source::Computed(all) => Ok(self.view.places().map(|i| all[i]).collect()),
            Source::Stored(index) => {
                let all = stored.numbers(*index)?;
                Ok(self.view.places().map(|i| all[i]).collect())
            }
        }
    }

    /// The only number of a constant that has one.
    pub(super) fn single(&self, stored: &Stored) -> Option<f64> {
        if self.len() != 1 {
            return None;
        }
        self.numbers(stored).ok()?.first().copied()
    }

    pub(super) fn reshaped(&self, shape: &[usize], stored: &Stored) -> Result<Self, String> {
        if let Source::Filled(value) = self.source {
            return Ok(Self {
                name: self.name.clone(),
                ..Self::filled(shape.to_vec(), value, self.integer)
            });
        }
        if let Some(view) = self.view.reshaped(shape) {
            return Ok(Self {
                view,
                ..self.clone()
            });
        }
        Ok(Self {
            name: self.name.clone(),
            ..Self::computed(shape.to_vec(), self.numbers(stored)?, self.integer)
        })
    }

    pub(super) fn transposed(&self, order: &[usize]) -> Self {
        let view = View {
            shape: order.iter().map(|a| self.view.shape[*a]).collect(),
            steps: order.iter().map(|a| self.view.steps[*a]).collect(),
            offset: self.view.offset,
        };
        Self {
            view,
            ..self.clone()
        }
    }

    /// `count` elements along `axis`, from `start` on, every `step`-th; they must exist.
    pub(super) fn sliced(&self, axis: usize, start: usize, step: isize, count: usize) -> Self {
        let mut view = self.view.clone();
        // With no element left there is none to begin at.
        if count > 0 {
            let begin = view.offset as isize + view.steps[axis] * start as isize;
            view.offset = begin as usize;
        }
        // One element has no next one, and an absurd step must not be multiplied.
        if count > 1 {
            view.steps[axis] *= step;
        }
        view.shape[axis] = count;
        Self {
            view,
            ..self.clone()
        }
    }

    /// Repeated along axes of length one and along new ones in front; `None` if it does not fit.
    pub(super) fn expanded(&self, shape: &[usize]) -> Option<Self> {
        let front = shape.len().checked_sub(self.view.shape.len())?;
        let mut steps = vec![0; shape.len()];
        for (i, (&have, &step)) in self.view.shape.iter().zip(&self.view.steps).enumerate() {
            match (have, shape[front + i]) {
                (have, want) if have == want => steps[front + i] = step,
                (1, _) => {}
                _ => return None,
            }
        }
        Some(Self {
            view: View {
                shape: shape.to_vec(),
                steps,
                offset: self.view.offset,
            },
            ..self.clone()
        })
    }
}

/// Whether elements of this type are whole numbers or truth values.
pub(super) fn is_integer(element: i32) -> bool {
    !matches!(
        DataType::try_from(element),
        Ok(DataType::Float | DataType::Double | DataType::Float16 | DataType::Bfloat16)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count_up(shape: &[usize]) -> Constant {
        let numbers = (0..shape.iter().product::<usize>()).map(|i| i as f64);
        Constant::computed(shape.to_vec(), numbers.collect(), false)
    }

    #[test]
    fn views_read_the_elements_that_copies_would_have() {
        let none = Stored::default();
        let x = count_up(&[2, 3]);
        assert_eq!(
            x.transposed(&[1, 0]).numbers(&none),
            Ok(vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0])
        );
        assert_eq!(
            x.sliced(1, 2, -2, 2).numbers(&none),
            Ok(vec![2.0, 0.0, 5.0, 3.0])
        );
        let row = x.sliced(0, 1, 1, 1);
        assert_eq!(
            row.reshaped(&[3, 1], &none).unwrap().numbers(&none),
            Ok(vec![3.0, 4.0, 5.0])
        );
        let turned = x.transposed(&[1, 0]).reshaped(&[6], &none).unwrap();
        assert_eq!(
            turned.numbers(&none),
            Ok(vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0])
        );
        assert!(!x.transposed(&[1, 0]).view.is_whole() && x.view.is_whole());
    }

    #[test]
    fn constants_are_repeated_only_where_they_fit() {
        let none = Stored::default();
        let x = count_up(&[3, 1]);
        let wide = x.expanded(&[2, 3, 2]).unwrap();
        assert_eq!(
            wide.numbers(&none).unwrap()[..6],
            [0.0, 0.0, 1.0, 1.0, 2.0, 2.0]
        );
        assert_eq!(x.expanded(&[2, 2]), None);
        assert_eq!(x.expanded(&[3]), None);
    }
}
