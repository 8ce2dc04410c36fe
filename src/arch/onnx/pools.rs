//! Pools, and means over dimensions.

use super::arrange::Kind;
use super::constant::Constant;
use super::import::Importer;
use super::layout::Layout;
use super::proto::NodeProto;
use super::value::{Form, Made};
use super::window::Window;
use crate::arch::{Activation, NodeId, Op, Pool, Shape};

impl<'g> Importer<'g> {
    /// A maximum or average over windows.
    pub(super) fn pool(&mut self, at: usize, node: &'g NodeProto) -> Made {
        let (input, margin, value) = self.padded_image(&node.input[0])?;
        let is_max = node.op_type == "MaxPool";
        let side = self.b.shape(input).side().unwrap_or_default();
        let window = Window::of(node, None, side, margin)?;
        if window.dilation != [1, 1] {
            return Err("its window has dilations".into());
        }
        let has_margin = margin != [0; 4];
        let own_pads = node.ints("pads").is_some_and(|p| p.iter().any(|p| *p != 0));
        if has_margin && is_max && value == 0.0 && !self.is_positive(input) {
            return Err("a maximum sees the zeros of a margin only behind a ReLU".into());
        }
        if has_margin && !is_max && (value != 0.0 || own_pads) {
            return Err("the margin of its image cannot be averaged".into());
        }
        let counts = has_margin || node.int("count_include_pad").unwrap_or(0) != 0;
        let ceil = node.int("ceil_mode").unwrap_or(0) != 0;
        let [before, behind] = [0, 1].map(|i| window.pads.map(|p| p[i]));
        let pool = Pool {
            kernel: window.kernel,
            stride: window.stride,
            padding: before,
            ceil,
            // Without padding both are the same; the usual one is PyTorch's default.
            counts_padding: counts || before == [0; 2] && behind == [0; 2] && !ceil,
        };
        let op = |pool: Pool| {
            if is_max {
                Op::MaxPool(pool)
            } else {
                Op::AvgPool(pool)
            }
        };
        let shape = self.b.shape(input);
        let fits = |pool: Pool| {
            let out = op(pool).infer(&[shape]).ok()?.side()?;
            let wanted = [0, 1].map(|axis| {
                let length = side[axis] + before[axis] + behind[axis];
                let last = length.checked_sub(window.kernel[axis])?;
                let steps = if ceil {
                    last.div_ceil(window.stride[axis])
                } else {
                    last / window.stride[axis]
                };
                Some(steps + 1)
            });
            (out == [wanted[0]?, wanted[1]?]).then_some(())
        };
        // A wider margin on one side is no padding of PyTorch's, but windows that may reach beyond the image
        // come to the same where the margin does not count.
        let pool = if window.is_even() {
            pool
        } else {
            let uncounted = Pool {
                counts_padding: false,
                ..pool
            };
            let tries = [uncounted, uncounted.ceil()];
            let found = tries
                .into_iter()
                .find(|p| (is_max || !counts) && fits(*p).is_some());
            found.ok_or_else(|| {
                format!("its uneven margins {:?} cannot be taken over", window.pads)
            })?
        };
        if pool.padding.iter().zip(pool.kernel).any(|(p, k)| *p >= k) {
            return Err("its margin is as wide as its window".into());
        }
        let made = self.push(at, op(pool), &[input])?;
        let layout = Layout::of(self.b.shape(made));
        Ok(Self::node_value(made, layout, at))
    }

    /// Whether no number of a node is below zero.
    fn is_positive(&self, node: NodeId) -> bool {
        matches!(
            self.b.op(node),
            Op::Activation(
                Activation::Relu
                    | Activation::Relu6
                    | Activation::Sigmoid
                    | Activation::Hardsigmoid
            )
        )
    }

    /// A maximum or average over the whole image.
    pub(super) fn global_pool(&mut self, at: usize, node: &'g NodeProto) -> Made {
        let (input, _) = self.settle_as(&node.input[0], &[Kind::Image])?;
        let op = if node.op_type == "GlobalMaxPool" {
            let mut pool = Pool::new(1, 1, 0);
            pool.kernel = self.b.shape(input).side().unwrap_or_default();
            Op::MaxPool(pool)
        } else {
            Op::AdaptiveAvgPool([1, 1])
        };
        let made = self.push(at, op, &[input])?;
        let layout = Layout::of(self.b.shape(made));
        Ok(Self::node_value(made, layout, at))
    }

    /// A mean over some dimensions: of positions, or of the channels as in a layer norm.
    pub(super) fn reduce_mean(
        &mut self,
        at: usize,
        node: &'g NodeProto,
        constants: &[Option<Constant>],
    ) -> Made {
        let name = &node.input[0];
        let data = self.data(name)?;
        let rank = data.layout.0.len();
        let axes = match self.folder.whole_from(node, "axes", 1, constants)? {
            Some(axes) => super::dims::axes(&axes, rank)?,
            None => (0..rank).collect(),
        };
        let keep = node.int("keepdims").unwrap_or(1) != 0;
        let reduced = |layout: &Layout| {
            let dims = layout.0.iter().enumerate().filter_map(|(i, group)| {
                match (axes.contains(&i), keep) {
                    (false, _) => Some(group.clone()),
                    (true, true) => Some(Vec::new()),
                    (true, false) => None,
                }
            });
            Layout(dims.collect())
        };
        if let Form::Squared { of } = data.form {
            let channels = self.b.shape(of).channels();
            if data
                .layout
                .channel_dim(channels)
                .is_some_and(|d| axes == [d])
            {
                let form = Form::Variance { of, eps: 0.0 };
                return Ok(vec![Self::form_value(form, reduced(&data.layout), at)]);
            }
        }
        let (input, layout) = self.settle(name)?;
        let channels = self.b.shape(input).channels();
        let channel_dim = layout.channel_dim(channels);
        if keep && channel_dim.is_some_and(|d| axes == [d]) {
            return Ok(vec![Self::form_value(
                Form::Mean { of: input },
                reduced(&layout),
                at,
            )]);
        }
        let over_positions =
            layout.0.iter().enumerate().all(|(i, group)| {
                group.is_empty() || axes.contains(&i) != (Some(i) == channel_dim)
            });
        if !over_positions {
            return Err("a mean is supported over all positions, or over the channels".into());
        }
        let input = match self.b.shape(input) {
            Shape::Image { .. } | Shape::Vector { .. } => input,
            Shape::Grid { .. } => self.push(at, Op::ToImage, &[input])?,
            Shape::Tokens { tokens, .. } => self.push(at, Op::FromTokens([tokens, 1]), &[input])?,
            Shape::Windows { .. } => return Err("a mean over windows is not supported".into()),
        };
        let made = match self.b.shape(input) {
            Shape::Vector { .. } => input,
            _ => self.push(at, Op::AdaptiveAvgPool([1, 1]), &[input])?,
        };
        Ok(Self::node_value(made, reduced(&layout), at))
    }
}
