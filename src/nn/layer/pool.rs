//! Pooling layers.

use super::{Context, InputGradients, Kept, Layer};
use crate::nn::cuda;
use crate::nn::error::NnError;
use crate::nn::kernel::pool::{self, Averages};
use crate::nn::kernel::window::Window;
use crate::nn::network::Buffer;

pub struct MaxPool {
    pub window: Window,
    pub channels: usize,
    /// Which tap won each output value of the last batch.
    pub taps: Vec<u16>,
}

impl Layer for MaxPool {
    fn forward(
        &mut self,
        _cx: &mut Context<'_>,
        inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError> {
        self.taps.resize(output.len(), 0);
        pool::max_forward(
            &self.window,
            self.channels,
            inputs[0],
            output,
            &mut self.taps,
        );
        Ok(())
    }

    fn backward(
        &mut self,
        cx: &mut Context<'_>,
        _kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> InputGradients {
        let mut dx = cx
            .pool
            .take(cx.batch * self.window.pixels() * self.channels);
        pool::max_backward(&self.window, self.channels, &gradient, &self.taps, &mut dx);
        cx.pool.give(gradient);
        vec![Some(dx)]
    }

    fn on_device(&self) -> Box<dyn cuda::Layer> {
        Box::new(cuda::layer::pool::MaxPool {
            window: self.window,
            channels: self.channels,
        })
    }
}

pub struct AvgPool {
    pub averages: Averages,
    pub channels: usize,
}

impl Layer for AvgPool {
    fn forward(
        &mut self,
        _cx: &mut Context<'_>,
        inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError> {
        self.averages.forward(self.channels, inputs[0], output);
        Ok(())
    }

    fn backward(
        &mut self,
        cx: &mut Context<'_>,
        _kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> InputGradients {
        let [h, w] = self.averages.input;
        let mut dx = cx.pool.take(cx.batch * h * w * self.channels);
        self.averages.backward(self.channels, &gradient, &mut dx);
        cx.pool.give(gradient);
        vec![Some(dx)]
    }

    fn on_device(&self) -> Box<dyn cuda::Layer> {
        let reach = match self.averages.fixed {
            Some((window, padding)) => cuda::layer::pool::Reach::Window { window, padding },
            None => cuda::layer::pool::Reach::Adaptive {
                input: self.averages.input,
                output: [self.averages.rows.len(), self.averages.cols.len()],
            },
        };
        Box::new(cuda::layer::pool::AvgPool {
            reach,
            channels: self.channels,
        })
    }
}
