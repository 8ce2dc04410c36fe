//! What constants say of sizes: dimensions after an operator, what a slice takes, how a split parts.

use super::super::constant::Constant;
use super::super::dims::{self, Cut, axis, bounded, reshape_dims};
use super::super::proto::NodeProto;
use super::Folder;

impl Folder<'_> {
    /// A constant's numbers as lengths.
    pub(in crate::arch::onnx) fn dims(&self, x: &Constant) -> Result<Vec<usize>, String> {
        let length = |n: &f64| {
            let fits = *n >= 0.0 && *n <= f64::from(u32::MAX);
            fits.then_some(*n as usize)
        };
        let dims: Option<Vec<usize>> = self.numbers(x)?.iter().map(length).collect();
        bounded(dims.ok_or("a shape has an impossible length")?)
    }

    /// A constant's numbers as signed whole ones.
    pub(in crate::arch::onnx) fn whole(&self, x: &Constant) -> Result<Vec<i64>, String> {
        Ok(self.numbers(x)?.iter().map(|n| *n as i64).collect())
    }

    /// Whole numbers from the attribute `name` or the input `index`, wherever this opset has them.
    pub(in crate::arch::onnx) fn whole_from(
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

    /// The dimensions after a Reshape, Flatten, Squeeze or Unsqueeze of something of these.
    pub(in crate::arch::onnx) fn new_dims(
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
                    Some(axes) => dims::axes(&axes, dims.len())?,
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
                let axes = dims::axes(&axes, rank)?;
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

    /// What a Slice takes of something of these dimensions.
    pub(in crate::arch::onnx) fn slices(
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
        let axes = dims::axes(&axes, dims.len())?;
        let cuts = (0..starts.len())
            .map(|i| Cut::of(axes[i], dims[axes[i]], starts[i], ends[i], steps[i]));
        cuts.collect()
    }

    /// Axis and lengths of what a Split makes of something of these dimensions.
    pub(in crate::arch::onnx) fn parts(
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
