//! Pooling layers.

use super::{Context, InputGradients, Kept, Layer};
use crate::nn::cuda::argument::Argument;
use crate::nn::cuda::grid::{self, Columns};
use crate::nn::cuda::memory::{Buffer, View};
use crate::nn::error::NnError;
use crate::nn::kernel::pool::Padding;
use crate::nn::kernel::window::Window;

pub struct MaxPool {
    pub window: Window,
    pub channels: usize,
}

impl Layer for MaxPool {
    fn forward(&self, cx: &mut Context<'_>, inputs: &[View], output: View) -> Result<(), NnError> {
        // Which tap won each value, in 16 bits.
        let taps = cx.floats(output.values.div_ceil(2))?;
        let arguments = [
            inputs[0].into(),
            output.into(),
            (&taps).into(),
            Argument::window(&self.window),
            Argument::count(cx.batch),
            Argument::count(self.channels),
        ];
        let grid = grid::packs(output.values / self.channels, self.channels);
        cx.launch_typed("max_pool_forward", grid, &arguments)?;
        cx.save(taps);
        Ok(())
    }

    fn backward(
        &self,
        cx: &mut Context<'_>,
        kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> Result<InputGradients, NnError> {
        let pixels = cx.batch * self.window.pixels();
        let dx = cx.take(pixels * self.channels)?;
        let arguments = [
            (&gradient).into(),
            (&kept.saved[0]).into(),
            (&dx).into(),
            Argument::window(&self.window),
            Argument::count(cx.batch),
            Argument::count(self.channels),
        ];
        let grid = grid::packs(pixels, self.channels);
        cx.launch_typed("max_pool_backward", grid, &arguments)?;
        cx.give(gradient);
        Ok(vec![Some(dx)])
    }
}

/// What an average reaches over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Windows of a fixed size.
    Window { window: Window, padding: Padding },
    /// The windows of `nn.AdaptiveAvgPool2d`.
    Adaptive {
        input: [usize; 2],
        output: [usize; 2],
    },
}

pub struct AvgPool {
    pub reach: Reach,
    pub channels: usize,
}

impl AvgPool {
    const fn sides(&self) -> [[usize; 2]; 2] {
        match &self.reach {
            Reach::Window { window, .. } => [window.input, window.output],
            Reach::Adaptive { input, output } => [*input, *output],
        }
    }

    /// The name of the kernels, and their arguments behind the arrays.
    fn kernel_and_sizes(&self, cx: &Context<'_>) -> (&'static str, Vec<Argument>) {
        let (samples, channels) = (Argument::count(cx.batch), Argument::count(self.channels));
        match &self.reach {
            Reach::Window { window, padding } => {
                let counts = Argument::Count(u32::from(*padding == Padding::Counts));
                let window = Argument::window(window);
                ("average_pool", vec![window, samples, channels, counts])
            }
            Reach::Adaptive { input, output } => {
                let sides = Argument::sides(*input, *output);
                ("adaptive_pool", vec![sides, samples, channels])
            }
        }
    }
}

impl Layer for AvgPool {
    fn forward(&self, cx: &mut Context<'_>, inputs: &[View], output: View) -> Result<(), NnError> {
        let (x, y) = (inputs[0].into(), output.into());
        let [input, pixels] = self.sides().map(|[h, w]| h * w);
        let channels = Argument::count(self.channels);
        if matches!(self.reach, Reach::Adaptive { .. }) && pixels == 1 {
            let grid = Columns::per_sample(self.channels, cx.batch);
            let arguments = [x, y, Argument::count(input), channels];
            return Ok(cx.launch_typed("global_average_forward", grid, &arguments)?);
        }
        let (kernel, sizes) = self.kernel_and_sizes(cx);
        let arguments = [&[x, y], &sizes[..]].concat();
        let grid = grid::packs(cx.batch * pixels, self.channels);
        Ok(cx.launch_typed(&format!("{kernel}_forward"), grid, &arguments)?)
    }

    fn backward(
        &self,
        cx: &mut Context<'_>,
        _kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> Result<InputGradients, NnError> {
        let [[height, width], _] = self.sides();
        let pixels = cx.batch * height * width;
        let dx = cx.take(pixels * self.channels)?;
        let (kernel, sizes) = self.kernel_and_sizes(cx);
        let arguments = [&[(&gradient).into(), (&dx).into()], &sizes[..]].concat();
        let grid = grid::packs(pixels, self.channels);
        cx.launch_typed(&format!("{kernel}_backward"), grid, &arguments)?;
        cx.give(gradient);
        Ok(vec![Some(dx)])
    }
}
