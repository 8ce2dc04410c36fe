//! Draws the list of runs and the details of the selected one.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::layout::{LINES_PER_RUN, Layout};
use super::list::RunList;
use super::log::damaged_lines;
use super::rows::{Known, Row};
use crate::run::{Status, StepPhases};
use crate::text::Shown;
use crate::tui::charts::{Colours, Glyphs, clock, significant};
use crate::tui::shared::Look;
use crate::tui::widgets::pane;
use crate::tui::widgets::write::{Slot, cut, cut_left, put, put_all, put_right, width};

/// Cells before a run's name: the cursor, the marker, a space each.
const INDENT: u16 = 4;
/// With less room than this beside the accuracy, the reason of a failure takes its place.
const LEAST_REASON: u16 = 14;

/// The list in its place.
pub struct ListView<'a> {
    pub list: &'a RunList,
    pub colours: &'a Colours,
    pub glyphs: Glyphs,
    pub look: &'a Look,
}

impl ListView<'_> {
    /// Draws title, filter and the runs around the cursor.
    pub fn view(&self, layout: &Layout, buf: &mut Buffer) {
        let mut area = pane::titled(buf, layout.list, &self.title(), pane::Focus::No, self.look);
        if let Some(filter) = self.list.filter() {
            let slot = Slot::new(area.x + 1, area.y, area.width.saturating_sub(2));
            put(buf, slot, "/", self.look.theme.accent);
            let text = Slot::new(slot.x + 2, slot.y, slot.width.saturating_sub(2));
            if self.list.is_typing() {
                filter.view(buf, text, self.look);
            } else {
                let typed = Shown::new(filter.text());
                put(buf, text, typed.as_str(), self.look.theme.text);
            }
            area.y += 1;
            area.height = area.height.saturating_sub(1);
        }
        let shown = self.list.shown();
        if shown.len() == 0 {
            pane::message(buf, area, &["No run matches.", "Esc shows all."], self.look);
            return;
        }
        let page = layout.page(self.list.filter().is_some());
        let window = self.list.cursor.window(shown.len(), page);
        let first = window.start;
        for (place, row) in shown.enumerate().skip(first).take(window.len()) {
            let y = area.y + (place - first) as u16 * LINES_PER_RUN;
            let slot = Rect::new(area.x, y, area.width, LINES_PER_RUN);
            self.row(row, place == self.list.cursor.at, slot, buf);
        }
    }

    fn title(&self) -> String {
        let (drawn, all) = (self.list.drawn().len(), self.list.rows().len());
        let shown = self.list.shown().len();
        if shown < all {
            format!("Runs {} {shown} of {all} listed", self.look.glyphs.dot)
        } else if drawn > 1 {
            format!("Runs {} {drawn} of {all} drawn", self.look.glyphs.dot)
        } else {
            format!("Runs {} {all}", self.look.glyphs.dot)
        }
    }

    fn row(&self, row: &Row, selected: bool, area: Rect, buf: &mut Buffer) {
        let theme = &self.look.theme;
        let ellipsis = self.look.glyphs.ellipsis;
        if selected {
            buf.set_style(area.intersection(buf.area), theme.selection);
            put(
                buf,
                Slot::new(area.x, area.y, 1),
                self.look.glyphs.cursor,
                theme.accent,
            );
        }
        if let Some(key) = self.list.colour_key(row) {
            let slot = self.colours.slot(key);
            let marker = self.glyphs.marker(slot.marker).to_string();
            put(
                buf,
                Slot::new(area.x + 2, area.y, 1),
                &marker,
                theme.series(slot.colour),
            );
        }
        let room = area.width.saturating_sub(INDENT);
        let slot = Slot::new(area.x + INDENT, area.y, room);
        let arch = cut(row.arch.as_str(), room, ellipsis);
        let init_room = room.saturating_sub(width(&arch) + 2);
        let init = cut(row.init.as_str(), init_room, ellipsis);
        // Within an experiment many runs have the same network and start. A cut number would be another.
        let seed = row.known.as_ref().filter(|_| row.group.is_some());
        let seed = seed.map(|known| format!("  {}", known.request.seed));
        let left = init_room.saturating_sub(width(&init));
        let seed = seed.filter(|seed| width(seed) <= left).unwrap_or_default();
        put_all(
            buf,
            slot,
            &[
                (&arch, theme.text),
                ("  ", theme.dim),
                (&init, theme.dim),
                (&seed, theme.faint),
            ],
        );
        self.state(row, Slot::new(slot.x, slot.y + 1, room), buf);
    }

    /// State, progress and the last accuracy; or why it ended.
    fn state(&self, row: &Row, slot: Slot, buf: &mut Buffer) {
        let theme = &self.look.theme;
        let (glyph, word, style) = self.status(row.status());
        let mut used = put_all(buf, slot, &[(glyph, style), (" ", style), (word, style)]);
        used += 1;
        let (accuracy, progress) = match &row.known {
            Some(known) => (known.accuracy.as_str(), known.progress.as_str()),
            None => ("", ""),
        };
        let why = row
            .why
            .as_ref()
            .filter(|_| row.status() != Some(Status::Stopped));
        let mut room = slot.width.saturating_sub(used + 1);
        let beside = room.saturating_sub(width(accuracy) + 1);
        let squeezed = why.is_some_and(|why| width(why.as_str()) > beside && beside < LEAST_REASON);
        if !accuracy.is_empty() && !squeezed {
            put_right(
                buf,
                Slot::new(slot.x, slot.y, slot.width - 1),
                accuracy,
                theme.text,
            );
            room = beside;
        }
        let said = match why {
            Some(why) => cut(why.as_str(), room, self.look.glyphs.ellipsis),
            None => fitting(progress, room).to_owned(),
        };
        put(
            buf,
            Slot::new(slot.x + used, slot.y, room),
            &said,
            theme.dim,
        );
    }

    fn status(&self, status: Option<Status>) -> (&'static str, &'static str, Style) {
        let (glyphs, theme) = (&self.look.glyphs, &self.look.theme);
        let Some(status) = status else {
            return (glyphs.failed, "damaged", theme.bad);
        };
        let (glyph, style) = match status {
            Status::Queued => (glyphs.waiting, theme.dim),
            Status::Starting => (glyphs.waiting, theme.accent),
            Status::Running => (glyphs.running, theme.accent),
            Status::Paused => (glyphs.paused, theme.warning),
            Status::Stopped => (glyphs.waiting, theme.dim),
            Status::Finished => (glyphs.done, theme.good),
            Status::Failed | Status::Died => (glyphs.failed, theme.bad),
        };
        (glyph, status.word(), style)
    }

    /// What is known of the selected run, the most useful first, as far as there is room.
    ///
    /// `lost` lines of its log were damaged.
    pub fn details(&self, area: Rect, lost: u64, buf: &mut Buffer) {
        let Some(row) = self.list.selected() else {
            return;
        };
        if area.height < 2 {
            return;
        }
        // The end of a name tells runs of the same minute apart.
        let room = area.width.saturating_sub(6);
        let title = cut_left(row.id.as_str(), room, self.look.glyphs.ellipsis);
        let inner = pane::titled(buf, area, &title, pane::Focus::No, self.look);
        let theme = &self.look.theme;
        let mut y = inner.y;
        if let Some(why) = &row.why {
            let width = inner.width.saturating_sub(2);
            // The reason leaves one line for what the run is.
            let most = usize::from(inner.height.saturating_sub(1)).max(1);
            let mut lines = pane::wrap(why.as_str(), width);
            if lines.len() > most {
                lines.truncate(most);
                let ellipsis = self.look.glyphs.ellipsis;
                let last = lines.pop().unwrap_or_default();
                let more = cut(&last, width.saturating_sub(1), "") + ellipsis;
                lines.push(more);
            }
            for line in lines {
                put(buf, Slot::new(inner.x + 1, y, width), &line, theme.bad);
                y += 1;
            }
        }
        if lost > 0 && y < inner.bottom() {
            let text = format!("{} in its log", damaged_lines(lost));
            let slot = Slot::new(inner.x + 1, y, inner.width.saturating_sub(2));
            put(buf, slot, &text, theme.warning);
            y += 1;
        }
        let facts = row.known.as_ref().map(facts).unwrap_or_default();
        for (name, value) in facts {
            if y >= inner.bottom() {
                return;
            }
            let slot = Slot::new(inner.x + 1, y, inner.width.saturating_sub(2));
            let value = Shown::new(&value);
            let value = cut(
                value.as_str(),
                slot.width.saturating_sub(7),
                self.look.glyphs.ellipsis,
            );
            let name = format!("{name:<7}");
            put_all(buf, slot, &[(&name, theme.faint), (&value, theme.dim)]);
            y += 1;
        }
    }
}

/// `e 41/300` if it fits, else `e 41`, else nothing: a number that is cut is another number.
fn fitting(progress: &str, room: u16) -> &str {
    let short = progress.split('/').next().unwrap_or_default();
    let fits = |form: &&str| width(form) <= room;
    [progress, short].into_iter().find(fits).unwrap_or_default()
}

/// Name and value of what is worth knowing.
fn facts(run: &Known) -> Vec<(&'static str, String)> {
    let (request, standing) = (&run.request, &run.standing);
    let mut facts = vec![("data", data(run))];
    if let Some(ghn) = &request.ghn {
        let trained = if ghn.trained { "" } else { ", untrained" };
        let name = ghn.name.rsplit('/').next().unwrap_or(&ghn.name);
        facts.push(("GHN", format!("{name}{trained}")));
    }
    let seconds = standing.active_ms as f64 / 1000.0;
    let rest = match &run.left {
        Some(left) => format!(", {left} left"),
        None if run.progress.is_empty() => String::new(),
        None => format!(", {}", run.progress),
    };
    facts.push(("time", clock(seconds) + &rest));
    if let Some(before) = &standing.before {
        let value = significant(before.top1, 3);
        let chance = significant(request.chance(), 2);
        facts.push(("start", format!("{value} %, chance {chance} %")));
    }
    if let Some(best) = standing.best_test.or(standing.best_val) {
        let value = significant(best.top1, 4);
        facts.push(("best", format!("{value} % at epoch {:.0}", best.epoch)));
    }
    if let Some(train) = &standing.train {
        let loss = significant(train.loss, 4);
        let speed = significant(train.images_per_s, 3);
        facts.push(("train", format!("loss {loss}, {speed} images/s")));
    }
    if let (Some(phases), Some(recipe)) = (&standing.phases, &request.ghn_recipe) {
        facts.extend(step_of_ghn(phases, recipe.meta_batch));
    }
    let training = &request.training;
    let recipe = format!(
        "{} lr {} wd {}",
        training.optimizer, training.lr, training.wd
    );
    facts.push(("optim", recipe));
    facts.push((
        "batch",
        format!("{}, images {s}x{s}", training.batch, s = request.side),
    ));
    facts.push(("seed", format!("{}", request.seed)));
    if !request.experiment.is_empty() {
        facts.push(("within", request.experiment.clone()));
    }
    let threads = match request.threads {
        0 => String::new(),
        1 => ", 1 thread".to_owned(),
        n => format!(", {n} threads"),
    };
    let memory = standing.rss_bytes.filter(|bytes| *bytes > 0);
    let memory = memory.map(|bytes| format!(", {:.1} GiB", bytes as f64 / f64::from(1 << 30)));
    let memory = memory.unwrap_or_default();
    facts.push(("device", request.device.clone() + &threads + &memory));
    facts.push((
        "made",
        request.created.replace('T', " ").replace('Z', " UTC"),
    ));
    facts
}

/// What a step of a GHN's training takes, what its time goes to, and the networks in it. Short enough for the
/// pane of a usual screen.
fn step_of_ghn(phases: &StepPhases, networks: usize) -> [(&'static str, String); 4] {
    let seconds = phases.seconds();
    let share = |part: f64| format!("{:.0} %", 100.0 * part / seconds.max(f64::MIN_POSITIVE));
    let step = format!(
        "{} s, graph {}",
        significant(seconds, 3),
        share(phases.graph)
    );
    let (forward, backward) = (share(phases.forward), share(phases.backward));
    let (update, predict) = (share(phases.update), share(phases.predict));
    [
        ("step", step),
        ("", format!("forward {forward}, backward {backward}")),
        ("", format!("update {update}, predict {predict}")),
        (
            "nets",
            format!("{networks} a step, {} left out", phases.skipped),
        ),
    ]
}

fn data(run: &Known) -> String {
    let data = &run.request.data;
    let mut text = if data.name.is_empty() {
        data.spec.clone()
    } else {
        data.name.clone()
    };
    if let Some(shots) = data.shots {
        text += &format!(", {shots} shots");
    }
    if data.val {
        text += ", val split";
    }
    text
}
