//! Convolutions of every channel on its own.

use crate::nn::cuda::argument::Argument;
use crate::nn::cuda::grid::{self, Columns};
use crate::nn::cuda::layer::columns::{Totals, add_sums, add_totals};
use crate::nn::cuda::layer::{Context, InputGradients, Kept, Layer};
use crate::nn::cuda::memory::{Buffer, View};
use crate::nn::device::DeviceError;
use crate::nn::error::NnError;
use crate::nn::kernel::window::Window;
use crate::nn::network::TensorIndex;

/// Weights are `[taps, C]`.
pub struct Depthwise {
    pub window: Window,
    pub channels: usize,
    pub weight: TensorIndex,
    pub bias: Option<TensorIndex>,
}

/// Pixels of a row that a thread of the fast kernels computes.
const STRIP: usize = 4;
/// Taps of a kernel row that a thread sums for the weight's gradient.
const MOST_TAPS: usize = 8;

/// The name of the fast kernel for a window, if there is one: square, without dilation.
fn fast_kernel(window: &Window) -> Option<String> {
    let Window {
        kernel: [side, width],
        stride: [stride, across],
        dilation,
        ..
    } = *window;
    let fits = side == width
        && matches!(side, 3 | 5 | 7)
        && stride == across
        && matches!(stride, 1 | 2)
        && dilation == [1, 1];
    fits.then(|| format!("depthwise_forward_k{side}s{stride}"))
}

impl Depthwise {
    fn sizes(&self, cx: &Context<'_>, window: &Window) -> [Argument; 3] {
        [
            Argument::window(window),
            Argument::count(cx.batch),
            Argument::count(self.channels),
        ]
    }

    /// The fast kernel over `window`; `flipped` turns the kernel by half a turn.
    fn strips(
        &self,
        cx: &mut Context<'_>,
        kernel: &str,
        window: &Window,
        [x, y]: [View; 2],
        flipped: bool,
    ) -> Result<(), DeviceError> {
        let bias = self.bias.filter(|_| !flipped);
        let [sizes, samples, channels] = self.sizes(cx, window);
        let arguments = [
            x.into(),
            Argument::Address(cx.tensors.value(self.weight)),
            Argument::maybe(bias.map(|i| cx.tensors.value(i))),
            y.into(),
            sizes,
            samples,
            channels,
            Argument::Count(u32::from(flipped)),
        ];
        let strips = cx.batch * window.output[0] * window.output[1].div_ceil(STRIP);
        cx.launch_typed(kernel, grid::packs(strips, self.channels), &arguments)
    }

    fn input_gradient(&self, cx: &mut Context<'_>, gradient: View) -> Result<Buffer, DeviceError> {
        let pixels = cx.batch * self.window.pixels();
        let dx = cx.take(pixels * self.channels)?;
        if let Some(reversed) = self.window.reversed()
            && let Some(kernel) = fast_kernel(&reversed)
        {
            let arrays = [gradient, dx.view()];
            self.strips(cx, &kernel, &reversed, arrays, true)?;
            return Ok(dx);
        }
        let [window, samples, channels] = self.sizes(cx, &self.window);
        let arguments = [
            gradient.into(),
            Argument::Address(cx.tensors.value(self.weight)),
            (&dx).into(),
            window,
            samples,
            channels,
        ];
        let grid = grid::packs(pixels, self.channels);
        cx.launch_typed("depthwise_backward_input", grid, &arguments)?;
        Ok(dx)
    }

    fn add_weight_gradient(
        &self,
        cx: &mut Context<'_>,
        x: View,
        gradient: View,
    ) -> Result<(), DeviceError> {
        let taps = self.window.taps();
        let columns = Columns::new(cx.batch * self.window.output[0], self.channels);
        let partials = cx.floats(columns.parts * taps * self.channels)?;
        let [window, samples, channels] = self.sizes(cx, &self.window);
        let arguments = [
            x.into(),
            gradient.into(),
            (&partials).into(),
            window,
            samples,
            channels,
            Argument::count(columns.rows_per_part),
        ];
        let [tiles, parts, _] = columns.grid();
        let [height, width] = self.window.kernel;
        let layers = (height * width.div_ceil(MOST_TAPS)) as u32;
        let grid = [tiles, parts, layers];
        cx.launch_typed("depthwise_weight_sums", grid, &arguments)?;
        let all = taps * self.channels;
        let totals = Totals::one(cx.tensors.gradient(self.weight), all);
        add_totals(cx, partials.view(), columns.parts, all, totals)?;
        cx.give(partials);
        Ok(())
    }
}

impl Layer for Depthwise {
    fn forward(&self, cx: &mut Context<'_>, inputs: &[View], output: View) -> Result<(), NnError> {
        if let Some(kernel) = fast_kernel(&self.window) {
            let arrays = [inputs[0], output];
            return Ok(self.strips(cx, &kernel, &self.window, arrays, false)?);
        }
        let [window, samples, channels] = self.sizes(cx, &self.window);
        let arguments = [
            inputs[0].into(),
            Argument::Address(cx.tensors.value(self.weight)),
            Argument::maybe(self.bias.map(|i| cx.tensors.value(i))),
            output.into(),
            window,
            samples,
            channels,
        ];
        let pixels = cx.batch * self.window.positions();
        let grid = grid::packs(pixels, self.channels);
        Ok(cx.launch_typed("depthwise_forward", grid, &arguments)?)
    }

    fn backward(
        &self,
        cx: &mut Context<'_>,
        kept: Kept<'_>,
        gradient: Buffer,
        wanted: &[bool],
    ) -> Result<InputGradients, NnError> {
        if let Some(bias) = self.bias {
            let totals = Totals::one(cx.tensors.gradient(bias), self.channels);
            add_sums(cx, gradient.view(), self.channels, totals)?;
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
