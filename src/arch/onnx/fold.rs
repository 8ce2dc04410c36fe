//! Works out nodes that no image reaches: shape arithmetic, tables, parameters turned or cut.

use std::cell::Cell;

use super::constant::{Constant, MOST_COMPUTED};
use super::dims::{Cut, axis, bounded, broadcast, index, order, reshape_dims, shape_of};
use super::proto::NodeProto;
use super::stored::Stored;

/// Numbers that all constants of a file together may come to while being worked out.
const MOST_IN_ALL: usize = 1 << 24;

/// What folding needs beside the inputs.
pub(super) struct Folder<'a> {
    pub stored: &'a Stored,
    pub left: Cell<usize>,
}

/// What a node's folding came to: its outputs, or why it cannot be folded.
type Folded = Result<Vec<Constant>, String>;

impl<'a> Folder<'a> {
    pub fn new(stored: &'a Stored) -> Self {
        Self {
            stored,
            left: Cell::new(MOST_IN_ALL),
        }
    }

    /// Whether an operator of this name can be folded at all.
    pub fn knows(op: &str) -> bool {
        matches!(
            op,
            "Identity"
                | "Cast"
                | "CastLike"
                | "Reshape"
                | "Flatten"
                | "Squeeze"
                | "Unsqueeze"
                | "Transpose"
                | "Shape"
                | "Size"
                | "Gather"
                | "Slice"
                | "Concat"
                | "Split"
                | "Expand"
                | "Range"
                | "ConstantOfShape"
                | "Where"
                | "ScatterND"
                | "ReduceProd"
                | "Add"
                | "Sub"
                | "Mul"
                | "Div"
                | "Mod"
                | "Pow"
                | "Min"
                | "Max"
                | "Equal"
                | "Greater"
                | "Less"
                | "And"
                | "Or"
                | "Neg"
                | "Sqrt"
                | "Abs"
                | "Floor"
                | "Ceil"
                | "Not"
                | "Reciprocal"
                | "Exp"
                | "Tile"
                | "Dropout"
        )
    }

    /// The outputs of a node whose inputs are constants; an optional input that is left out is `None`.
    pub fn fold(&self, node: &NodeProto, inputs: &[Option<Constant>]) -> Folded {
        let input = |i: usize| {
            let given = inputs.get(i).and_then(Option::as_ref);
            given.ok_or_else(|| format!("its input {i} is missing"))
        };
        let one = |c: Constant| Ok(vec![c]);
        match node.op_type.as_str() {
            "Identity" | "Dropout" => one(input(0)?.clone()),
            "CastLike" => one(self.cast(input(0)?, input(1)?.integer)?),
            "Cast" => {
                let integer = super::constant::is_integer(node.int("to").unwrap_or(1) as i32);
                one(self.cast(input(0)?, integer)?)
            }
            "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => {
                let x = input(0)?;
                let dims = self.new_dims(node, x.shape(), inputs)?;
                one(x.reshaped(&dims, self.stored)?)
            }
            "Transpose" => {
                let x = input(0)?;
                one(x.transposed(&order(node, x.shape().len())?))
            }
            "Shape" => one(shape_of(node, input(0)?.shape())),
            "Size" => one(Constant::computed(
                Vec::new(),
                vec![input(0)?.len() as f64],
                true,
            )),
            "Gather" => one(self.gather(node, input(0)?, input(1)?)?),
            "Slice" => {
                let x = input(0)?;
                let mut cut = x.clone();
                for range in self.slices(node, x.shape(), inputs)? {
                    cut = cut.sliced(range.axis, range.start, range.step, range.count);
                }
                one(cut)
            }
            "Split" => {
                let x = input(0)?;
                let (axis, parts) = self.parts(node, x.shape(), inputs)?;
                let mut start = 0;
                let outputs = parts.into_iter().map(|count| {
                    start += count;
                    x.sliced(axis, start - count, 1, count)
                });
                Ok(outputs.collect())
            }
            "Concat" => one(self.concat(node, inputs)?),
            "Expand" => {
                let x = input(0)?;
                let wanted = self.dims(input(1)?)?;
                let shape = broadcast(x.shape(), &wanted)?;
                one(x.expanded(&shape).ok_or("the shape does not fit")?)
            }
            "ConstantOfShape" => {
                let shape = self.dims(input(0)?)?;
                // The value, a tensor of one element, was put beside the inputs.
                let value = inputs.get(1).and_then(Option::as_ref);
                let (number, integer) = match value {
                    Some(value) => (
                        value
                            .single(self.stored)
                            .ok_or("its value must be one number")?,
                        value.integer,
                    ),
                    None => (0.0, false),
                };
                one(Constant::filled(shape, number, integer))
            }
            "Range" => {
                let number = |i| -> Result<f64, String> {
                    let single = input(i)?.single(self.stored);
                    single.ok_or_else(|| "its bounds must be single numbers".to_owned())
                };
                let (start, limit, step) = (number(0)?, number(1)?, number(2)?);
                let count = ((limit - start) / step).ceil().max(0.0);
                if count.is_nan() || count > MOST_COMPUTED as f64 {
                    return Err("it has no end, or far too many elements".into());
                }
                let numbers: Vec<f64> = (0..count as usize)
                    .map(|i| start + i as f64 * step)
                    .collect();
                self.spend(numbers.len())?;
                one(Constant::computed(
                    vec![numbers.len()],
                    numbers,
                    input(0)?.integer,
                ))
            }
            "Where" => one(self.choose(input(0)?, input(1)?, input(2)?)?),
            "ScatterND" => one(self.scatter(input(0)?, input(1)?, input(2)?)?),
            "Tile" => {
                let repeats = self.dims(input(1)?)?;
                match input(0)? {
                    x if repeats.iter().all(|r| *r == 1) => one(x.clone()),
                    _ => Err("a table that is repeated cannot be taken over".into()),
                }
            }
            "ReduceProd" => {
                let numbers = self.numbers(input(0)?)?;
                let shape = vec![
                    1;
                    if node.int("keepdims") == Some(0) {
                        0
                    } else {
                        input(0)?.shape().len()
                    }
                ];
                one(Constant::computed(
                    shape,
                    vec![numbers.iter().product()],
                    input(0)?.integer,
                ))
            }
            op => {
                if let Some(f) = of_one(op) {
                    let x = input(0)?;
                    let numbers = self.numbers(x)?.into_iter().map(f).collect();
                    return one(Constant::computed(x.shape().to_vec(), numbers, x.integer));
                }
                let (a, b) = (input(0)?, input(1)?);
                let f = of_two(op, a.integer && b.integer, node.int("fmod") == Some(1))
                    .ok_or("it cannot be worked out ahead")?;
                one(self.pairwise(a, b, f, op)?)
            }
        }
    }

    /// Counts numbers that are about to be worked out.
    fn spend(&self, count: usize) -> Result<(), String> {
        let left = self.left.get().checked_sub(count);
        self.left
            .set(left.ok_or("the file's constants come to far too many numbers")?);
        Ok(())
    }

    fn numbers(&self, x: &Constant) -> Result<Vec<f64>, String> {
        self.spend(x.len().min(MOST_COMPUTED))?;
        x.numbers(self.stored)
    }

    /// A constant's numbers as lengths.
    pub fn dims(&self, x: &Constant) -> Result<Vec<usize>, String> {
        let length = |n: &f64| {
            let fits = *n >= 0.0 && *n <= f64::from(u32::MAX);
            fits.then_some(*n as usize)
        };
        let dims: Option<Vec<usize>> = self.numbers(x)?.iter().map(length).collect();
        bounded(dims.ok_or("a shape has an impossible length")?)
    }

    /// A constant's numbers as signed whole ones.
    pub fn whole(&self, x: &Constant) -> Result<Vec<i64>, String> {
        Ok(self.numbers(x)?.iter().map(|n| *n as i64).collect())
    }

    /// Whole numbers from the attribute `name` or the input `index`, wherever this opset has them.
    pub fn whole_from(
        &self,
        node: &NodeProto,
        name: &str,
        index: usize,
        inputs: &[Option<Constant>],
    ) -> Result<Option<Vec<i64>>, String> {
        if let Some(ints) = node.ints(name) {
            return Ok(Some(ints.to_vec()));
        }
        match inputs.get(index) {
            Some(Some(x)) => self.whole(x).map(Some),
            _ => Ok(None),
        }
    }

    fn cast(&self, x: &Constant, integer: bool) -> Result<Constant, String> {
        if integer && !x.integer {
            let numbers = self.numbers(x)?.iter().map(|v| v.trunc()).collect();
            return Ok(Constant::computed(x.shape().to_vec(), numbers, true));
        }
        Ok(Constant {
            integer,
            ..x.clone()
        })
    }

    /// The dimensions after a Reshape, Flatten, Squeeze or Unsqueeze of something of these.
    pub fn new_dims(
        &self,
        node: &NodeProto,
        dims: &[usize],
        inputs: &[Option<Constant>],
    ) -> Result<Vec<usize>, String> {
        match node.op_type.as_str() {
            "Flatten" => {
                let at = axis(node.int("axis").unwrap_or(1), dims.len() + 1)?;
                let count = |d: &[usize]| d.iter().product();
                Ok(vec![count(&dims[..at]), count(&dims[at..])])
            }
            "Reshape" => {
                let given = inputs.get(1).and_then(Option::as_ref);
                let wanted = self.whole(given.ok_or("its shape depends on the images")?)?;
                reshape_dims(dims, &wanted, node.int("allowzero") == Some(1))
            }
            "Squeeze" => {
                let axes = self.whole_from(node, "axes", 1, inputs)?;
                let axes = match axes {
                    Some(axes) => super::dims::axes(&axes, dims.len())?,
                    None => (0..dims.len()).filter(|i| dims[*i] == 1).collect(),
                };
                if axes.iter().any(|a| dims[*a] != 1) {
                    return Err("a dimension that goes must have length one".into());
                }
                let kept = dims.iter().enumerate().filter(|(i, _)| !axes.contains(i));
                Ok(kept.map(|(_, d)| *d).collect())
            }
            _ => {
                let axes = self.whole_from(node, "axes", 1, inputs)?;
                let axes = axes.ok_or("its axes are missing")?;
                let rank = dims.len() + axes.len();
                let axes = super::dims::axes(&axes, rank)?;
                let mut rest = dims.iter();
                let dims = (0..rank).map(|i| {
                    if axes.contains(&i) {
                        Some(1)
                    } else {
                        rest.next().copied()
                    }
                });
                let dims: Option<Vec<usize>> = dims.collect();
                dims.ok_or_else(|| "an axis comes twice".to_owned())
            }
        }
    }

    fn gather(
        &self,
        node: &NodeProto,
        x: &Constant,
        indices: &Constant,
    ) -> Result<Constant, String> {
        let at = axis(node.int("axis").unwrap_or(0), x.shape().len())?;
        let length = x.shape()[at];
        let chosen: Option<Vec<usize>> = self
            .whole(indices)?
            .iter()
            .map(|i| index(*i, length))
            .collect();
        let chosen = chosen.ok_or("an index lies outside")?;
        if let ([only], true) = (&chosen[..], indices.shape().is_empty()) {
            let cut = x.sliced(at, *only, 1, 1);
            let dims: Vec<usize> = (0..x.shape().len())
                .filter(|i| *i != at)
                .map(|i| x.shape()[i])
                .collect();
            return cut.reshaped(&dims, self.stored);
        }
        let [outer, inner]: [usize; 2] = [
            x.shape()[..at].iter().product(),
            x.shape()[at + 1..].iter().product(),
        ];
        let mut shape = x.shape()[..at].to_vec();
        shape.extend(indices.shape());
        shape.extend(&x.shape()[at + 1..]);
        let count = outer.saturating_mul(inner).saturating_mul(chosen.len());
        if count > MOST_COMPUTED {
            return Err("a table with too many elements would have to be worked out".into());
        }
        self.spend(count)?;
        let numbers = self.numbers(x)?;
        let mut taken = Vec::with_capacity(count);
        for o in 0..outer {
            for &i in &chosen {
                let start = (o * length + i) * inner;
                taken.extend(&numbers[start..start + inner]);
            }
        }
        Ok(Constant::computed(shape, taken, x.integer))
    }

    fn concat(&self, node: &NodeProto, inputs: &[Option<Constant>]) -> Result<Constant, String> {
        let parts: Vec<&Constant> = inputs.iter().flatten().collect();
        let first = parts.first().ok_or("it has no inputs")?;
        let at = axis(node.int("axis").unwrap_or(0), first.shape().len())?;
        let others = |c: &Constant| {
            let mut shape = c.shape().to_vec();
            if let Some(dim) = shape.get_mut(at) {
                *dim = 0;
            }
            shape
        };
        if parts.iter().any(|p| others(p) != others(first)) {
            return Err("its parts have different shapes".into());
        }
        let outer: usize = first.shape()[..at].iter().product();
        let mut all = Vec::new();
        for part in &parts {
            all.push(self.numbers(part)?);
        }
        let mut numbers = Vec::new();
        for o in 0..outer {
            for values in &all {
                let run = values.len() / outer.max(1);
                numbers.extend(&values[o * run..(o + 1) * run]);
            }
        }
        self.spend(numbers.len())?;
        let mut shape = first.shape().to_vec();
        shape[at] = parts.iter().map(|p| p.shape()[at]).sum();
        Ok(Constant::computed(shape, numbers, first.integer))
    }

    fn choose(&self, which: &Constant, a: &Constant, b: &Constant) -> Result<Constant, String> {
        let shape = broadcast(&broadcast(which.shape(), a.shape())?, b.shape())?;
        let over = |c: &Constant| {
            let wide = c.expanded(&shape).ok_or("the shapes do not fit")?;
            self.numbers(&wide)
        };
        let (which, yes, no) = (over(which)?, over(a)?, over(b)?);
        let pairs = which.iter().zip(yes.iter().zip(&no));
        let numbers = pairs.map(|(w, (y, n))| if *w == 0.0 { *n } else { *y });
        Ok(Constant::computed(
            shape,
            numbers.collect(),
            a.integer && b.integer,
        ))
    }

    fn scatter(&self, x: &Constant, at: &Constant, updates: &Constant) -> Result<Constant, String> {
        let mut numbers = self.numbers(x)?;
        let depth = at.shape().last().copied().unwrap_or(0);
        let rank = x.shape().len();
        if depth == 0 || depth > rank {
            return Err("its indices do not fit".into());
        }
        let run: usize = x.shape()[depth..].iter().product();
        let (at, updates) = (self.whole(at)?, self.numbers(updates)?);
        if at.len() / depth * run != updates.len() {
            return Err("there are not as many updates as indices".into());
        }
        for (i, place) in at.chunks_exact(depth).enumerate() {
            let mut start = 0;
            for (&n, &length) in place.iter().zip(x.shape()) {
                start = start * length + index(n, length).ok_or("an index lies outside")?;
            }
            let target = numbers.get_mut(start * run..(start + 1) * run);
            let target = target.ok_or("an index lies outside")?;
            target.copy_from_slice(&updates[i * run..(i + 1) * run]);
        }
        Ok(Constant::computed(x.shape().to_vec(), numbers, x.integer))
    }

    pub fn pairwise(
        &self,
        a: &Constant,
        b: &Constant,
        f: impl Fn(f64, f64) -> f64,
        op: &str,
    ) -> Result<Constant, String> {
        let shape = broadcast(a.shape(), b.shape())?;
        let over = |c: &Constant| {
            let wide = c.expanded(&shape).ok_or("the shapes do not fit")?;
            self.numbers(&wide)
        };
        let (x, y) = (over(a)?, over(b)?);
        let numbers = x.iter().zip(&y).map(|(x, y)| f(*x, *y)).collect();
        let truth = matches!(op, "Equal" | "Greater" | "Less" | "And" | "Or");
        Ok(Constant::computed(
            shape,
            numbers,
            truth || a.integer && b.integer,
        ))
    }

    /// What a Slice takes of something of these dimensions.
    pub fn slices(
        &self,
        node: &NodeProto,
        dims: &[usize],
        inputs: &[Option<Constant>],
    ) -> Result<Vec<Cut>, String> {
        let from = |name: &str, i: usize| self.whole_from(node, name, i, inputs);
        let starts = from("starts", 1)?.ok_or("its starts depend on the images")?;
        let ends = from("ends", 2)?.ok_or("its ends depend on the images")?;
        let axes = match from("axes", 3)? {
            Some(axes) => axes,
            None => (0..starts.len() as i64).collect(),
        };
        let steps = from("steps", 4)?.unwrap_or_else(|| vec![1; starts.len()]);
        if ends.len() != starts.len() || axes.len() != starts.len() || steps.len() != starts.len() {
            return Err("starts, ends, axes and steps are not equally many".into());
        }
        let axes = super::dims::axes(&axes, dims.len())?;
        let cuts = (0..starts.len())
            .map(|i| Cut::of(axes[i], dims[axes[i]], starts[i], ends[i], steps[i]));
        cuts.collect()
    }

    /// Axis and lengths of what a Split makes of something of these dimensions.
    pub fn parts(
        &self,
        node: &NodeProto,
        dims: &[usize],
        inputs: &[Option<Constant>],
    ) -> Result<(usize, Vec<usize>), String> {
        let at = axis(node.int("axis").unwrap_or(0), dims.len())?;
        let length = dims[at];
        let given = self.whole_from(node, "split", 1, inputs)?;
        let parts = match given {
            Some(parts) => {
                let lengths: Option<Vec<usize>> = parts
                    .iter()
                    .map(|n| usize::try_from(*n).ok().filter(|n| *n <= length))
                    .collect();
                lengths.ok_or("a part has an impossible length")?
            }
            None => {
                let count = node
                    .int("num_outputs")
                    .map_or(node.output.len(), |n| n.max(0) as usize);
                if count == 0 || count > length {
                    return Err("there are more parts than elements".into());
                }
                let each = length.div_ceil(count);
                let mut parts = vec![each; count];
                parts[count - 1] = length.saturating_sub(each * (count - 1));
                parts
            }
        };
        if parts.iter().sum::<usize>() == length && parts.len() >= node.output.len() {
            Ok((at, parts))
        } else {
            Err("its parts do not come to the whole".into())
        }
    }
}

fn of_one(op: &str) -> Option<fn(f64) -> f64> {
    Some(match op {
        "Neg" => |x| -x,
        "Sqrt" => f64::sqrt,
        "Abs" => f64::abs,
        "Floor" => f64::floor,
        "Ceil" => f64::ceil,
        "Exp" => f64::exp,
        "Reciprocal" => |x| 1.0 / x,
        "Not" => |x| f64::from(u8::from(x == 0.0)),
        _ => return None,
    })
}

fn of_two(op: &str, integer: bool, fmod: bool) -> Option<fn(f64, f64) -> f64> {
    let truth: fn(f64, f64) -> f64 = match op {
        "Equal" => |x, y| f64::from(u8::from(x == y)),
        "Greater" => |x, y| f64::from(u8::from(x > y)),
        "Less" => |x, y| f64::from(u8::from(x < y)),
        "And" => |x, y| f64::from(u8::from(x != 0.0 && y != 0.0)),
        "Or" => |x, y| f64::from(u8::from(x != 0.0 || y != 0.0)),
        "Add" => |x, y| x + y,
        "Sub" => |x, y| x - y,
        "Mul" => |x, y| x * y,
        // Whole numbers divide towards zero.
        "Div" if integer => |x, y| (x / y).trunc(),
        "Div" => |x, y| x / y,
        "Mod" if fmod => |x, y| x % y,
        "Mod" => |x, y| x - y * (x / y).floor(),
        "Pow" => f64::powf,
        "Min" => f64::min,
        "Max" => f64::max,
        _ => return None,
    };
    Some(truth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arithmetic_of_shapes_is_that_of_whole_numbers() {
        let f = |op, x: f64, y: f64| of_two(op, true, false).unwrap()(x, y);
        assert_eq!(f("Div", 7.0, 2.0), 3.0);
        assert_eq!(f("Div", -7.0, 2.0), -3.0);
        assert_eq!(f("Mod", -7.0, 4.0), 1.0);
        assert_eq!(broadcast(&[2, 1], &[3]), Ok(vec![2, 3]));
        assert!(broadcast(&[2], &[3]).is_err());
    }
}
