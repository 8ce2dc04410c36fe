//! How a framework draws a tensor's first values.

use super::Offsets;

/// The distribution that a tensor's initial values are drawn from, with every number resolved.
///
/// A builder states the scheme beside the tensor, as torchvision's constructors do; drawing is the
/// [`init`](crate::init) room's work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scheme {
    /// Every element has this value.
    Constant(f64),
    /// Uniform on `[-bound, bound)`.
    Uniform { bound: f64 },
    /// Normal with mean zero.
    Normal { std: f64 },
    /// Normal with mean zero, redrawn until it lies within `[-limit, limit]` (absolute, not in
    /// deviations: `torch.nn.init.trunc_normal_` cuts at ±2 whatever the deviation).
    TruncatedNormal { std: f64, limit: f64 },
    /// Fixed: the offset of every pair of tokens.
    OffsetIndex(Offsets),
    /// Fixed: the coordinates of every offset.
    OffsetCoordinates(Offsets),
}

/// `(fan_in, fan_out)` of a weight as `torch.nn.init` counts them: groups are not considered.
fn fans(shape: &[usize]) -> (usize, usize) {
    let receptive: usize = shape.iter().skip(2).product();
    (shape[1] * receptive, shape[0] * receptive)
}

impl Scheme {
    /// All zeros.
    pub const ZEROS: Self = Self::Constant(0.0);
    /// All ones.
    pub const ONES: Self = Self::Constant(1.0);

    /// `kaiming_normal_(mode="fan_out", nonlinearity="relu")`.
    #[must_use]
    pub fn kaiming_normal_fan_out(shape: &[usize]) -> Self {
        let (_, fan_out) = fans(shape);
        Self::Normal {
            std: (2.0 / fan_out as f64).sqrt(),
        }
    }

    /// `kaiming_normal_` with its defaults: fan-in and the gain of a ReLU.
    #[must_use]
    pub fn kaiming_normal(shape: &[usize]) -> Self {
        let (fan_in, _) = fans(shape);
        Self::Normal {
            std: (2.0 / fan_in as f64).sqrt(),
        }
    }

    /// `kaiming_uniform_` with its defaults: fan-in and the gain of a ReLU.
    #[must_use]
    pub fn kaiming_uniform(shape: &[usize]) -> Self {
        let (fan_in, _) = fans(shape);
        Self::Uniform {
            bound: (6.0 / fan_in as f64).sqrt(),
        }
    }

    /// What `nn.Conv2d` and `nn.Linear` do by themselves: `kaiming_uniform_(a=sqrt(5))`, which
    /// comes to a bound of `1 / sqrt(fan_in)`, for weights.
    #[must_use]
    pub fn torch_default(shape: &[usize]) -> Self {
        let (fan_in, _) = fans(shape);
        Self::torch_default_bias(fan_in)
    }

    /// The default of a bias whose layer has this fan-in.
    #[must_use]
    pub fn torch_default_bias(fan_in: usize) -> Self {
        Self::Uniform {
            bound: 1.0 / (fan_in.max(1) as f64).sqrt(),
        }
    }

    /// `xavier_uniform_`.
    #[must_use]
    pub fn xavier_uniform(shape: &[usize]) -> Self {
        let (fan_in, fan_out) = fans(shape);
        Self::Uniform {
            bound: (6.0 / (fan_in + fan_out) as f64).sqrt(),
        }
    }

    /// `trunc_normal_(std=std)` with torch's default cut at ±2.
    #[must_use]
    pub const fn truncated(std: f64) -> Self {
        Self::TruncatedNormal { std, limit: 2.0 }
    }
}
