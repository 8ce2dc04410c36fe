//! A few values as one line of bars.

use super::glyphs::Glyphs;

/// One bar per character for up to `width` values between 0 and `1`, evenly thinned if there are more.
///
/// A value above zero is never drawn as nothing; one that is not finite is `?`.
#[must_use]
pub fn outline(values: &[f32], width: usize, glyphs: Glyphs) -> String {
    let shown = values.len().min(width);
    (0..shown)
        .map(|index| values[index * values.len() / shown])
        .map(|value| match value {
            value if !value.is_finite() => '?',
            value if value <= 0.0 => glyphs.bar(0),
            value => glyphs.bar((value * 8.0).round().clamp(1.0, 8.0) as usize),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_follow_the_values() {
        let text = outline(&[1.0, 0.5, 0.01, 0.0, f32::NAN], 8, Glyphs::Braille);
        assert_eq!(text, "█▄▁ ?");
    }

    #[test]
    fn more_values_than_room_are_thinned() {
        let values: Vec<f32> = (0..16).map(|i| 1.0 - i as f32 / 16.0).collect();
        assert_eq!(outline(&values, 4, Glyphs::Braille).chars().count(), 4);
    }
}
