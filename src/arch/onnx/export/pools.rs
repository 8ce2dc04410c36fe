//! Pooling. Windows that are cut short at the lower and right edge are written such that every version
//! of the operators reads them alike.

use super::sketch::{Axes, Sketch, Value, floats, int, ints};
use crate::arch::{Pool, Shape};

impl Sketch<'_> {
    pub fn max_pool(&mut self, pool: &Pool, input: Shape, output: Shape, x: &Value) -> Value {
        let window = Window::of(pool, input, output);
        let mut attributes = vec![
            ints("kernel_shape", &pool.kernel),
            ints("strides", &pool.stride),
        ];
        if pool.ceil && window.is_plain_ceil() {
            attributes.extend([int("ceil_mode", 1), ints("pads", &symmetric(pool.padding))]);
        } else {
            attributes.push(ints("pads", &window.pads()));
        }
        self.node("MaxPool", &[x.into()], attributes)
    }

    /// What lies beyond the padding, where a last window is cut short, never counts.
    pub fn average_pool(&mut self, pool: &Pool, input: Shape, output: Shape, x: &Value) -> Value {
        let window = Window::of(pool, input, output);
        let [down, across] = pool.padding;
        let counts = pool.counts_padding && pool.padding != [0; 2];
        if counts && window.is_cut() {
            // Padding that counts is made of zeros first; what is cut off does not count.
            let padded = self.pad(x, &[0, 0, down, across, 0, 0, down, across]);
            let beyond = [0, 1].map(|axis| window.ends[axis].saturating_sub(pool.padding[axis]));
            return self.average(
                pool,
                &[0, 0, beyond[0], beyond[1]],
                Padding::Ignored,
                &padded,
            );
        }
        let padding = if counts {
            Padding::Counts
        } else {
            Padding::Ignored
        };
        self.average(pool, &window.pads(), padding, x)
    }

    fn average(&mut self, pool: &Pool, pads: &[usize], padding: Padding, x: &Value) -> Value {
        let attributes = vec![
            int("count_include_pad", i64::from(padding == Padding::Counts)),
            ints("kernel_shape", &pool.kernel),
            ints("pads", pads),
            ints("strides", &pool.stride),
        ];
        self.node("AveragePool", &[x.into()], attributes)
    }

    /// To `[height, width]`: windows of a fixed size where there are such, and else a matrix of shares
    /// for the rows and one for the columns.
    pub fn adaptive_average_pool(&mut self, output: [usize; 2], input: Shape, x: &Value) -> Value {
        let input = input.side().unwrap_or([1, 1]);
        if output == input {
            return x.clone();
        }
        if output == [1, 1] {
            return self.single("GlobalAveragePool", x);
        }
        if (0..2).all(|axis| input[axis].is_multiple_of(output[axis])) {
            let kernel = [input[0] / output[0], input[1] / output[1]];
            let pool = Pool {
                kernel,
                stride: kernel,
                ..Pool::new(1, 1, 0)
            };
            return self.average(&pool, &[0; 4], Padding::Ignored, x);
        }
        let columns = transposed(&shares(input[1], output[1]), input[1]);
        let columns = floats("columns", &[input[1], output[1]], columns);
        let x = self.node("MatMul", &[x.into(), columns], Vec::new());
        let rows = floats("rows", &[output[0], input[0]], shares(input[0], output[0]));
        self.node("MatMul", &[rows, (&x).into()], Vec::new())
    }

    /// Over all positions of an image: a vector.
    pub fn mean(&mut self, x: &Value) -> Value {
        self.reduce("ReduceMean", x, &[2, 3], Axes::Dropped)
    }
}

/// Whether padding takes part in an average.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Padding {
    Counts,
    Ignored,
}

/// How the windows of a pool cover an image.
pub(super) struct Window {
    pool: Pool,
    input: [usize; 2],
    output: [usize; 2],
    /// How far the last window reaches beyond the image, at the lower and right edge.
    ends: [usize; 2],
}

impl Window {
    pub fn of(pool: &Pool, input: Shape, output: Shape) -> Self {
        let input = input.side().unwrap_or([1, 1]);
        let output = output.side().unwrap_or([1, 1]);
        let end = |axis: usize| {
            let reach = output[axis].saturating_sub(1) * pool.stride[axis] + pool.kernel[axis];
            reach.saturating_sub(input[axis] + pool.padding[axis])
        };
        Self {
            pool: *pool,
            input,
            output,
            ends: [end(0), end(1)],
        }
    }

    /// Whether a last window reaches beyond the padding.
    pub fn is_cut(&self) -> bool {
        (0..2).any(|axis| self.ends[axis] > self.pool.padding[axis])
    }

    /// Whether rounding up gives the number of windows: it does unless the last would start in the
    /// padding, which versions of the operator see differently.
    fn is_plain_ceil(&self) -> bool {
        (0..2).all(|axis| {
            let padded = self.input[axis] + 2 * self.pool.padding[axis];
            let room = padded.saturating_sub(self.pool.kernel[axis]);
            room.div_ceil(self.pool.stride[axis]) + 1 == self.output[axis]
        })
    }

    /// Rows and columns before and behind the image that give the right number of windows when it is
    /// rounded down.
    pub fn pads(&self) -> [usize; 4] {
        let padding @ [down, across] = self.pool.padding;
        if self.pool.ceil {
            [down, across, self.ends[0], self.ends[1]]
        } else {
            symmetric(padding)
        }
    }
}

const fn symmetric([down, across]: [usize; 2]) -> [usize; 4] {
    [down, across, down, across]
}

/// What each of `input` places contributes to each of `output` averages, `[output, input]`: average
/// `o` reaches from `o input / output`, rounded down, to `(o + 1) input / output`, rounded up.
fn shares(input: usize, output: usize) -> Vec<f32> {
    let average = |o: usize| {
        let (from, to) = (o * input / output, ((o + 1) * input).div_ceil(output));
        let share = 1.0 / (to - from) as f32;
        (0..input).map(move |i| if (from..to).contains(&i) { share } else { 0.0 })
    };
    (0..output).flat_map(average).collect()
}

fn transposed(matrix: &[f32], columns: usize) -> Vec<f32> {
    let rows = matrix.len() / columns;
    let place = |i: usize| matrix[i % rows * columns + i / rows];
    (0..matrix.len()).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_those_of_adaptive_windows() {
        let third = 1.0 / 3.0;
        let expected = [
            [0.5, 0.5, 0.0, 0.0, 0.0],
            [0.0, third, third, third, 0.0],
            [0.0, 0.0, 0.0, 0.5, 0.5],
        ];
        assert_eq!(shares(5, 3), expected.concat());
        assert_eq!(shares(1, 2), [1.0, 1.0]);
        assert_eq!(
            transposed(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3),
            [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]
        );
    }
}
