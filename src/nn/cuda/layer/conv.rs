//! Convolutions and linear layers.
//!
//! | convolution | computed by |
//! | --- | --- |
//! | of one pixel, stride 1 (linear layers, too) | a matrix product over all pixels |
//! | every channel on its own | own kernels (depthwise.cuh) |
//! | any other | the driver's convolutions |

mod depthwise;

use super::columns::{Totals, add_sums};
use super::{Context, InputGradients, Kept, Layer};
use crate::nn::cuda::argument::Argument;
use crate::nn::cuda::driver::{Address, ConvShape, Convolution, Direction, Matrix, Product};
use crate::nn::cuda::grid;
use crate::nn::cuda::memory::{Buffer, View};
use crate::nn::device::{DeviceError, Precision};
use crate::nn::error::NnError;
use crate::nn::kernel::conv::Conv;
use crate::nn::network::TensorIndex;

pub use depthwise::Depthwise;

/// A convolution that mixes channels, with a bias per output channel if there is one.
pub struct Conv2d {
    pub conv: Conv,
    pub weight: TensorIndex,
    pub bias: Option<TensorIndex>,
}

impl Conv2d {
    /// Whether it is one matrix product over all pixels.
    fn is_product(&self) -> bool {
        self.conv.window.is_pointwise() && self.conv.groups == 1
    }

    fn shape(&self, cx: &Context<'_>) -> ConvShape {
        ConvShape {
            window: self.conv.window,
            batch: cx.batch,
            in_channels: self.conv.in_channels,
            out_channels: self.conv.out_channels,
            groups: self.conv.groups,
            precision: cx.precision,
        }
    }

    /// The weight as a matrix, `[O, I]`.
    fn weight(&self, cx: &Context<'_>) -> Matrix {
        let weight = cx.tensors.computed(self.weight);
        Matrix::dense(weight, cx.precision, self.conv.in_channels)
    }

    fn add_weight_gradient(
        &self,
        cx: &mut Context<'_>,
        x: View,
        gradient: View,
    ) -> Result<(), DeviceError> {
        let into = cx.tensors.gradient(self.weight);
        if self.is_product() {
            let [inputs, outputs] = [self.conv.in_channels, self.conv.out_channels];
            return cx.driver.multiply(&Product {
                rows: outputs,
                columns: inputs,
                inner: gradient.values / outputs,
                count: 1,
                factor: 1.0,
                a: Matrix::dense(gradient.address, cx.precision, outputs).transposed(),
                b: Matrix::dense(x.address, cx.precision, inputs),
                out: Matrix::dense(into, Precision::F32, inputs),
                bias: None,
                add: true,
            });
        }
        let mut convolution = Convolution {
            shape: self.shape(cx),
            direction: Direction::Weight,
            input: x.address,
            weight: into,
            output: gradient.address,
            add: true,
        };
        if cx.precision == Precision::F32 {
            return cx.driver.convolve(&convolution);
        }
        // A convolution gives all its tensors in one precision.
        let length = cx.tensors.length(self.weight);
        let narrow = cx.take(length)?;
        convolution.weight = narrow.address();
        convolution.add = false;
        cx.driver.convolve(&convolution)?;
        add_narrow(cx, narrow.view(), into)?;
        cx.give(narrow);
        Ok(())
    }

    fn input_gradient(&self, cx: &mut Context<'_>, gradient: View) -> Result<Buffer, DeviceError> {
        let pixels = cx.batch * self.conv.window.pixels();
        let dx = cx.take(pixels * self.conv.in_channels)?;
        if self.is_product() {
            let weight = self.weight(cx);
            cx.driver.multiply(&Product {
                rows: pixels,
                columns: self.conv.in_channels,
                inner: self.conv.out_channels,
                count: 1,
                factor: 1.0,
                a: Matrix::dense(gradient.address, cx.precision, self.conv.out_channels),
                b: weight,
                out: Matrix::dense(dx.address(), cx.precision, self.conv.in_channels),
                bias: None,
                add: false,
            })?;
        } else {
            let convolution = Convolution {
                shape: self.shape(cx),
                direction: Direction::Input,
                input: dx.address(),
                weight: cx.tensors.computed(self.weight),
                output: gradient.address,
                add: false,
            };
            cx.driver.convolve(&convolution)?;
        }
        Ok(dx)
    }
}

/// Adds bf16 values to a gradient.
fn add_narrow(cx: &mut Context<'_>, narrow: View, into: Address) -> Result<(), DeviceError> {
    let arguments = [
        narrow.into(),
        Argument::Address(into),
        Argument::Wide(narrow.values as u64),
    ];
    let grid = grid::flat(narrow.values, Precision::F32);
    cx.launch("add_bf16_to_f32", grid, &arguments)
}

impl Layer for Conv2d {
    fn forward(&self, cx: &mut Context<'_>, inputs: &[View], output: View) -> Result<(), NnError> {
        let outputs = self.conv.out_channels;
        let rows = output.values / outputs;
        if self.is_product() {
            let weight = self.weight(cx).transposed();
            cx.driver.multiply(&Product {
                rows,
                columns: outputs,
                inner: self.conv.in_channels,
                count: 1,
                factor: 1.0,
                a: Matrix::dense(inputs[0].address, cx.precision, self.conv.in_channels),
                b: weight,
                out: Matrix::dense(output.address, cx.precision, outputs),
                bias: self.bias.map(|i| cx.tensors.computed(i)),
                add: false,
            })?;
            return Ok(());
        }
        let convolution = Convolution {
            shape: self.shape(cx),
            direction: Direction::Output,
            input: inputs[0].address,
            weight: cx.tensors.computed(self.weight),
            output: output.address,
            add: false,
        };
        cx.driver.convolve(&convolution)?;
        if let Some(bias) = self.bias {
            let arguments = [
                output.into(),
                Argument::Address(cx.tensors.value(bias)),
                output.into(),
                Argument::count(rows),
                Argument::count(outputs),
            ];
            let grid = grid::stream(rows, outputs, cx.precision);
            cx.launch_typed("bias_add", grid, &arguments)?;
        }
        Ok(())
    }

    fn backward(
        &self,
        cx: &mut Context<'_>,
        kept: Kept<'_>,
        gradient: Buffer,
        wanted: &[bool],
    ) -> Result<InputGradients, NnError> {
        if let Some(bias) = self.bias {
            let channels = self.conv.out_channels;
            let totals = Totals::one(cx.tensors.gradient(bias), channels);
            add_sums(cx, gradient.view(), channels, totals)?;
        }
        self.add_weight_gradient(cx, kept.input(), gradient.view())?;
        let dx = if wanted[0] {
            Some(self.input_gradient(cx, gradient.view())?)
        } else {
            None
        };
        cx.give(gradient);
        Ok(vec![dx])
    }
}
