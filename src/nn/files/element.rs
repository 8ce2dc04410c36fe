//! Element types of files, and their bytes as numbers.

use std::io::{self, ErrorKind, Read, Write};

use half::{bf16, f16};

use crate::memory;
use crate::nn::Values;

/// The type of a tensor's elements in a file; bytes are little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    F64,
    F32,
    F16,
    BF16,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
}

impl Element {
    /// The type that safetensors calls `name`.
    pub fn of_safetensors(name: &str) -> Option<Self> {
        Some(match name {
            "F64" => Self::F64,
            "F32" => Self::F32,
            "F16" => Self::F16,
            "BF16" => Self::BF16,
            "I64" => Self::I64,
            "I32" => Self::I32,
            "I16" => Self::I16,
            "I8" => Self::I8,
            "U8" => Self::U8,
            "BOOL" => Self::Bool,
            _ => return None,
        })
    }

    /// The type of the elements in torch's storage class `name`.
    pub fn of_storage(name: &str) -> Option<Self> {
        Some(match name {
            "DoubleStorage" => Self::F64,
            "FloatStorage" => Self::F32,
            "HalfStorage" => Self::F16,
            "BFloat16Storage" => Self::BF16,
            "LongStorage" => Self::I64,
            "IntStorage" => Self::I32,
            "ShortStorage" => Self::I16,
            "CharStorage" => Self::I8,
            "ByteStorage" => Self::U8,
            "BoolStorage" => Self::Bool,
            _ => return None,
        })
    }

    /// Bytes of one element.
    pub const fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::BF16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// What it becomes, without a single element.
    pub fn no_values(self) -> Values {
        self.decode(&[])
    }

    /// The next `count` elements of `from`, read straight to where they stay. Memory is set aside for what
    /// `sure` bytes can hold: the number of bytes that are known to be there.
    pub fn read(self, count: u64, from: &mut dyn Read, sure: u64) -> io::Result<Values> {
        let bytes = count.checked_mul(self.size() as u64);
        let count = match (usize::try_from(count), bytes) {
            (Ok(count), Some(bytes)) if bytes <= sure => count,
            _ => return Err(ErrorKind::UnexpectedEof.into()),
        };
        match self {
            Self::F32 => {
                let read = read_numbers(count, from, |v: f32| {
                    f32::from_bits(u32::from_le(v.to_bits()))
                });
                read.map(Values::F32)
            }
            Self::I64 => read_numbers(count, from, i64::from_le).map(Values::I64),
            Self::F64 | Self::F16 | Self::BF16 => {
                let append = |to: &mut Vec<f32>, bytes: &[u8]| {
                    if let Values::F32(part) = self.decode(bytes) {
                        to.extend(part);
                    }
                };
                read_others(count, self.size(), from, append).map(Values::F32)
            }
            Self::I32 | Self::I16 | Self::I8 | Self::U8 | Self::Bool => {
                let append = |to: &mut Vec<i64>, bytes: &[u8]| {
                    if let Values::I64(part) = self.decode(bytes) {
                        to.extend(part);
                    }
                };
                read_others(count, self.size(), from, append).map(Values::I64)
            }
        }
    }

    /// The numbers that `bytes` stand for: floating point as `f32`, the rest as `i64`.
    pub fn decode(self, bytes: &[u8]) -> Values {
        match self {
            Self::F64 => floats(bytes, |b| f64::from_le_bytes(b) as f32),
            Self::F32 => floats(bytes, f32::from_le_bytes),
            Self::F16 => floats(bytes, |b| f16::from_le_bytes(b).to_f32()),
            Self::BF16 => floats(bytes, |b| bf16::from_le_bytes(b).to_f32()),
            Self::I64 => whole(bytes, i64::from_le_bytes),
            Self::I32 => whole(bytes, |b| i32::from_le_bytes(b).into()),
            Self::I16 => whole(bytes, |b| i16::from_le_bytes(b).into()),
            Self::I8 => whole(bytes, |b| i8::from_le_bytes(b).into()),
            Self::U8 => whole(bytes, |b| u8::from_le_bytes(b).into()),
            Self::Bool => whole(bytes, |[b]: [u8; 1]| i64::from(b != 0)),
        }
    }
}

fn floats<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Values {
    Values::F32(bytes.as_chunks().0.iter().map(|b| number(*b)).collect())
}

fn whole<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> i64) -> Values {
    Values::I64(bytes.as_chunks().0.iter().map(|b| number(*b)).collect())
}

/// Numbers that are read at once.
const READ_AT_ONCE: usize = 1 << 18;

/// Numbers that need no conversion but perhaps their bytes turned round.
fn read_numbers<T: bytemuck::Pod>(
    count: usize,
    from: &mut dyn Read,
    native: impl Fn(T) -> T,
) -> io::Result<Vec<T>> {
    let mut values: Vec<T> = reserved(count)?;
    while values.len() < count {
        let start = values.len();
        values.resize(count.min(start + READ_AT_ONCE), T::zeroed());
        let part = &mut values[start..];
        from.read_exact(bytemuck::cast_slice_mut(part))?;
        part.iter_mut().for_each(|v| *v = native(*v));
    }
    Ok(values)
}

/// Numbers of `size` bytes that become others.
fn read_others<T>(
    count: usize,
    size: usize,
    from: &mut dyn Read,
    append: impl Fn(&mut Vec<T>, &[u8]),
) -> io::Result<Vec<T>> {
    let mut values = reserved(count)?;
    let mut bytes = vec![0; size * READ_AT_ONCE.min(count)];
    while values.len() < count {
        bytes.truncate(size * (count - values.len()));
        from.read_exact(&mut bytes)?;
        append(&mut values, &bytes);
    }
    Ok(values)
}

fn reserved<T>(count: usize) -> io::Result<Vec<T>> {
    memory::with_capacity(count).map_err(|_| ErrorKind::OutOfMemory.into())
}

/// Writes numbers as files have them, little-endian.
pub(super) fn write_floats(values: &[f32], out: &mut dyn Write) -> io::Result<()> {
    for chunk in values.chunks(1 << 16) {
        let bytes: Vec<u8> = chunk.iter().flat_map(|v| v.to_le_bytes()).collect();
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// Writes numbers in half precision, each as the nearest; those beyond its range become infinite.
pub(super) fn write_halves(values: &[f32], out: &mut dyn Write) -> io::Result<()> {
    const AT_ONCE: usize = 1 << 12;
    for part in values.chunks(AT_ONCE) {
        let halves = part.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes());
        out.write_all(&halves.collect::<Vec<u8>>())?;
    }
    Ok(())
}

/// Writes whole numbers, little-endian.
pub(super) fn write_whole(values: &[i64], out: &mut dyn Write) -> io::Result<()> {
    for value in values {
        out.write_all(&value.to_le_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_read_exactly_and_written_to_the_nearest() {
        for (bits, value) in [
            (0x0000_u16, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0400, 6.103_515_6e-5),
            (0x0001, 5.960_464_5e-8),
            (0x83ff, -6.097_555e-5),
            (0x3555, 0.333_251_95),
            (0x7c00, f32::INFINITY),
        ] {
            let bytes = bits.to_le_bytes();
            assert_eq!(
                Element::F16.decode(&bytes),
                Values::F32(vec![value]),
                "{bits:#06x}"
            );
            let mut written = Vec::new();
            write_halves(&[value * 1.0001], &mut written).unwrap();
            assert_eq!(written, bytes, "{bits:#06x}");
        }
    }

    #[test]
    fn each_type_is_decoded() {
        let bytes = [0, 0, 0x80, 0x3f, 0xff, 0xff, 0xff, 0xff];
        let Values::F32(f) = Element::F32.decode(&bytes) else {
            panic!("no floats")
        };
        assert_eq!(f[0], 1.0);
        assert_eq!(
            Element::I32.decode(&bytes),
            Values::I64(vec![0x3f80_0000, -1])
        );
        assert_eq!(Element::BF16.decode(&bytes[2..4]), Values::F32(vec![1.0]));
        assert_eq!(Element::Bool.decode(&[2, 0]), Values::I64(vec![1, 0]));
        assert_eq!(
            Element::F64.decode(&0.5_f64.to_le_bytes()),
            Values::F32(vec![0.5])
        );
    }

    #[test]
    fn what_is_read_is_what_is_decoded_and_fills_its_vector() {
        // More than is read at once.
        let count = READ_AT_ONCE + 3;
        for element in [
            Element::F64,
            Element::F32,
            Element::BF16,
            Element::I64,
            Element::I8,
        ] {
            let bytes: Vec<u8> = (0..count * element.size())
                .map(|i| (i % 119) as u8)
                .collect();
            let read = |count: usize, mut from: &[u8]| {
                let sure = from.len() as u64;
                element.read(count as u64, &mut from, sure)
            };
            let values = read(count, &bytes).unwrap();
            assert_eq!(values, element.decode(&bytes));
            let capacity = match &values {
                Values::F32(v) => v.capacity(),
                Values::I64(v) => v.capacity(),
            };
            assert_eq!(capacity, count);
            let error = read(count + 1, &bytes).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        }
    }
}
