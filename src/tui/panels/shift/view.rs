//! Draws the panel: legend, sentence, measures, features, what was never seen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::ShiftPanel;
use super::features::FeaturesView;
use super::layout::Layout;
use super::measures::MeasuresView;
use super::unseen::UnseenView;
use crate::engine::protocol::ShiftReport;
use crate::text::Shown;
use crate::tui::shared::Shared;
use crate::tui::widgets::bar::progress;
use crate::tui::widgets::number;
use crate::tui::widgets::pane::{self, Focus};
use crate::tui::widgets::write::{Slot, cut, put, put_all};

/// Cells of a bar of progress.
const PROGRESS: u16 = 10;

/// Draws everything.
pub fn draw(panel: &ShiftPanel, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let view = View { panel, shared };
    let questions = panel.questions(shared);
    let Some(report) = panel.answers.report(&questions[0]) else {
        view.without_report(area, buf);
        return;
    };
    let second = questions.get(1).and_then(|q| panel.answers.report(q));
    let layout = Layout::of(area);
    view.left(report, second, &layout, buf);
    if layout.has_charts {
        let (look, x) = (&shared.look, layout.unseen.x - 1);
        pane::divider(buf, x, area.y + 1, area.height - 1, look);
        put(
            buf,
            Slot::new(x, area.y, 1),
            look.glyphs.rule,
            look.theme.line,
        );
    }
    UnseenView {
        report,
        cursor: &panel.cursor,
        working: view.working(),
        look: &shared.look,
    }
    .draw(&layout, buf);
}

struct View<'a> {
    panel: &'a ShiftPanel,
    shared: &'a Shared,
}

impl View<'_> {
    /// What is being done, what failed, or that the engine is not there.
    fn without_report(&self, area: Rect, buf: &mut Buffer) {
        let look = &self.shared.look;
        let inner = pane::titled(buf, area, "Shift", Focus::Yes, look);
        let line = Slot::new(inner.x + 1, inner.y, inner.width.saturating_sub(2));
        if let Some(picker) = &self.panel.picker {
            picker.view(line, look, buf);
        }
        let below = Rect {
            y: inner.y + 1,
            height: inner.height.saturating_sub(1),
            ..inner
        };
        let first = &self.panel.questions(self.shared)[0];
        if let Some(reason) = self.panel.answers.failure(first) {
            let lines = [
                "This network could not be compared with the training networks.",
                reason.as_str(),
                "Enter tries again, / picks another network.",
            ];
            return pane::message(buf, below, &lines, look);
        }
        let name = Shown::new(&first.arch.name);
        let words = format!("Comparing {name} with the networks that GHNs are trained on");
        let doing = self.working().unwrap_or_default();
        pane::message(buf, below, &[words.as_str(), doing.as_str()], look);
    }

    /// What the engine does for this panel now.
    fn working(&self) -> Option<String> {
        let questions = self.panel.questions(self.shared);
        if !questions.iter().any(|q| self.panel.answers.is_asked(q)) {
            return None;
        }
        let work = self.shared.engine.work.as_ref()?;
        let bar = progress(work.done, work.total, PROGRESS, &self.shared.look.glyphs);
        Some(format!("{} {bar}", work.what))
    }

    fn left(
        &self,
        report: &ShiftReport,
        second: Option<&ShiftReport>,
        layout: &Layout,
        buf: &mut Buffer,
    ) {
        let look = &self.shared.look;
        let title = format!("Shift from {} training networks", report.networks);
        let inner = pane::titled(buf, layout.left, &title, Focus::No, look);
        let line = Slot::new(inner.x + 1, inner.y, inner.width.saturating_sub(2));
        match &self.panel.picker {
            Some(picker) => picker.view(line, look, buf),
            None => self.legend(report, second, line, buf),
        }
        self.sentence(report, layout.sentence, buf);
        let measures = MeasuresView {
            report,
            second,
            look,
        };
        let features = FeaturesView {
            report,
            second,
            look,
        };
        if layout.has_charts {
            measures.charts(layout.measures, buf);
            features.draw(layout.feature_rows, layout.features, buf);
        } else {
            measures.lines(layout.measures, buf);
            features.summary(layout.features, buf);
        }
    }

    /// The networks with their marks.
    fn legend(
        &self,
        report: &ShiftReport,
        second: Option<&ShiftReport>,
        slot: Slot,
        buf: &mut Buffer,
    ) {
        let (theme, glyphs) = (&self.shared.look.theme, &self.shared.look.glyphs);
        let name = format!(" {}", Shown::new(&report.arch));
        let sizes = format!(
            "  {} parameters, {} classes, {s} x {s} pixels",
            number::count_inline(report.params),
            report.classes,
            s = report.image
        );
        let mut pieces = vec![(glyphs.mark, theme.series(0)), (&name, theme.series(0))];
        let other = self.shared.selection.second.as_deref();
        let other = other.filter(|other| *other != report.arch);
        let (gap, text);
        match other {
            None => pieces.push((&sizes, theme.dim)),
            Some(other) => {
                gap = "   ";
                let waits = if second.is_some() {
                    ""
                } else {
                    ", being compared"
                };
                text = format!(" {}{waits}", Shown::new(other));
                pieces.push((gap, theme.dim));
                pieces.push((glyphs.second_mark, theme.series(1)));
                pieces.push((&text, theme.series(1)));
            }
        }
        put_all(buf, slot, &pieces);
    }

    fn sentence(&self, report: &ShiftReport, area: Rect, buf: &mut Buffer) {
        let look = &self.shared.look;
        let text = Shown::new(&report.summary);
        let mut lines = pane::wrap(text.as_str(), area.width);
        let most = usize::from(area.height);
        if lines.len() > most && most > 0 {
            lines.truncate(most);
            let last = lines.pop().unwrap_or_default() + " ";
            lines.push(cut(
                &(last + look.glyphs.ellipsis),
                area.width,
                look.glyphs.ellipsis,
            ));
        }
        for (y, line) in area.rows().map(|row| row.y).zip(&lines) {
            put(buf, Slot::new(area.x, y, area.width), line, look.theme.text);
        }
    }
}
