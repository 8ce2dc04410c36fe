//! One token of a theme: the same meaning at three levels of colour.

use ratatui::style::Color;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::Level;

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    #[serde(deserialize_with = "rgb")]
    rgb: Color,
    ansi256: u8,
    #[serde(deserialize_with = "ansi16")]
    ansi16: Color,
}

impl Token {
    pub const fn at(&self, level: Level) -> Color {
        match level {
            Level::None => Color::Reset,
            Level::Ansi16 => self.ansi16,
            Level::Ansi256 => Color::Indexed(self.ansi256),
            Level::True => self.rgb,
        }
    }
}

fn rgb<'de, D: Deserializer<'de>>(input: D) -> Result<Color, D::Error> {
    let text = String::deserialize(input)?;
    let digits = text.strip_prefix('#').filter(|d| d.len() == 6);
    digits
        .and_then(|d| u32::from_str_radix(d, 16).ok())
        .map(Color::from_u32)
        .ok_or_else(|| D::Error::custom(format!("\"{text}\" is not a colour such as #7cc0f0")))
}

/// Names of the sixteen colours, in the terminal's order.
const SIXTEEN: [(&str, Color); 17] = [
    ("default", Color::Reset),
    ("black", Color::Black),
    ("red", Color::Red),
    ("green", Color::Green),
    ("yellow", Color::Yellow),
    ("blue", Color::Blue),
    ("magenta", Color::Magenta),
    ("cyan", Color::Cyan),
    ("white", Color::Gray),
    ("bright-black", Color::DarkGray),
    ("bright-red", Color::LightRed),
    ("bright-green", Color::LightGreen),
    ("bright-yellow", Color::LightYellow),
    ("bright-blue", Color::LightBlue),
    ("bright-magenta", Color::LightMagenta),
    ("bright-cyan", Color::LightCyan),
    ("bright-white", Color::White),
];

fn ansi16<'de, D: Deserializer<'de>>(input: D) -> Result<Color, D::Error> {
    let text = String::deserialize(input)?;
    SIXTEEN
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, colour)| *colour)
        .ok_or_else(|| {
            let known: Vec<_> = SIXTEEN.iter().map(|(name, _)| *name).collect();
            D::Error::custom(format!("\"{text}\" is none of {}", known.join(", ")))
        })
}
