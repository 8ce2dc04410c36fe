//! What is computed with arrays. Letters: `n` rows, `C` columns, `H` heads, `N` tokens.

use super::{Array, Arrays, View};
use crate::arch::Activation;
use crate::nn::cuda::argument::Argument;
use crate::nn::cuda::driver::{Launch, Product};
use crate::nn::cuda::grid;
use crate::nn::cuda::layer::activation;
use crate::nn::device::{DeviceError, Precision};

/// How a weight `[out, in, height, width]` is made from a smaller block: channels repeat it, positions stretch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiling {
    /// Outputs, inputs, height, width.
    pub block: [usize; 4],
    /// Values from one output, input, line, position of the block to the next.
    pub strides: [usize; 4],
    pub weight: [usize; 4],
    /// Whether the weight lies as `[out, height, width, in]`.
    pub channels_last: bool,
}

impl Tiling {
    fn argument(&self) -> Argument {
        let mut numbers = [0; 13];
        let sizes = [self.block, self.strides, self.weight];
        for (number, size) in numbers.iter_mut().zip(sizes.as_flattened()) {
            *number = u32::try_from(*size).expect("larger arrays are refused");
        }
        numbers[12] = self.channels_last.into();
        Argument::Tiling(numbers)
    }
}

/// What becomes of the values of a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounds {
    /// They stay as they are.
    None,
    /// `2 sigmoid(v / 2)`: between zero and two.
    AroundOne,
    /// `tanh(v / 5)`: between minus one and one.
    AroundZero,
}

/// What each operation returns: an error if the device fails or has no memory left. Work before it may be the
/// reason.
type Outcome<T> = Result<T, DeviceError>;

/// A call on a wrong number of values is a mistake of the caller's, and panics where it can be seen.
impl Arrays {
    /// A matrix product, or many.
    ///
    /// # Errors
    /// As all operations: if the device fails.
    pub fn multiply(&mut self, product: &Product) -> Outcome<()> {
        self.driver.multiply(product)
    }

    /// Applies an activation in place. The view begins where an array does.
    ///
    /// # Errors
    /// If the device fails.
    pub fn activate(&mut self, function: Activation, x: View) -> Outcome<()> {
        let kernel = format!("{}_forward_f32", activation::kernel(function));
        let arguments = [x.into(), x.into(), Argument::Wide(x.values as u64)];
        self.launch(&kernel, grid::flat(x.values, Precision::F32), &arguments)
    }

    /// `x += y`, both from the beginning of an array on.
    ///
    /// # Errors
    /// If the device fails.
    pub fn add(&mut self, x: View, y: View) -> Outcome<()> {
        let count = Argument::Wide(x.values as u64);
        let arguments = [x.into(), y.into(), x.into(), count];
        self.launch("add_f32", grid::flat(x.values, Precision::F32), &arguments)
    }

    /// Adds a bias `[C]` to each row of `x [n, C]`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn add_bias(&mut self, x: View, bias: View) -> Outcome<()> {
        let columns = bias.values;
        let rows = x.values / columns;
        let [n, c] = [rows, columns].map(Argument::count);
        let arguments = [x.into(), bias.into(), x.into(), n, c];
        let grid = grid::stream(rows, columns, Precision::F32);
        self.launch("bias_add_f32", grid, &arguments)
    }

    /// A copy.
    ///
    /// # Errors
    /// If the device fails or its memory is used up, as with every operation that gives an array.
    pub fn copy(&mut self, x: View) -> Outcome<Array> {
        let y = self.take(x.values)?;
        let bytes = x.values * size_of::<f32>();
        self.driver.copy(x.address, y.view().address, bytes)?;
        Ok(y)
    }

    /// The first `columns` of each of the first `rows` rows of `x`, which has `width` columns.
    ///
    /// # Errors
    /// See [`Arrays::copy`].
    pub fn corner(&mut self, x: View, width: usize, [rows, columns]: [usize; 2]) -> Outcome<Array> {
        let y = self.take(rows * columns)?;
        let [zero, from, to, n] = [0, width, columns, rows].map(Argument::count);
        let arguments = [x.into(), from, zero, y.view().into(), to, zero, n, to];
        let grid = grid::stream(rows, columns, Precision::F32);
        self.launch("copy_channels_f32", grid, &arguments)?;
        Ok(y)
    }

    /// Some rows of `x [_, C]`, by their indices.
    ///
    /// # Errors
    /// See [`Arrays::copy`].
    pub fn rows(&mut self, x: View, columns: usize, indices: View) -> Outcome<Array> {
        let y = self.take(indices.values * columns)?;
        let [one, from, to, c] =
            [1, x.values / columns, indices.values, columns].map(Argument::count);
        let to_rows = grid::stream(indices.values, columns, Precision::F32);
        let arguments = [x.into(), indices.into(), y.view().into(), one, from, to, c];
        self.launch("gather_f32", to_rows, &arguments)?;
        Ok(y)
    }

    /// Layer normalisation of each row of `x [n, C]`; weight and bias are `[C]`.
    ///
    /// # Errors
    /// See [`Arrays::copy`].
    pub fn layer_norm(&mut self, x: View, [weight, bias]: [View; 2], eps: f32) -> Outcome<Array> {
        let columns = weight.values;
        let rows = x.values / columns;
        let (y, moments) = (self.take(x.values)?, self.take(2 * rows)?);
        let arguments = [
            x.into(),
            weight.into(),
            bias.into(),
            eps.into(),
            y.view().into(),
            moments.view().into(),
            Argument::count(rows),
            Argument::count(columns),
        ];
        self.launch("layer_norm_forward_f32", grid::rows(rows), &arguments)?;
        Ok(y)
    }

    /// A bias for every pair of tokens, `[H, N, N]`, from those of their kinds, `table [kinds, H]`, and the kind
    /// of each pair, `[N, N]` indices.
    ///
    /// # Errors
    /// See [`Arrays::copy`].
    pub fn pair_bias(&mut self, table: View, kinds: View, heads: usize) -> Outcome<Array> {
        let bias = self.take(heads * kinds.values)?;
        let none = Argument::maybe(None);
        let [one, h, n] = [1, heads, kinds.values.isqrt()].map(Argument::count);
        let to = bias.view();
        let arguments = [table.into(), kinds.into(), none, to.into(), one, h, n];
        self.launch("attention_bias", grid::threads(to.values), &arguments)?;
        Ok(bias)
    }

    /// Attention between all `N` tokens of one sequence, from queries, keys and values side by side, `[N, 3 C]`,
    /// to `[N, C]`; `bias` is added to the scores, `[H, N, N]`, which are divided by the root of a head's width.
    ///
    /// # Errors
    /// See [`Arrays::copy`].
    pub fn attention(&mut self, qkv: View, bias: View, heads: usize) -> Outcome<Array> {
        let tokens = (bias.values / heads).isqrt();
        let columns = qkv.values / tokens / 3;
        let width = columns / heads;
        let third = |index: usize| qkv.from(index * columns).matrix(3 * columns).every(width);
        let squares = |array: &Array| array.view().matrix(tokens).every(tokens * tokens);
        let (scores, weights) = (self.take(bias.values)?, self.take(bias.values)?);
        let product = Product {
            rows: tokens,
            columns: tokens,
            inner: width,
            count: heads,
            factor: 1.0,
            a: third(0),
            b: third(1).transposed(),
            out: squares(&scores),
            bias: None,
            add: false,
        };
        self.multiply(&product)?;
        let rows = heads * tokens;
        let arguments = [
            scores.view().into(),
            bias.into(),
            Argument::count(rows),
            (1.0 / (width as f32).sqrt()).into(),
            weights.view().into(),
            Argument::count(rows),
            Argument::count(tokens),
        ];
        self.launch("softmax_forward_f32", grid::rows(rows), &arguments)?;
        let out = self.take(tokens * columns)?;
        self.multiply(&Product {
            columns: width,
            inner: tokens,
            a: squares(&weights),
            b: third(2),
            out: out.view().matrix(columns).every(width),
            ..product
        })?;
        Ok(out)
    }

    /// Writes a weight, `factor` times what the block gives.
    ///
    /// # Errors
    /// If the device fails.
    ///
    /// # Panics
    /// If `weight` has another number of values than the tiling says, or a place of the block lies beyond its end.
    pub fn tile(&mut self, block: View, tiling: &Tiling, factor: f32, weight: View) -> Outcome<()> {
        let values: usize = tiling.weight.iter().product();
        assert_eq!(values, weight.values, "values of a weight");
        let places = tiling.block.iter().zip(&tiling.strides);
        let last: usize = places.map(|(side, stride)| (side - 1) * stride).sum();
        assert!(last < block.values, "a block's place beyond its end");
        let arguments = [
            block.into(),
            tiling.argument(),
            factor.into(),
            weight.into(),
        ];
        self.launch("tile_weight", grid::threads(values), &arguments)
    }

    /// Writes a vector: the values, repeated as often as needed, and bounded.
    ///
    /// # Errors
    /// If the device fails.
    pub fn repeat(&mut self, values: View, bounds: Bounds, vector: View) -> Outcome<()> {
        let arguments = [
            values.into(),
            Argument::count(values.values),
            Argument::Count(bounds as u32),
            vector.into(),
            Argument::count(vector.values),
        ];
        self.launch("tile_vector", grid::threads(vector.values), &arguments)
    }

    /// Launches a kernel in blocks of the usual size.
    fn launch(&mut self, kernel: &str, grid: [u32; 3], arguments: &[Argument]) -> Outcome<()> {
        self.driver.launch(&Launch {
            kernel,
            grid,
            block: grid::BLOCK,
            arguments,
        })
    }
}
