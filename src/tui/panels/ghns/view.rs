//! Draws the panel: the list, what the chosen GHN is, how good it is, its card or a split's networks.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::layout::{ENTRY, Layout};
use super::rows::axis_end;
use super::splits_view::SplitsView;
use super::{GhnsPanel, Pane, UNTRAINED};
use crate::engine::protocol::{EvaluationRecord, GhnReport, GhnSummary};
use crate::run::clock;
use crate::text::Shown;
use crate::tui::selection::short_ghn;
use crate::tui::shared::Shared;
use crate::tui::widgets::bar::progress;
use crate::tui::widgets::number;
use crate::tui::widgets::pane::{self, Focus};
use crate::tui::widgets::write::{Slot, cut, cut_left, put, put_right, width};

/// Cells of the bar of progress beside the GHN that is evaluated.
const PROGRESS: u16 = 5;

/// Cells that a title's line takes besides its words on the left and on the right.
const AROUND_TITLES: u16 = 9;
/// Letters of a time, to the minute and to the day.
const MINUTE: usize = 16;
const DAY: usize = 10;

/// Draws the whole panel.
pub fn draw(panel: &GhnsPanel, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let layout = panel.layout(shared);
    let view = View { panel, shared };
    if layout.list.height > 0 {
        view.list(layout.list, &layout, buf);
    }
    if layout.about.height > 0 {
        view.chosen(&layout, buf);
    }
    if layout.list.height > 0 && layout.about.height > 0 {
        let (look, x) = (&shared.look, layout.about.x - 1);
        pane::divider(buf, x, area.y + 1, area.height.saturating_sub(1), look);
        put(
            buf,
            Slot::new(x, area.y, 1),
            look.glyphs.rule,
            look.theme.line,
        );
    }
    if let Some(form) = &panel.form {
        form.view(area, &shared.look, buf);
    }
}

struct View<'a> {
    panel: &'a GhnsPanel,
    shared: &'a Shared,
}

impl View<'_> {
    fn focus(&self, pane: Pane) -> Focus {
        Focus::when(self.panel.pane == pane)
    }

    // The list.

    fn list(&self, area: Rect, layout: &Layout, buf: &mut Buffer) {
        let look = &self.shared.look;
        let inner = pane::titled(buf, area, "GHNs", self.focus(Pane::List), look);
        let ghns = &self.panel.ghns;
        if ghns.is_empty() {
            let lines = ["Looking which GHNs there are."];
            return pane::message(buf, inner, &lines, look);
        }
        let window = self.panel.list.window(ghns.len(), layout.list_page());
        for (line, at) in (0..).zip(window) {
            let place = Rect {
                y: inner.y + line * ENTRY,
                height: ENTRY,
                ..inner
            };
            if at == self.panel.list.at {
                let style = look.theme.cursor(self.panel.pane == Pane::List);
                buf.set_style(place.intersection(buf.area), style);
            }
            self.entry(&ghns[at], place, buf);
        }
    }

    /// Name and where it is; what it is below.
    fn entry(&self, ghn: &GhnSummary, place: Rect, buf: &mut Buffer) {
        let (theme, glyphs) = (&self.shared.look.theme, &self.shared.look.glyphs);
        if ghn.name == self.shared.selection.ghn {
            let slot = Slot::new(place.x, place.y, 1);
            put(buf, slot, glyphs.running, theme.accent);
        }
        let slot = Slot::new(place.x + 2, place.y, place.width.saturating_sub(3));
        let (text, style) = self.state(ghn);
        let used = put_right(buf, slot, &text, style);
        let room = slot.width.saturating_sub(used + 1);
        let name = short_ghn(&ghn.name);
        let name = cut(name.as_str(), room, glyphs.ellipsis);
        put(buf, Slot::new(slot.x, slot.y, room), &name, theme.text);
        let below = Slot::new(slot.x, slot.y + 1, slot.width);
        let description = Shown::new(&ghn.description);
        let description = cut(description.as_str(), below.width, glyphs.ellipsis);
        put(buf, below, &description, theme.dim);
    }

    /// How far its evaluation is, else how large its file is.
    fn state(&self, ghn: &GhnSummary) -> (String, Style) {
        let theme = &self.shared.look.theme;
        let running = self.panel.running.as_ref();
        if running.is_some_and(|running| running.spec.ghn == ghn.name) {
            let work = self.shared.engine.background.as_ref();
            let (done, total) = work.map_or((0, 0), |work| (work.done, work.total));
            let glyphs = &self.shared.look.glyphs;
            return (progress(done, total, PROGRESS, glyphs), theme.accent);
        }
        match (ghn.bytes, ghn.large) {
            (Some(bytes), _) => (number::bytes(bytes), theme.faint),
            (None, false) => ("built in".to_owned(), theme.faint),
            (None, true) => (String::new(), theme.faint),
        }
    }

    // The chosen one.

    fn chosen(&self, layout: &Layout, buf: &mut Buffer) {
        let Some(chosen) = self.panel.chosen() else {
            pane::titled(buf, layout.about, "", Focus::No, &self.shared.look);
            return;
        };
        let name = short_ghn(&chosen.name);
        let look = &self.shared.look;
        let about = pane::titled(buf, layout.about, name.as_str(), Focus::No, look);
        let report = self.panel.report(self.shared);
        if let Some(report) = report {
            self.about(report, layout.about, about, buf);
        } else {
            self.without_report(chosen, about, buf);
        }
        if layout.splits.height > 0 {
            self.splits(report, layout, buf);
        }
        if layout.below.height > 1 {
            self.below(report, layout, buf);
        }
    }

    fn without_report(&self, chosen: &GhnSummary, area: Rect, buf: &mut Buffer) {
        let look = &self.shared.look;
        let question = self.panel.question(self.shared);
        let failure = question
            .as_ref()
            .and_then(|question| self.panel.reports.failure(question));
        if let Some(reason) = failure {
            let words = format!("It could not be opened (o tries again): {reason}");
            return lines(buf, area, &[(words, look.theme.bad)]);
        }
        let words = if self.panel.needs_opening(self.shared) {
            "It is large, so that it is only opened when you say so: o opens it."
        } else {
            "It is being opened."
        };
        let description = Shown::new(&chosen.description).to_string();
        let said = [
            (description, look.theme.dim),
            (words.to_owned(), look.theme.dim),
        ];
        lines(buf, area, &said);
    }

    /// What it is, in words; where its file lies in the title.
    fn about(&self, report: &GhnReport, pane: Rect, area: Rect, buf: &mut Buffer) {
        let (theme, glyphs) = (&self.shared.look.theme, &self.shared.look.glyphs);
        let path = report.path.as_deref().map(Shown::new);
        if let Some(path) = path {
            let room = pane.width.saturating_sub(width(&report.name) + 10);
            let path = format!(" {} ", cut_left(path.as_str(), room, glyphs.ellipsis));
            let slot = Slot::new(pane.x, pane.y, pane.width.saturating_sub(1));
            put_right(buf, slot, &path, theme.faint);
        }
        let dot = format!(" {} ", glyphs.dot);
        let weights = number::count_inline(report.params);
        let drawn = if report.trained {
            format!("{weights} trained weights")
        } else {
            format!("{weights} random weights: what it predicts is noise")
        };
        let first = format!("{}{dot}{drawn}", Shown::new(&report.description));
        let details = report.details.iter().map(|(what, value)| {
            let (what, value) = (Shown::new(what), Shown::new(value));
            match value.as_str() {
                "yes" => what.to_string(),
                "no" => format!("no {what}"),
                value => format!("{what} {value}"),
            }
        });
        let details: Vec<String> = details.collect();
        let style = if report.trained {
            theme.text
        } else {
            theme.warning
        };
        lines(
            buf,
            area,
            &[(first, style), (details.join(&dot), theme.dim)],
        );
    }

    // How good it is.

    fn splits(&self, report: Option<&GhnReport>, layout: &Layout, buf: &mut Buffer) {
        let look = &self.shared.look;
        let record = self.panel.record(self.shared);
        let focus = self.focus(Pane::Splits);
        let (title, when) = self.setting_and_time(record, layout.splits.width);
        let inner = pane::titled(buf, layout.splits, &title, focus, look);
        self.beside_title(layout.splits, &title, &when, buf);
        if self.panel.rows.is_empty() {
            if report.is_some() {
                let lines = [
                    "Not evaluated yet: press e.",
                    "It predicts networks that nobody trains; how many test images do they get right?",
                ];
                pane::message(buf, inner, &lines, look);
            }
            return;
        }
        let at = Some(self.panel.split.at).filter(|_| self.panel.pane == Pane::Splits);
        SplitsView {
            rows: &self.panel.rows,
            at,
            pitch: layout.pitch,
            look,
        }
        .draw(inner, buf);
    }

    /// What was evaluated on, and when; the longest words that fit beside each other.
    fn setting_and_time(&self, record: Option<&EvaluationRecord>, room: u16) -> (String, String) {
        let settings = match record {
            Some(record) => setting(record),
            None => ["Accuracy".to_owned(), "Accuracy".to_owned()],
        };
        let times = self.times(record);
        let pairs = settings
            .iter()
            .flat_map(|s| times.iter().map(move |t| (s, t)));
        let mut fitting = pairs.filter(|(s, t)| width(s) + width(t) + AROUND_TITLES <= room);
        let found = fitting.next().map(|(s, t)| (s.clone(), t.clone()));
        found.unwrap_or_else(|| (settings[0].clone(), String::new()))
    }

    /// When it was evaluated, and which of how many evaluations this is: to the minute, to the day.
    fn times(&self, record: Option<&EvaluationRecord>) -> [String; 2] {
        if self.panel.running_here().is_some() {
            return ["evaluating".to_owned(), "evaluating".to_owned()];
        }
        let Some(record) = record else {
            return [String::new(), String::new()];
        };
        let which = match self.panel.evaluations(self.shared).len() {
            0 | 1 => String::new(),
            all => format!("  {}/{all}", self.panel.evaluation + 1),
        };
        [MINUTE, DAY].map(|letters| match record.evaluated_ms {
            Some(ms) => {
                let time = clock::iso(ms).replace('T', " ");
                time.chars().take(letters).collect::<String>() + &which
            }
            None => format!("by its maker{which}"),
        })
    }

    /// A few words at the right of a pane's title, if there is room.
    fn beside_title(&self, pane: Rect, title: &str, words: &str, buf: &mut Buffer) {
        let slot = Slot::new(pane.x, pane.y, pane.width.saturating_sub(1));
        if !words.is_empty() && width(title) + width(words) + AROUND_TITLES <= pane.width {
            let style = self.shared.look.theme.faint;
            put_right(buf, slot, &format!(" {words} "), style);
        }
    }

    // Below.

    fn below(&self, report: Option<&GhnReport>, layout: &Layout, buf: &mut Buffer) {
        let look = &self.shared.look;
        let focus = self.focus(Pane::Below);
        if let Some(networks) = &self.panel.networks {
            let title = format!("Networks of {}, the best first", networks.part.word());
            let inner = pane::titled(buf, layout.below, &title, focus, look);
            let end = axis_end(&self.panel.rows);
            self.beside_title(
                layout.below,
                &title,
                &format!("bars end at {end:.0} %"),
                buf,
            );
            return networks.view(inner, end, focus == Focus::Yes, look, buf);
        }
        let inner = pane::titled(buf, layout.below, "Card", focus, look);
        let card = &self.panel.card;
        if card.is_empty() {
            let words = match report.map(|report| report.name.as_str()) {
                None => "",
                Some(UNTRAINED) => "Its weights are random: it is there for comparison.",
                Some(_) => "Its file says nothing of how it was made.",
            };
            return pane::message(buf, inner, &[words], look);
        }
        let page = usize::from(inner.height);
        let shown = card.iter().skip(self.panel.card_top).take(page);
        for (y, line) in (inner.y..).zip(shown) {
            let slot = Slot::new(inner.x + 1, y, inner.width.saturating_sub(2));
            put(buf, slot, line.as_str(), look.theme.dim);
        }
        if card.len() > page {
            let last = (self.panel.card_top + page).min(card.len());
            let place = format!("{last} of {} lines", card.len());
            self.beside_title(layout.below, "Card", &place, buf);
        }
    }
}

/// What was evaluated on: in full, and without what is the same nearly always.
fn setting(record: &EvaluationRecord) -> [String; 2] {
    let setting = &record.evaluation.setting;
    let data = Shown::new(&setting.data);
    let short = format!(
        "{data}: {} images, {side}x{side}",
        setting.images,
        side = setting.side
    );
    [format!("{short}, batches of {}", setting.batch), short]
}

/// Texts below each other, each wrapped, as far as there is room.
fn lines(buf: &mut Buffer, area: Rect, texts: &[(String, Style)]) {
    let room = area.width.saturating_sub(2);
    let parts = texts.iter().flat_map(|(text, style)| {
        let wrapped = pane::wrap(text, room).into_iter();
        wrapped.map(|part| (part, *style))
    });
    for (y, (part, style)) in (area.y..area.bottom()).zip(parts) {
        put(buf, Slot::new(area.x + 1, y, room), &part, style);
    }
}
