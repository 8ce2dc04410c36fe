//! What two runs were asked for differently.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::rows::{Known, Row};
use crate::run::Request;
use crate::text::Shown;
use crate::tui::shared::Look;
use crate::tui::widgets::pane;
use crate::tui::widgets::write::{Slot, cut, cut_left, put, put_all};

/// What differs between any two runs and says nothing about what they do.
const INCIDENTAL: [&str; 3] = ["created", "created_ms", "command"];
/// Cells for the names of the values.
const NAME: u16 = 26;

/// The open comparison.
#[derive(Clone, Debug)]
pub struct Diff {
    names: [Shown; 2],
    /// Name, and the two values; a value that is absent is a dash.
    rows: Vec<(String, [Shown; 2])>,
    /// How many values are the same.
    same: usize,
}

impl Diff {
    /// Compares two runs that can be read.
    #[must_use]
    pub fn of(a: &Row, b: &Row) -> Option<Self> {
        let request = |row: &Row| {
            row.known
                .as_ref()
                .map(|Known { request, .. }| request.clone())
        };
        let (rows, same) = compare(&*request(a)?, &*request(b)?);
        Some(Self {
            names: [a, b].map(|row| Shown::new(row.id.as_str())),
            rows,
            same,
        })
    }

    pub fn view(&self, area: Rect, look: &Look, buf: &mut Buffer) {
        let inner = pane::titled(buf, area, "Requests compared", pane::Focus::Yes, look);
        let theme = &look.theme;
        let ellipsis = look.glyphs.ellipsis;
        let name = NAME.min(inner.width / 3);
        let each = (inner.width.saturating_sub(name + 4)) / 2;
        let at = |column: u16| inner.x + 1 + name + column * (each + 1);
        let mut y = inner.y;
        for (column, text) in (0..).zip(&self.names) {
            put(
                buf,
                Slot::new(at(column), y, each),
                &cut_left(text.as_str(), each, ellipsis),
                theme.dim,
            );
        }
        y += 1;
        // The last line is the summary's.
        let room = usize::from(inner.bottom().saturating_sub(y + 1));
        for (key, values) in self.rows.iter().take(room) {
            put(
                buf,
                Slot::new(inner.x + 1, y, name - 1),
                &cut(key, name - 1, ellipsis),
                theme.faint,
            );
            for (column, value) in (0..).zip(values) {
                put(
                    buf,
                    Slot::new(at(column), y, each),
                    &cut(value.as_str(), each, ellipsis),
                    theme.text,
                );
            }
            y += 1;
        }
        if y < inner.bottom() {
            let slot = Slot::new(inner.x + 1, y, inner.width.saturating_sub(1));
            put_all(
                buf,
                slot,
                &[(
                    &self.summary(self.rows.len().saturating_sub(room)),
                    theme.dim,
                )],
            );
        }
    }

    /// What is not listed: values that are equal, and `hidden` ones for which there is no room.
    fn summary(&self, hidden: usize) -> String {
        match (self.rows.len(), hidden) {
            (0, _) => format!("Both ask for the same: {} values are equal.", self.same),
            (_, 0) => format!("{} other values are equal.", self.same),
            (_, n) => format!("{n} more differ, {} are equal.", self.same),
        }
    }

    /// The runs compared.
    #[cfg(test)]
    pub const fn names(&self) -> &[Shown; 2] {
        &self.names
    }

    /// Names of the values listed.
    #[cfg(test)]
    fn keys(&self) -> Vec<&str> {
        self.rows.iter().map(|(key, _)| key.as_str()).collect()
    }
}

/// Draws what stands there if the selected run cannot be compared.
pub fn view_none(area: Rect, look: &Look, buf: &mut Buffer) {
    let inner = pane::titled(buf, area, "Requests compared", pane::Focus::Yes, look);
    let lines = [
        "There is nothing to compare this run with.",
        "Mark another one with Space.",
    ];
    pane::message(buf, inner, &lines, look);
}

fn compare(a: &Request, b: &Request) -> (Vec<(String, [Shown; 2])>, usize) {
    let (a, b) = (a.flat(), b.flat());
    let value = |side: &[(String, toml::Value)], key: &str| {
        let found = side.iter().find(|(k, _)| k == key);
        found.map(|(_, value)| plain(value))
    };
    let mut keys: Vec<&String> = a.iter().map(|(key, _)| key).collect();
    keys.extend(
        b.iter()
            .map(|(key, _)| key)
            .filter(|key| value(&a, key).is_none()),
    );
    let mut rows = Vec::new();
    let mut same = 0;
    for key in keys
        .into_iter()
        .filter(|key| !INCIDENTAL.contains(&key.as_str()))
    {
        let (left, right) = (value(&a, key), value(&b, key));
        if left == right {
            same += 1;
            continue;
        }
        let shown = |value: Option<String>| Shown::new(value.as_deref().unwrap_or("-"));
        rows.push((key.clone(), [shown(left), shown(right)]));
    }
    (rows, same)
}

/// A value without quotes.
fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{GhnRequest, TrainingRequest};

    #[test]
    fn only_what_differs_and_matters_is_listed() {
        let a = Request {
            arch: "resnet18".into(),
            init: "rand".into(),
            created_ms: 1,
            training: TrainingRequest {
                lr: 0.1,
                ..TrainingRequest::default()
            },
            ..Request::default()
        };
        let b = Request {
            init: "ghn".into(),
            created_ms: 2,
            ghn: Some(GhnRequest::default()),
            ..a.clone()
        };
        let (rows, same) = compare(&a, &b);
        let diff = Diff {
            names: ["a".into(), "b".into()],
            rows,
            same,
        };
        assert_eq!(
            diff.keys(),
            ["init", "ghn.name", "ghn.sha256", "ghn.trained"]
        );
        assert_eq!(diff.rows[0].1, [Shown::new("rand"), Shown::new("ghn")]);
        assert_eq!(diff.rows[3].1[0], Shown::new("-"));
        assert!(same > 10);
        assert!(diff.summary(0).contains("other values"));
        assert!(diff.summary(2).starts_with("2 more differ"));
    }
}
