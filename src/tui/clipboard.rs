//! The terminal's clipboard, by OSC 52.

use std::io::Write as _;

/// Longest text that is copied, in bytes: some terminals drop longer sequences whole.
const LONGEST: usize = 74_994;

/// The sequence that puts `text` on the clipboard, or nothing if it is too long.
#[must_use]
pub fn sequence(text: &str) -> Option<String> {
    (text.len() <= LONGEST).then(|| format!("\x1b]52;c;{}\x07", base64(text.as_bytes())))
}

/// Sends the sequence to the terminal. It is one write of a whole sequence, so that a frame written
/// at the same time by another thread stays whole too.
pub fn copy(text: &str) -> Result<(), String> {
    let sequence = sequence(text).ok_or("the text is too long for the terminal's clipboard")?;
    let mut out = std::io::stdout().lock();
    out.write_all(sequence.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| format!("writing to the terminal: {error}"))
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .enumerate()
            .fold(0_u32, |g, (i, b)| g | u32::from(*b) << (16 - 8 * i));
        for i in 0..4 {
            if i <= chunk.len() {
                let letter = LETTERS[(group >> (18 - 6 * i) & 63) as usize];
                text.push(char::from(letter));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_the_standard_one() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn too_long_a_text_is_refused() {
        assert!(sequence(&"x".repeat(LONGEST + 1)).is_none());
    }
}
