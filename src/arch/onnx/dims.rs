//! Arithmetic of shapes: axes, slices, what fits into what.

use super::constant::{Constant, MOST_ELEMENTS};
use super::proto::NodeProto;

/// What is taken along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub axis: usize,
    pub start: usize,
    pub step: isize,
    pub count: usize,
}

impl Cut {
    pub fn of(axis: usize, length: usize, start: i64, end: i64, step: i64) -> Result<Self, String> {
        if step == 0 {
            return Err("a step is zero".into());
        }
        let length = length as i128;
        let (start, end, step) = (i128::from(start), i128::from(end), i128::from(step));
        let from_end = |n: i128| if n < 0 { n + length } else { n };
        let (low, high) = if step > 0 {
            (0, length)
        } else {
            (-1, length - 1)
        };
        let start = from_end(start).clamp(low.max(0), high.max(0));
        let end = from_end(end).clamp(low, high);
        let span = if step > 0 { end - start } else { start - end };
        let count = if span <= 0 {
            0
        } else {
            (span - 1) / step.abs() + 1
        };
        Ok(Self {
            axis,
            start: start as usize,
            // A longer step than the axis takes its first element only.
            step: step.clamp(-length.max(1), length.max(1)) as isize,
            count: count as usize,
        })
    }
}

/// The order of a Transpose; without one the dimensions are reversed.
pub(super) fn order(node: &NodeProto, rank: usize) -> Result<Vec<usize>, String> {
    let Some(perm) = node.ints("perm") else {
        return Ok((0..rank).rev().collect());
    };
    let order = axes(perm, rank)?;
    let mut seen = vec![false; rank];
    order.iter().for_each(|a| seen[*a] = true);
    if order.len() == rank && seen.iter().all(|s| *s) {
        Ok(order)
    } else {
        Err("its perm is no permutation of the dimensions".into())
    }
}

pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, String> {
    index(axis, rank).ok_or_else(|| format!("there is no axis {axis} of {rank}"))
}

pub(super) fn axes(list: &[i64], rank: usize) -> Result<Vec<usize>, String> {
    list.iter().map(|a| axis(*a, rank)).collect()
}

/// An index that may be counted from the end.
pub(super) fn index(index: i64, length: usize) -> Option<usize> {
    let at = if index < 0 {
        index.checked_add(length as i64)?
    } else {
        index
    };
    usize::try_from(at).ok().filter(|i| *i < length)
}

/// The lengths that a Shape node gives, a part of them if it asks for one.
pub(super) fn shape_of(node: &NodeProto, dims: &[usize]) -> Constant {
    let rank = dims.len() as i64;
    let bound = |name: &str, otherwise: i64| {
        let n = node.int(name).unwrap_or(otherwise);
        (if n < 0 { n.saturating_add(rank) } else { n }).clamp(0, rank) as usize
    };
    let (start, end) = (bound("start", 0), bound("end", rank));
    let taken = &dims[start.min(end)..end];
    let numbers = taken.iter().map(|d| *d as f64).collect();
    Constant::computed(vec![taken.len()], numbers, true)
}

/// The shape that a Reshape asks for, its open length filled in.
pub(super) fn reshape_dims(
    dims: &[usize],
    wanted: &[i64],
    zero_is_zero: bool,
) -> Result<Vec<usize>, String> {
    let count: usize = dims.iter().product();
    let mut open = None;
    let mut new = Vec::with_capacity(wanted.len());
    for (i, &want) in wanted.iter().enumerate() {
        new.push(match want {
            -1 if open.is_none() => {
                open = Some(i);
                1
            }
            0 if !zero_is_zero => *dims
                .get(i)
                .ok_or("a zero in its shape has no dimension to copy")?,
            n => usize::try_from(n).map_err(|_| format!("its shape has the length {n}"))?,
        });
    }
    let mut new = bounded(new)?;
    let product: usize = new.iter().product();
    if let Some(open) = open {
        if product == 0 || !count.is_multiple_of(product) {
            return Err(format!("{count} elements do not fill the shape {wanted:?}"));
        }
        new[open] = count / product;
    } else if product != count {
        return Err(format!("{count} elements do not fill the shape {wanted:?}"));
    }
    Ok(new)
}

/// The shape of two that are stretched to each other.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    let rank = a.len().max(b.len());
    let dim = |s: &[usize], i: usize| (i + s.len()).checked_sub(rank).map_or(1, |j| s[j]);
    let dims = (0..rank).map(|i| match (dim(a, i), dim(b, i)) {
        (x, y) if x == y => Some(x),
        (1, y) => Some(y),
        (x, 1) => Some(x),
        _ => None,
    });
    let dims: Option<Vec<usize>> = dims.collect();
    bounded(dims.ok_or_else(|| format!("the shapes {a:?} and {b:?} do not fit"))?)
}

/// The dimensions, if no product of some of them is beyond all measure.
pub(super) fn bounded(dims: Vec<usize>) -> Result<Vec<usize>, String> {
    let most = dims
        .iter()
        .try_fold(1_usize, |n, d| n.checked_mul((*d).max(1)));
    match most {
        Some(n) if n <= MOST_ELEMENTS => Ok(dims),
        _ => Err("a shape has far too many elements".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_those_of_python() {
        let cut = |start, end, step| {
            let cut = Cut::of(0, 5, start, end, step).unwrap();
            (cut.start, cut.step, cut.count)
        };
        assert_eq!(cut(0, i64::MAX, 2), (0, 2, 3));
        assert_eq!(cut(-2, 5, 1), (3, 1, 2));
        assert_eq!(cut(3, 1, 1), (3, 1, 0));
        assert_eq!(cut(-1, i64::MIN, -1), (4, -1, 5));
        assert_eq!(cut(0, i64::MAX, i64::MAX), (0, 5, 1));
        assert!(Cut::of(0, 5, 0, 5, 0).is_err());
    }

    #[test]
    fn reshapes_fill_in_what_is_left_open() {
        assert_eq!(reshape_dims(&[2, 3, 4], &[0, -1], false), Ok(vec![2, 12]));
        assert_eq!(reshape_dims(&[1, 6], &[2, 3], true), Ok(vec![2, 3]));
        for wanted in [&[5, -1][..], &[-1, -1], &[7], &[0, 0, 0, 0], &[-2]] {
            assert!(
                reshape_dims(&[2, 3, 4], wanted, false).is_err(),
                "{wanted:?}"
            );
        }
        assert!(reshape_dims(&[1], &[1 << 40, 1 << 40], false).is_err());
    }
}
