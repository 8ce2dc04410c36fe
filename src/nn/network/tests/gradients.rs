//! Gradients of whole networks against differences of the loss.

use super::*;

/// Loss of a step from the given parameters, in the executor's layout.
fn loss(
    network: &mut Network,
    parameters: &[Vec<f32>],
    images: &Images<'_>,
    labels: &[u32],
) -> f64 {
    for (p, values) in network.parameters_mut().zip(parameters) {
        p.value.copy_from_slice(values);
    }
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
    let values: Vec<Vec<f32>> = network.parameters_mut().map(|p| p.value.to_vec()).collect();
    loss(&mut network, &values, &images, &labels);
    let gradients: Vec<(String, Vec<f32>)> = network
        .parameters_mut()
        .map(|p| (p.name.to_owned(), p.grad.to_vec()))
        .collect();
    let norm = |v: &[f32]| v.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    let whole = gradients.iter().map(|(_, g)| norm(g)).fold(0.0, f64::max);
    for (i, (name, gradient)) in gradients.iter().enumerate() {
        let direction = numbers(&format!("{name} direction"), gradient.len());
        let mut along = |step: f32| {
            let mut moved = values.clone();
            for (v, d) in moved[i].iter_mut().zip(&direction) {
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
        let scale = norm(gradient).max(1e-2 * whole);
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
    let first = network.gradients();
    network.train_step(&images, &labels, &seeded(1)).unwrap();
    assert_eq!(network.gradients(), first);
}
