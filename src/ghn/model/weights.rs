//! Where a GHN's own weights come from: a checkpoint, or the initialisation that its authors use.

use std::cell::{Cell, RefCell};

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::super::GhnError;
use super::config::{Config, HyperNet};
use super::dense::{Dense, LayerNorm};
use super::weight::Weight;
use crate::nn::{StateDict, Tensor, Values};
use crate::random;

/// Gives out tensors by name, each once, and counts their values.
pub(super) struct Weights<'a> {
    source: Source<'a>,
    given: Cell<usize>,
}

enum Source<'a> {
    /// `origin` names the file in messages. Tensors are taken out: a large checkpoint does not fit
    /// into memory twice.
    Stored {
        origin: &'a str,
        state: RefCell<StateDict>,
    },
    Random {
        seed: u64,
        scheme: Scheme,
    },
}

/// How a freshly built GHN's weights are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    /// torch's defaults: GHN-1 and GHN-2.
    Torch,
    /// As torch's, but for smaller tables, and last layers that are a fifth as strong and have no bias.
    Ghn3,
}

/// GHN-3's last layers.
const LAST_LAYERS: [&str; 3] = [
    "decoder.class_layer_predictor.1",
    "decoder.conv.2",
    "decoder_1d.fc.2",
];
/// What divides their weights.
const LAST_LAYER_DIVISOR: f32 = 5.0;
/// GHN-3's tables hold no number beyond this.
const LARGEST_ENTRY: f32 = 2.0;

impl<'a> Weights<'a> {
    /// From the tensors of a checkpoint.
    pub const fn stored(origin: &'a str, state: StateDict) -> Self {
        Self {
            source: Source::Stored {
                origin,
                state: RefCell::new(state),
            },
            given: Cell::new(0),
        }
    }

    /// As a freshly built GHN has them.
    pub const fn random(config: &Config, seed: u64) -> Self {
        let scheme = match config.hypernet {
            HyperNet::Graphormer { .. } => Scheme::Ghn3,
            HyperNet::GatedGnn | HyperNet::Mlp => Scheme::Torch,
        };
        Self {
            source: Source::Random { seed, scheme },
            given: Cell::new(0),
        }
    }

    /// Number of values given out so far.
    pub const fn given(&self) -> usize {
        self.given.get()
    }

    /// `nn.Linear` (or a 1x1 convolution): `NAME.weight` is `[outputs, inputs]`.
    pub fn dense(&self, name: &str, outputs: usize, inputs: usize) -> Result<Dense, GhnError> {
        let mut bounds = [1.0 / (inputs as f32).sqrt(); 2];
        if self.scheme() == Scheme::Ghn3 && LAST_LAYERS.contains(&name) {
            bounds = [bounds[0] / LAST_LAYER_DIVISOR, 0.0];
        }
        let weight = format!("{name}.weight");
        let bias = format!("{name}.bias");
        self.layer(&weight, &bias, [outputs, inputs], bounds)
    }

    /// How weights are drawn where they are.
    const fn scheme(&self) -> Scheme {
        match self.source {
            Source::Random { scheme, .. } => scheme,
            Source::Stored { .. } => Scheme::Torch,
        }
    }

    /// `nn.Linear` without a bias.
    pub fn dense_without_bias(
        &self,
        name: &str,
        outputs: usize,
        inputs: usize,
    ) -> Result<Dense, GhnError> {
        let bound = 1.0 / (inputs as f32).sqrt();
        Ok(Dense {
            inputs,
            outputs,
            weight: self.uniform(&format!("{name}.weight"), &[outputs, inputs], bound)?,
            bias: None,
        })
    }

    /// Whether a checkpoint has a tensor of this name that was not given out yet.
    pub fn has(&self, name: &str) -> bool {
        match &self.source {
            Source::Stored { state, .. } => state.borrow().get(name).is_some(),
            Source::Random { .. } => false,
        }
    }

    /// One of the two stacked layers of `nn.GRUCell`, `[3 C, C]`; its bound is that of the state.
    pub fn gru(&self, name: &str, side: &str, width: usize) -> Result<Dense, GhnError> {
        let bound = 1.0 / (width as f32).sqrt();
        let weight = format!("{name}.weight_{side}");
        let bias = format!("{name}.bias_{side}");
        self.layer(&weight, &bias, [3 * width, width], [bound; 2])
    }

    fn layer(
        &self,
        weight: &str,
        bias: &str,
        [outputs, inputs]: [usize; 2],
        [weight_bound, bias_bound]: [f32; 2],
    ) -> Result<Dense, GhnError> {
        Ok(Dense {
            inputs,
            outputs,
            weight: self.uniform(weight, &[outputs, inputs], weight_bound)?,
            bias: Some(self.uniform(bias, &[outputs], bias_bound)?),
        })
    }

    /// `nn.Embedding`: `NAME.weight` is `[rows, width]`, normal at first, with deviation 1 or, in GHN-3,
    /// one over the root of the width.
    pub fn embedding(&self, name: &str, rows: usize, width: usize) -> Result<Weight, GhnError> {
        let name = format!("{name}.weight");
        let scheme = self.scheme();
        self.tensor(&name, &[rows, width], |rng| match scheme {
            Scheme::Torch => StandardNormal.sample(rng),
            Scheme::Ghn3 => loop {
                let value: f32 = StandardNormal.sample(rng);
                let value = value / (width as f32).sqrt();
                if value.abs() <= LARGEST_ENTRY {
                    break value;
                }
            },
        })
    }

    /// `nn.LayerNorm`.
    pub fn layer_norm(&self, name: &str, width: usize) -> Result<LayerNorm, GhnError> {
        Ok(LayerNorm {
            weight: self.tensor(&format!("{name}.weight"), &[width], |_| 1.0)?,
            bias: self.tensor(&format!("{name}.bias"), &[width], |_| 0.0)?,
        })
    }

    fn uniform(&self, name: &str, shape: &[usize], bound: f32) -> Result<Weight, GhnError> {
        let is_zero = bound == 0.0;
        self.tensor(name, shape, |rng| {
            if is_zero {
                0.0
            } else {
                rng.random_range(-bound..bound)
            }
        })
    }

    fn tensor(
        &self,
        name: &str,
        shape: &[usize],
        draw: impl Fn(&mut random::Stream) -> f32,
    ) -> Result<Weight, GhnError> {
        let len: usize = shape.iter().product();
        self.given.set(self.given.get() + len);
        let values = match &self.source {
            Source::Random { seed, .. } => {
                let mut rng = random::stream(*seed, &format!("ghn/{name}"));
                (0..len).map(|_| draw(&mut rng)).collect()
            }
            Source::Stored { origin, state } => {
                let tensor = state.borrow_mut().take(name);
                stored(origin, tensor, name, shape)?
            }
        };
        Ok(Weight::new(name.to_owned(), shape.to_vec(), values))
    }
}

/// A tensor of a checkpoint. Trailing dimensions of one do not count: ppuda stores the decoder's
/// layers as 1x1 convolutions, later code as linear layers.
fn stored(
    origin: &str,
    tensor: Option<Tensor>,
    name: &str,
    shape: &[usize],
) -> Result<Vec<f32>, GhnError> {
    let missing = || GhnError::Missing {
        origin: origin.to_owned(),
        tensor: name.to_owned(),
        expected: shape.to_vec(),
    };
    let Tensor {
        shape: found,
        values,
    } = tensor.ok_or_else(missing)?;
    let (core, rest) = found.split_at(shape.len().min(found.len()));
    let fits = core == shape && rest.iter().all(|d| *d == 1);
    let (true, Values::F32(values)) = (fits, values) else {
        return Err(GhnError::Shape {
            origin: origin.to_owned(),
            tensor: name.to_owned(),
            found,
            expected: shape.to_vec(),
        });
    };
    if !values.iter().all(|v| v.is_finite()) {
        return Err(GhnError::NotFinite {
            origin: origin.to_owned(),
            tensor: name.to_owned(),
        });
    }
    Ok(values)
}
