//! Times the stages of a prediction.

use std::time::Instant;

use crate::nn::DeviceError;
use crate::nn::arrays::Arrays;

/// A stop watch.
pub(super) struct Clock(Instant);

impl Clock {
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Seconds since the last time, with all work that the device was given meanwhile.
    pub fn lap(&mut self, arrays: &mut Arrays) -> Result<f64, DeviceError> {
        arrays.wait()?;
        let seconds = self.0.elapsed().as_secs_f64();
        self.0 = Instant::now();
        Ok(seconds)
    }
}
