//! A ramp of colours for values from -1 to 1, mixed from three colours of the theme.

use ratatui::style::Color;

use super::Level;

/// Colours in a ramp; odd, so that zero has one of its own.
const STEPS: usize = 17;

/// From `low` over `middle` to `high`. Empty if the level has too few colours to tell values apart.
pub fn diverging(low: Color, middle: Color, high: Color, level: Level) -> Vec<Color> {
    if level < Level::Ansi256 {
        return Vec::new();
    }
    let half = (STEPS / 2) as f32;
    (0..STEPS)
        .filter_map(|step| {
            let place = step as f32 / half - 1.0;
            let end = if place < 0.0 { low } else { high };
            let mixed = mix(parts(middle)?, parts(end)?, place.abs());
            Some(match level {
                Level::True => Color::Rgb(mixed[0], mixed[1], mixed[2]),
                _ => Color::Indexed(nearest(mixed)),
            })
        })
        .collect()
}

const fn parts(colour: Color) -> Option<[u8; 3]> {
    match colour {
        Color::Rgb(r, g, b) => Some([r, g, b]),
        _ => None,
    }
}

fn mix(from: [u8; 3], to: [u8; 3], share: f32) -> [u8; 3] {
    std::array::from_fn(|i| {
        let (a, b) = (f32::from(from[i]), f32::from(to[i]));
        (a + (b - a) * share).round() as u8
    })
}

/// The nearest of the 256 colours: in the 6 by 6 by 6 cube, or among the 24 greys.
fn nearest(colour: [u8; 3]) -> u8 {
    const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let place = colour.map(|c| {
        let distance = |i: &usize| LEVELS[*i].abs_diff(c);
        (0..LEVELS.len()).min_by_key(distance).unwrap_or(0)
    });
    let cube = place.map(|i| LEVELS[i]);
    let mean = colour.iter().map(|c| u32::from(*c)).sum::<u32>() / 3;
    let grey = (mean.saturating_sub(3) / 10).min(23) as u8;
    let grey_level = 8 + 10 * grey;
    if distance(colour, [grey_level; 3]) < distance(colour, cube) {
        232 + grey
    } else {
        (16 + 36 * place[0] + 6 * place[1] + place[2]) as u8
    }
}

fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    (0..3).map(|i| u32::from(a[i].abs_diff(b[i])).pow(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ramp_goes_from_low_over_middle_to_high() {
        let [low, middle, high] =
            [[255, 0, 0], [0; 3], [0, 0, 255]].map(|[r, g, b]| Color::Rgb(r, g, b));
        let ramp = diverging(low, middle, high, Level::True);
        assert_eq!(
            (ramp[0], ramp[STEPS / 2], ramp[STEPS - 1]),
            (low, middle, high)
        );
        assert!(diverging(low, middle, high, Level::Ansi16).is_empty());
    }

    #[test]
    fn the_nearest_of_256_is_exact_for_the_cube_and_the_greys() {
        assert_eq!(nearest([255, 255, 255]), 231);
        assert_eq!(nearest([95, 135, 175]), 67);
        assert_eq!(nearest([8, 8, 8]), 232);
        assert_eq!(nearest([238, 238, 238]), 255);
    }
}
