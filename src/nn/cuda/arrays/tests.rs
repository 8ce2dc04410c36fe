//! Arrays on the emulated device.

use super::*;
use crate::arch::Activation;
use crate::nn::BiasedAttention;
use crate::nn::kernel::testing::{assert_near, numbers};

fn fetched(arrays: &mut Arrays, array: &Array) -> Vec<f32> {
    arrays.fetch(array.view()).unwrap().to_vec()
}

#[test]
fn values_come_back_as_they_went() {
    let Some(mut arrays) = Arrays::emulated(usize::MAX) else {
        return;
    };
    // More than one piece, and not a whole number of them.
    let values = numbers("values", PIECE / size_of::<f32>() + 5);
    let kept = arrays.keep(&values).unwrap();
    let lent = arrays.upload(&values).unwrap();
    assert_eq!(fetched(&mut arrays, &kept), values);
    assert_eq!(fetched(&mut arrays, &lent), values);
    let copy = arrays.copy(lent.view().part(4, 3)).unwrap();
    assert_eq!(fetched(&mut arrays, &copy), values[4..7]);
}

#[test]
fn memory_of_what_is_dropped_is_used_again_but_never_that_of_what_is_kept() {
    let Some(mut arrays) = Arrays::emulated(4096) else {
        return;
    };
    let kept = arrays.keep(&[1.0; 256]).unwrap();
    for round in 0..9 {
        let lent = arrays.upload(&[round as f32; 512]).unwrap();
        assert_eq!(fetched(&mut arrays, &lent), [round as f32; 512]);
    }
    let error = arrays.take(1024).unwrap_err();
    assert!(matches!(error, DeviceError::OutOfMemory { .. }), "{error}");
    arrays.release();
    drop(arrays.take(768).unwrap());
    assert_eq!(fetched(&mut arrays, &kept), [1.0; 256]);
    let error = arrays.take(1 << 40).unwrap_err();
    assert!(matches!(error, DeviceError::OutOfMemory { .. }), "{error}");
}

#[test]
fn rows_and_corners_are_those_asked_for() {
    let Some(mut arrays) = Arrays::emulated(usize::MAX) else {
        return;
    };
    let x: Vec<f32> = (0..12).map(|v| v as f32).collect();
    let x = arrays.upload(&x).unwrap();
    let indices = arrays.upload_indices(&[2, 0, 2]).unwrap();
    let rows = arrays.rows(x.view(), 4, indices.view()).unwrap();
    let expected = [
        8.0, 9.0, 10.0, 11.0, 0.0, 1.0, 2.0, 3.0, 8.0, 9.0, 10.0, 11.0,
    ];
    assert_eq!(fetched(&mut arrays, &rows), expected);
    let corner = arrays.corner(x.view(), 4, [2, 3]).unwrap();
    assert_eq!(
        fetched(&mut arrays, &corner),
        [0.0, 1.0, 2.0, 4.0, 5.0, 6.0]
    );
    let bias = arrays.upload(&[10.0, 20.0, 30.0]).unwrap();
    arrays.add_bias(corner.view(), bias.view()).unwrap();
    arrays.add(corner.view(), corner.view()).unwrap();
    arrays.activate(Activation::Relu6, corner.view()).unwrap();
    assert_eq!(fetched(&mut arrays, &corner), [6.0; 6]);
}

#[test]
fn attention_with_a_bias_is_that_of_the_processor() {
    let Some(mut arrays) = Arrays::emulated(usize::MAX) else {
        return;
    };
    for (tokens, heads, width) in [(1, 1, 1), (7, 2, 3), (33, 4, 8)] {
        let qkv = numbers("queries", tokens * 3 * heads * width);
        let kinds: Vec<u32> = (0..tokens * tokens).map(|i| (i % 5) as u32).collect();
        let table = numbers("table", 5 * heads);
        let of = |h: usize| kinds.iter().map(move |k| (*k as usize, h));
        let spread = (0..heads).flat_map(of).map(|(k, h)| table[k * heads + h]);
        let bias: Vec<f32> = spread.collect();
        let expected = BiasedAttention::new(heads, width, &bias).forward(&qkv);
        let qkv = arrays.upload(&qkv).unwrap();
        let [table, kinds] = [
            arrays.upload(&table).unwrap(),
            arrays.upload_indices(&kinds).unwrap(),
        ];
        let spread = arrays.pair_bias(table.view(), kinds.view(), heads).unwrap();
        assert_eq!(fetched(&mut arrays, &spread), bias);
        let out = arrays.attention(qkv.view(), spread.view(), heads).unwrap();
        assert_near(&fetched(&mut arrays, &out), &expected, 1e-5);
    }
}
