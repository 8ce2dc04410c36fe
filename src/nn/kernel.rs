//! Plain numeric loops over channels-last slices: what the layers are made of.
//!
//! Activations are `[B, H, W, C]`, convolution weights `[O, kh, kw, I / groups]`, both contiguous.
//! Every kernel cuts its work into chunks whose size depends on the shapes alone, never on the number
//! of threads, so that results are the same bits on one core and on many.

#[macro_use]
mod simd;

pub mod activation;
pub mod attention;
pub mod batch_norm;
pub mod channels;
pub mod conv;
pub mod depthwise;
pub mod epilogue;
pub mod gate;
pub mod gather;
pub mod im2col;
pub mod joined;
pub mod layer_norm;
pub mod loss;
pub mod matmul;
pub mod moments;
pub mod pool;
pub mod product;
pub mod rows;
pub mod transpose;
pub mod update;
mod vector;
pub mod window;
pub mod winograd;

#[cfg(test)]
pub mod testing;
