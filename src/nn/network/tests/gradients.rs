//! Gradients of whole networks against differences of the loss.

use super::*;

/// Loss of a step from the given parameters.
fn loss(network: &mut Network, parameters: &StateDict, images: &Images<'_>, labels: &[u32]) -> f64 {
    network.load(parameters).unwrap();
    let step = network.train_step(images, labels, &seeded(3));
    step.unwrap().loss
}

/// Every parameter's gradient, along a random direction, must be the slope of the loss. The steps are
/// large against rounding and small against curvature and kinks, hence the tolerance.
fn check(arch: &Arch) {
    const STEP: f32 = 1.0 / 512.0;
    let mut network = start(arch);
    let (pixels, labels) = batch(arch, 4);
    let images = images(&pixels, 4);
    let state = network.state().unwrap();
    loss(&mut network, &state, &images, &labels);
    let gradients = network.gradients().unwrap();
    let norm = |v: &[f32]| v.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    let floats = |t: &Tensor| t.floats().unwrap().to_vec();
    let norms = gradients.iter().map(|(_, g)| norm(&floats(g)));
    let whole = norms.fold(0.0, f64::max);
    let layouts = Tensors::new(arch);
    for (name, gradient) in gradients.iter() {
        // Drawn in the executor's order: other directions meet other kinks.
        let (i, packed) = layouts.packed(name, gradient).unwrap();
        let drawn = numbers(&format!("{name} direction"), packed.len());
        let direction = floats(&layouts.named_unpacked(i, &drawn).1);
        let gradient = floats(gradient);
        let mut along = |step: f32| {
            let mut moved = state.clone();
            let values = moved.get_mut(name).and_then(Tensor::floats_mut).unwrap();
            for (v, d) in values.iter_mut().zip(&direction) {
                *v += step * d;
            }
            loss(&mut network, &moved, &images, &labels)
        };
        let measured = (along(STEP) - along(-STEP)) / f64::from(2.0 * STEP);
        let expected: f64 = gradient
            .iter()
            .zip(&direction)
            .map(|(g, d)| f64::from(*g) * f64::from(*d))
            .sum();
        let scale = norm(&gradient).max(1e-2 * whole);
        assert!(
            (measured - expected).abs() < 1e-2 * scale,
            "{name}: measured {measured}, computed {expected}, norm {scale}"
        );
    }
}

#[test]
fn gradients_of_every_kind_of_layer_are_slopes_of_the_loss() {
    check(&all_kinds());
}

#[test]
fn gradients_of_a_convnext_block_are_slopes_of_the_loss() {
    check(&transformer_like());
}

#[test]
fn gradients_of_residual_blocks_are_slopes_of_the_loss() {
    check(&residual());
}

#[test]
fn gradients_of_densely_connected_layers_are_slopes_of_the_loss() {
    check(&dense());
}

#[test]
fn gradients_of_mobile_blocks_are_slopes_of_the_loss() {
    check(&mobile());
}

#[test]
fn gradients_of_a_vision_transformer_are_slopes_of_the_loss() {
    check(&vision_transformer());
}

#[test]
fn gradients_of_attention_along_two_axes_are_slopes_of_the_loss() {
    check(&multi_axis());
}

#[test]
fn gradients_of_pixels_that_move_are_slopes_of_the_loss() {
    check(&moved_pixels());
}

#[test]
fn gradients_of_attention_within_windows_are_slopes_of_the_loss() {
    check(&windows());
}

#[test]
fn steps_forget_the_gradients_of_earlier_ones() {
    let arch = residual();
    let mut network = start(&arch);
    let (pixels, labels) = batch(&arch, 4);
    let images = images(&pixels, 4);
    network.train_step(&images, &labels, &seeded(1)).unwrap();
    let first = network.gradients().unwrap();
    network.train_step(&images, &labels, &seeded(1)).unwrap();
    assert_eq!(network.gradients().unwrap(), first);
}
