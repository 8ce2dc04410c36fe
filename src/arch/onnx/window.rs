//! Windows over images: what kernels, strides and margins a node's attributes mean.

use super::arrange::Kind;
use super::import::Importer;
use super::proto::NodeProto;
use super::value::Form;
use crate::arch::NodeId;

/// Longest kernel, stride, margin or dilation.
const LONGEST: i64 = 1 << 16;

/// A window's numbers, `[height, width]` each.
pub(super) struct Window {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// Before and behind the image.
    pub pads: [[usize; 2]; 2],
}

impl Window {
    /// What a node's attributes say about an image with these sides, whose margin is `margin` already.
    pub fn of(
        node: &NodeProto,
        kernel: Option<[usize; 2]>,
        side: [usize; 2],
        margin: [usize; 4],
    ) -> Result<Self, String> {
        let pair = |name: &str, least: i64, otherwise: usize| match node.ints(name) {
            None | Some([]) => Ok([otherwise; 2]),
            Some(&[a, b]) if (least..=LONGEST).contains(&a) && (least..=LONGEST).contains(&b) => {
                Ok([a as usize, b as usize])
            }
            Some(other) => Err(format!("its {name} {other:?} cannot be taken over")),
        };
        let kernel = match kernel {
            Some(kernel) => kernel,
            None if node.has("kernel_shape") => pair("kernel_shape", 1, 1)?,
            None => return Err("its kernel_shape is missing".into()),
        };
        let stride = pair("strides", 1, 1)?;
        let dilation = pair("dilations", 1, 1)?;
        if kernel.iter().any(|k| *k == 0 || *k as i64 > LONGEST) {
            return Err(format!("its kernel {kernel:?} cannot be taken over"));
        }
        let auto = node.text("auto_pad").unwrap_or("NOTSET");
        let mut pads = match auto {
            "NOTSET" | "" => match node.ints("pads") {
                None | Some([]) => [[0; 2]; 2],
                Some(&[t, l, b, r]) if [t, l, b, r].iter().all(|p| (0..=LONGEST).contains(p)) => {
                    [[t as usize, b as usize], [l as usize, r as usize]]
                }
                Some(other) => return Err(format!("its pads {other:?} cannot be taken over")),
            },
            "VALID" => [[0; 2]; 2],
            "SAME_UPPER" | "SAME_LOWER" => {
                let [top, left, bottom, right] = margin;
                let padded = [side[0] + top + bottom, side[1] + left + right];
                [0, 1].map(|axis| {
                    let reach = (kernel[axis] - 1) * dilation[axis] + 1;
                    let windows = padded[axis].div_ceil(stride[axis]);
                    let needed = (windows - 1) * stride[axis] + reach;
                    let total = needed.saturating_sub(padded[axis]);
                    let (less, more) = (total / 2, total - total / 2);
                    if auto == "SAME_UPPER" {
                        [less, more]
                    } else {
                        [more, less]
                    }
                })
            }
            other => return Err(format!("its auto_pad \"{other}\" cannot be taken over")),
        };
        let [top, left, bottom, right] = margin;
        for (pads, more) in pads.iter_mut().zip([[top, bottom], [left, right]]) {
            pads[0] += more[0];
            pads[1] += more[1];
        }
        Ok(Self {
            kernel,
            stride,
            dilation,
            pads,
        })
    }

    pub fn is_even(&self) -> bool {
        self.pads.iter().all(|[before, behind]| before == behind)
    }
}

/// Uneven margins are those of a larger kernel whose further rows or columns are zeros.
pub(super) struct Grown {
    pub kernel: [usize; 2],
    /// Where the file's own kernel begins in it.
    pub corner: [usize; 2],
    /// The same on both sides.
    pub padding: [usize; 2],
}

impl Grown {
    pub fn of(window: &Window) -> Result<Self, String> {
        let mut grown = Self {
            kernel: window.kernel,
            corner: [0; 2],
            padding: [0; 2],
        };
        for axis in 0..2 {
            let [before, behind] = window.pads[axis];
            if before != behind && window.dilation[axis] != 1 {
                return Err(
                    "uneven margins of a convolution with dilations cannot be taken over".into(),
                );
            }
            grown.kernel[axis] += before.abs_diff(behind);
            grown.corner[axis] = behind.saturating_sub(before);
            grown.padding[axis] = before.max(behind);
        }
        Ok(grown)
    }
}

impl<'g> Importer<'g> {
    /// The image called `name`, with a margin of zeros that may have been given to it.
    pub(super) fn padded_image(
        &mut self,
        name: &'g str,
    ) -> Result<(NodeId, [usize; 4], f64), String> {
        let data = self.data(name)?;
        if let Form::Padded { of, pads, value } = data.form {
            return Ok((of, pads, value));
        }
        let (node, layout) = self.settle_as(name, &[Kind::Image])?;
        // A dimension of one could be any.
        let channels = self.b.shape(node).channels();
        if layout.0.len() != 4 || layout.dims()[1] != channels {
            return Err("its input is no image with the channels in the second dimension".into());
        }
        Ok((node, [0; 4], 0.0))
    }
}
