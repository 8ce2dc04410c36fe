//! The frame around the panels: one line on top, one at the bottom. Only reads the state.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::app::{App, Overlay};
use super::command::Command;
use super::engine_state::{Health, Work};
use super::overlay;
use super::panels::{Hint, PanelId};
use super::shared::{Severity, Shared};
use super::widgets::bar::progress;
use super::widgets::number;
use super::widgets::write::{Slot, cut, put, put_all, put_right, width};

/// Smallest screen that can be used.
const LEAST: (u16, u16) = (60, 16);
/// Cells of the progress bar in the top line.
const PROGRESS_CELLS: u16 = 5;

/// From this width the bottom line has room for the whole selection beside the hints.
const FULL_SELECTION: u16 = 110;

/// The screen without the top and the bottom line.
#[must_use]
pub fn body(screen: Rect) -> Rect {
    Rect {
        y: screen.y + 1.min(screen.height),
        height: screen.height.saturating_sub(2),
        ..screen
    }
}

/// Draws the whole screen.
pub fn view(app: &App, buf: &mut Buffer) {
    let screen = app.screen.intersection(buf.area);
    let shared = &app.shared;
    buf.set_style(screen, shared.look.theme.ground);
    if screen.width < LEAST.0 || screen.height < LEAST.1 {
        too_small(screen, shared, buf);
        return;
    }
    top_line(app, buf);
    app.front().view(shared, shared.area, buf);
    bottom_line(app, buf);
    match &app.overlay {
        Overlay::None => {}
        Overlay::Help(help) => help.view(screen, &shared.look, buf),
        Overlay::Palette(palette) => palette.view(screen, &shared.look, buf),
    }
    if let Some(question) = &shared.confirm {
        overlay::confirm(question, screen, &shared.look, buf);
    }
}

fn too_small(screen: Rect, shared: &Shared, buf: &mut Buffer) {
    let text = format!(
        "{}x{}: hyperscope needs {}x{} or more (q quits)",
        screen.width, screen.height, LEAST.0, LEAST.1
    );
    let text = cut(&text, screen.width, shared.look.glyphs.ellipsis);
    let slot = Slot::new(screen.x, screen.y, screen.width);
    put(buf, slot, &text, shared.look.theme.text);
}

/// Name, panels by digit, engine. When room is short the name goes first, then parts of what is said
/// about the engine.
fn top_line(app: &App, buf: &mut Buffer) {
    const NAME: &str = "hyperscope";
    let shared = &app.shared;
    let (theme, screen) = (&shared.look.theme, app.screen);
    let (words, style) = engine_words(shared);
    let tabs: u16 = PanelId::ALL.iter().map(|p| width(p.title()) + 4).sum();
    let free = screen.width.saturating_sub(tabs + 3);
    let fits = |room: u16| words.iter().find(|w| width(w) <= room);
    let with_name = free.saturating_sub(width(NAME) + 1);
    let mut x = screen.x + 1;
    // The panels are worth more than the name, and so is work in progress.
    let is_idle = shared.engine.shown_work().is_none();
    let has_room = free > width(NAME);
    if has_room && (is_idle || width(&words[0]) <= with_name) {
        x += put(buf, Slot::new(x, 0, width(NAME)), NAME, theme.title) + 1;
    }
    for (index, panel) in PanelId::ALL.into_iter().enumerate() {
        let tab = format!(" {} {} ", index + 1, panel.title());
        let slot = Slot::new(x, 0, screen.width.saturating_sub(x));
        x += if panel == shared.front {
            put(buf, slot, &tab, theme.badge)
        } else {
            let pieces = [(&tab[..2], theme.accent), (&tab[2..], theme.dim)];
            put_all(buf, slot, &pieces)
        };
    }
    let slot = Slot::new(x + 1, 0, screen.width.saturating_sub(x + 2));
    if let Some(text) = fits(slot.width) {
        put_right(buf, slot, text, style);
    }
}

/// The device and what is being done on it, from long to short.
fn engine_words(shared: &Shared) -> (Vec<String>, ratatui::style::Style) {
    let theme = &shared.look.theme;
    let engine = &shared.engine;
    let dot = shared.look.glyphs.dot;
    match (&engine.health, engine.shown_work()) {
        (Health::Gone(_), _) => (vec!["no engine".to_owned()], theme.bad),
        (Health::Starting, _) => (
            vec!["engine starting".to_owned(), "starting".to_owned()],
            theme.faint,
        ),
        (Health::Ready, None) => (
            vec![engine.device.to_string(), short_device(shared).to_owned()],
            theme.dim,
        ),
        (Health::Ready, Some(work)) => {
            let elapsed = shared.now.saturating_sub(work.since);
            let bar = progress(work.done, work.total, PROGRESS_CELLS, &shared.look.glyphs);
            let time = time_words(work, elapsed);
            let device = short_device(shared);
            let words = vec![
                format!("{device} {dot} {} {bar} {time}", work.what),
                format!("{} {bar} {time}", work.what),
                format!("{} {bar}", work.what),
                bar,
            ];
            (words, theme.accent)
        }
    }
}

/// The device without its details: `cpu` of `cpu, 2 threads, AVX-512`.
fn short_device(shared: &Shared) -> &str {
    let device = shared.engine.device.as_str();
    device.split(',').next().unwrap_or(device)
}

/// Time left as soon as it can be judged, otherwise the time spent.
fn time_words(work: &Work, elapsed: Duration) -> String {
    let share = work.done as f64 / work.total.max(1) as f64;
    if elapsed > Duration::from_secs(2) && share > 0.05 && work.done < work.total {
        let left = elapsed.as_secs_f64() * (1.0 - share) / share;
        return format!(
            "{} left",
            number::duration(Duration::from_secs(left.ceil() as u64))
        );
    }
    number::duration(Duration::from_millis(
        elapsed.as_millis() as u64 / 100 * 100,
    ))
}

fn bottom_line(app: &App, buf: &mut Buffer) {
    let shared = &app.shared;
    let y = app.screen.bottom() - 1;
    let slot = Slot::new(app.screen.x + 1, y, app.screen.width - 2);
    if let Some(notice) = &shared.notice {
        let (mark, style) = match notice.severity {
            Severity::Good => (shared.look.glyphs.done, shared.look.theme.good),
            Severity::Warning => ("!", shared.look.theme.warning),
            Severity::Bad => (shared.look.glyphs.failed, shared.look.theme.bad),
        };
        let text = cut(
            notice.text.as_str(),
            slot.width.saturating_sub(2),
            shared.look.glyphs.ellipsis,
        );
        put_all(buf, slot, &[(mark, style), (" ", style), (&text, style)]);
        return;
    }
    let selection = if slot.width >= FULL_SELECTION {
        selection_words(shared)
    } else {
        crate::text::Shown::new(&shared.selection.arch.name).to_string()
    };
    let used = put_right(buf, slot, &selection, shared.look.theme.dim);
    let room = slot.width.saturating_sub(used + 2);
    hints(app, Slot::new(slot.x, y, room), buf);
}

/// Architecture, GHN and post-processing.
fn selection_words(shared: &Shared) -> String {
    let selection = &shared.selection;
    let dot = shared.look.glyphs.dot;
    let name = crate::text::Shown::new(&selection.arch.name);
    let ghn = super::selection::short_ghn(&selection.ghn);
    format!("{name} {dot} {ghn} {dot} {}", selection.post_words())
}

/// As many hints as fit, `?` and `:` always among them.
fn hints(app: &App, slot: Slot, buf: &mut Buffer) {
    let fixed = [
        Hint::new(Command::Palette, "commands"),
        Hint::new(Command::Help, "help"),
    ];
    let words = |hint: &Hint| (key_words(hint.command, &app.shared), hint.label);
    let cells = |hint: &Hint| {
        let (key, label) = words(hint);
        width(&key) + 1 + width(label) + 3
    };
    let mut own = app.front().hints(&app.shared);
    own.retain(|hint| fixed.iter().all(|f| f.command != hint.command));
    let reserved: u16 = fixed.iter().map(cells).sum();
    let mut room = slot.width.saturating_sub(reserved);
    let mut x = slot.x;
    let mut shown: Vec<Hint> = Vec::new();
    for hint in own {
        if cells(&hint) > room {
            break;
        }
        room -= cells(&hint);
        shown.push(hint);
    }
    shown.extend(fixed);
    let theme = &app.shared.look.theme;
    for hint in &shown {
        let (key, label) = words(hint);
        let rest = Slot::new(x, slot.y, (slot.x + slot.width).saturating_sub(x));
        let pieces = [
            (key.as_str(), theme.accent),
            (" ", theme.dim),
            (label, theme.dim),
        ];
        x += put_all(buf, rest, &pieces) + 3;
    }
}

/// The first key of a command, pairs of arrows in one.
fn key_words(command: Command, shared: &Shared) -> String {
    let glyphs = &shared.look.glyphs;
    let Some(key) = shared.keymap.keys(command).first() else {
        return String::new();
    };
    match key.to_string().as_str() {
        "up" | "down" => glyphs.up_down.to_owned(),
        "left" | "right" => glyphs.left_right.to_owned(),
        "enter" => "Enter".to_owned(),
        "tab" => "Tab".to_owned(),
        "space" => "Space".to_owned(),
        "esc" => "Esc".to_owned(),
        other => other.to_owned(),
    }
}
