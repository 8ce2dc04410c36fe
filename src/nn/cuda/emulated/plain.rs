//! Matrix products and convolutions as plain loops, in f64.

use crate::nn::cuda::driver::{Address, Convolution, Direction, Matrix, Product};
use crate::nn::device::Precision;

/// Values in device memory.
fn read(address: Address, precision: Precision, values: usize) -> Vec<f64> {
    let of = |at: usize| {
        // SAFETY: the executor answers for its addresses; memory is allocated in whole values and lives
        // in this process.
        unsafe {
            match precision {
                Precision::F32 => *(address as *const f32).add(at),
                Precision::Bf16 => {
                    f32::from_bits(u32::from(*(address as *const u16).add(at)) << 16)
                }
            }
        }
    };
    (0..values).map(|at| f64::from(of(at))).collect()
}

fn write(address: Address, precision: Precision, at: usize, value: f64) {
    let value = value as f32;
    // SAFETY: as in `read`; nobody else uses the memory meanwhile.
    unsafe {
        match precision {
            Precision::F32 => *(address as *mut f32).add(at) = value,
            Precision::Bf16 => *(address as *mut u16).add(at) = narrowed(value),
        }
    }
}

/// bfloat16's bits: to the nearest, ties to even.
fn narrowed(value: f32) -> u16 {
    if value.is_nan() {
        return 0x7fff;
    }
    let bits = value.to_bits();
    ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

/// One of a product's matrices as it is multiplied, row after row.
fn dense(matrix: &Matrix, product: usize, rows: usize, columns: usize) -> Vec<f64> {
    let [high, wide] = if matrix.transposed {
        [columns, rows]
    } else {
        [rows, columns]
    };
    let start = product * matrix.step;
    let values = read(
        matrix.address + (start * matrix.precision.bytes()) as u64,
        matrix.precision,
        (high - 1) * matrix.stride + wide,
    );
    let at = |row: usize, column: usize| {
        if matrix.transposed {
            values[column * matrix.stride + row]
        } else {
            values[row * matrix.stride + column]
        }
    };
    (0..rows * columns)
        .map(|i| at(i / columns, i % columns))
        .collect()
}

pub fn multiply(p: &Product) {
    assert!(!p.out.transposed, "a result is never transposed");
    assert!(p.bias.is_none() || !p.add, "a bias never comes with a sum");
    let bias = p.bias.map(|b| read(b, p.out.precision, p.columns));
    for n in 0..p.count {
        let a = dense(&p.a, n, p.rows, p.inner);
        let b = dense(&p.b.transposed(), n, p.columns, p.inner);
        let old = p.add.then(|| dense(&p.out, n, p.rows, p.columns));
        for (i, a) in a.chunks_exact(p.inner).enumerate() {
            for (j, b) in b.chunks_exact(p.inner).enumerate() {
                let sum: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                let old = old.as_ref().map_or(0.0, |old| old[i * p.columns + j]);
                let bias = bias.as_ref().map_or(0.0, |bias| bias[j]);
                let at = n * p.out.step + i * p.out.stride + j;
                let total = sum * f64::from(p.factor) + old + bias;
                write(p.out.address, p.out.precision, at, total);
            }
        }
    }
}

pub fn convolve(c: &Convolution) {
    let shape = &c.shape;
    let (window, precision) = (&shape.window, shape.precision);
    let ins = shape.in_channels / shape.groups;
    let outs = shape.out_channels / shape.groups;
    let lengths = [
        shape.batch * window.pixels() * shape.in_channels,
        shape.out_channels * window.taps() * ins,
        shape.batch * window.positions() * shape.out_channels,
    ];
    let [mut x, mut w, mut y] = [c.input, c.weight, c.output].map(|_| Vec::new());
    for (values, (address, length)) in [&mut x, &mut w, &mut y]
        .into_iter()
        .zip([c.input, c.weight, c.output].into_iter().zip(lengths))
    {
        *values = read(address, precision, length);
    }
    let (target, address) = match c.direction {
        Direction::Output => (&mut y, c.output),
        Direction::Input => (&mut x, c.input),
        Direction::Weight => (&mut w, c.weight),
    };
    if !c.add {
        target.fill(0.0);
    }
    for position in 0..shape.batch * window.positions() {
        let (sample, oh, ow) = window.locate(position);
        for tap in 0..window.taps() {
            let (kh, kw) = (tap / window.kernel[1], tap % window.kernel[1]);
            let (Some(ih), Some(iw)) = (window.source(0, oh, kh), window.source(1, ow, kw)) else {
                continue;
            };
            let pixel = (sample * window.input[0] + ih) * window.input[1] + iw;
            for o in 0..shape.out_channels {
                let x_at = pixel * shape.in_channels + o / outs * ins;
                let w_at = (o * window.taps() + tap) * ins;
                let x = &mut x[x_at..x_at + ins];
                let w = &mut w[w_at..w_at + ins];
                let y = &mut y[position * shape.out_channels + o];
                match c.direction {
                    Direction::Output => *y += x.iter().zip(w).map(|(x, w)| *x * *w).sum::<f64>(),
                    Direction::Input => x.iter_mut().zip(w).for_each(|(x, w)| *x += *y * *w),
                    Direction::Weight => w.iter_mut().zip(x).for_each(|(w, x)| *w += *y * *x),
                }
            }
        }
    }
    let target = match c.direction {
        Direction::Output => y,
        Direction::Input => x,
        Direction::Weight => w,
    };
    for (at, total) in target.into_iter().enumerate() {
        write(address, precision, at, total);
    }
}
