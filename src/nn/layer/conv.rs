//! Convolutions.

use std::sync::Mutex;

use super::{Context, Finish, InputGradients, Joins, Keeps, Kept, Layer};
use crate::nn::cuda;
use crate::nn::error::NnError;
use crate::nn::kernel::conv::Conv;
use crate::nn::kernel::epilogue::Epilogue;
use crate::nn::kernel::window::Window;
use crate::nn::kernel::{depthwise, rows};
use crate::nn::network::{Buffer, Mode, TensorIndex};

/// How the convolution is computed.
pub enum Method {
    /// As matrix products over patches.
    Patches(Conv),
    /// Every channel on its own.
    Depthwise { window: Window, channels: usize },
}

pub struct Conv2d {
    pub method: Method,
    pub weight: TensorIndex,
    pub bias: Option<TensorIndex>,
    /// Whether a batch norm behind it asks for the moments of the output.
    pub measured: bool,
}

impl Conv2d {
    const fn sizes(&self) -> (&Window, usize, usize) {
        match &self.method {
            Method::Patches(c) => (&c.window, c.in_channels, c.out_channels),
            Method::Depthwise { window, channels } => (window, *channels, *channels),
        }
    }

    fn convolve(&self, cx: &Context<'_>, x: &[f32], epilogue: &Epilogue<'_>, y: &mut [f32]) {
        let weight = cx.tensors.value(self.weight);
        match &self.method {
            Method::Patches(conv) => conv.forward(x, weight, epilogue, y),
            Method::Depthwise { window, channels } => {
                depthwise::forward(window, *channels, x, weight, epilogue, y);
            }
        }
    }
}

/// `a bias + b`: what is added to the sums `a s` in the end.
fn offset(bias: Option<Vec<f32>>, finish: &Finish) -> Option<Vec<f32>> {
    let Some(mut bias) = bias else {
        return finish.offset.clone();
    };
    if let Some(factor) = &finish.factor {
        bias.iter_mut().zip(factor).for_each(|(b, a)| *b *= a);
    }
    if let Some(offset) = &finish.offset {
        bias.iter_mut().zip(offset).for_each(|(b, o)| *b += o);
    }
    Some(bias)
}

impl Layer for Conv2d {
    fn keeps(&self) -> Keeps {
        Keeps {
            input: true,
            ..Keeps::default()
        }
    }

    fn forward(
        &mut self,
        cx: &mut Context<'_>,
        inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError> {
        let measure = self.measured && cx.mode != Mode::Eval;
        let epilogue = Epilogue {
            measure: measure.then(Mutex::default),
            ..Epilogue::bias(self.bias.map(|i| cx.tensors.value(i)))
        };
        self.convolve(cx, inputs[0], &epilogue, output);
        cx.output_moments = epilogue.moments(self.sizes().2);
        Ok(())
    }

    fn joins(&self) -> Joins {
        Joins::Sums
    }

    fn forward_finished(
        &mut self,
        cx: &mut Context<'_>,
        inputs: &[&[f32]],
        finish: &Finish,
        residual: Option<&[f32]>,
        output: &mut [f32],
    ) {
        let bias = self.bias.map(|i| cx.tensors.value(i).to_vec());
        let offset = offset(bias, finish);
        let epilogue = Epilogue {
            offset: offset.as_deref(),
            ..finish.epilogue(residual)
        };
        self.convolve(cx, inputs[0], &epilogue, output);
    }

    fn backward(
        &mut self,
        cx: &mut Context<'_>,
        kept: Kept<'_>,
        gradient: Buffer,
        wanted: &[bool],
    ) -> InputGradients {
        let (window, in_channels, out_channels) = self.sizes();
        if let Some(bias) = self.bias {
            let sums = rows::column_sums(&gradient, out_channels);
            rows::add_f64(cx.tensors.grad_mut(bias), &sums);
        }
        let dw = cx.tensors.grad_mut(self.weight);
        match &self.method {
            Method::Patches(conv) => conv.backward_weight(kept.input(), &gradient, dw),
            Method::Depthwise { window, channels } => {
                depthwise::backward_weight(window, *channels, kept.input(), &gradient, dw);
            }
        }
        let dx = wanted[0].then(|| {
            let mut dx = cx.pool.take(cx.batch * window.pixels() * in_channels);
            let weight = cx.tensors.value(self.weight);
            match &self.method {
                Method::Patches(conv) => conv.backward_input(&gradient, weight, &mut dx),
                Method::Depthwise { window, channels } => {
                    depthwise::backward_input(window, *channels, &gradient, weight, &mut dx);
                }
            }
            dx
        });
        cx.pool.give(gradient);
        vec![dx]
    }

    fn on_device(&self) -> Box<dyn cuda::Layer> {
        match &self.method {
            Method::Patches(conv) => Box::new(cuda::layer::conv::Conv2d {
                conv: *conv,
                weight: self.weight,
                bias: self.bias,
            }),
            Method::Depthwise { window, channels } => Box::new(cuda::layer::conv::Depthwise {
                window: *window,
                channels: *channels,
                weight: self.weight,
                bias: self.bias,
            }),
        }
    }
}
