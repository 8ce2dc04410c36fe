//! Works out nodes that no image reaches: shape arithmetic, tables, parameters turned or cut.

mod arithmetic;
mod moved;
mod sizes;

use std::cell::Cell;

use super::constant::{Constant, MOST_COMPUTED};
use super::dims::{broadcast, order, shape_of};
use super::proto::NodeProto;
use super::stored::Stored;
use arithmetic::{of_one, of_two};

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
}
