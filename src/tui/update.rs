//! The only place where the app's state changes.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind};
use ratatui::layout::Rect;

use super::app::{App, Overlay};
use super::catalogue::Entry;
use super::command::Command;
use super::effect::Effect;
use super::engine_state::{Health, MOST_DEATHS, Work};
use super::glyphs::Glyphs;
use super::help::Help;
use super::key::Key;
use super::msg::Msg;
use super::palette::{Choice, Palette};
use super::panels::{Event, PanelId};
use super::shared::Severity;
use super::theme::Theme;
use super::view;
use crate::engine::protocol::{Answer, Body};
use crate::text::Shown;

/// Takes one message in and says what must be done outside.
pub fn update(app: &mut App, msg: Msg) -> Vec<Effect> {
    let mut effects = match msg {
        Msg::Key(key) if key.kind == KeyEventKind::Release => Vec::new(),
        Msg::Key(key) => {
            app.shared.dirty = true;
            on_key(app, key)
        }
        Msg::Perform(command) => perform(app, command),
        Msg::Paste(text) => on_paste(app, &text),
        Msg::Resize(columns, rows) => on_resize(app, columns, rows),
        Msg::Tick(now) => on_tick(app, now),
        Msg::Answer(answer) => on_answer(app, &answer),
        Msg::EngineGone(reason) => on_engine_gone(app, &reason),
        Msg::Built(spec, result) => {
            let entry = match result {
                Ok(report) => Entry::Ready(report),
                Err(message) => Entry::Failed(Shown::new(&message)),
            };
            app.shared.archs.put(spec, entry);
            broadcast(app, Event::ArchsChanged)
        }
        Msg::Surveyed(sizes) => {
            app.shared.archs.sizes = sizes;
            broadcast(app, Event::ArchsChanged)
        }
        Msg::Launched(Ok(run)) => broadcast(app, Event::Launched(&run)),
        Msg::Launched(Err(message)) => broadcast(app, Event::LaunchFailed(&message)),
        Msg::Runs(news) => tell(app, PanelId::Runs, Event::Runs(&news)),
        Msg::Trouble(message) => {
            app.shared.say(Severity::Bad, &message);
            Vec::new()
        }
    };
    if let Some(panel) = app.shared.wanted_panel.take() {
        effects.extend(show(app, panel));
    }
    settle_selection(app, &mut effects);
    effects
}

/// What must be done before the first frame.
pub fn start(app: &mut App, columns: u16, rows: u16) -> Vec<Effect> {
    let mut effects = vec![Effect::StartEngine];
    effects.extend(update(app, Msg::Resize(columns, rows)));
    let front = app.shared.front;
    effects.extend(tell(app, front, Event::Shown));
    settle_selection(app, &mut effects);
    effects
}

/// Brings a panel to the front.
pub fn show(app: &mut App, panel: PanelId) -> Vec<Effect> {
    app.shared.front = panel;
    app.shared.dirty = true;
    tell(app, panel, Event::Shown)
}

fn tell(app: &mut App, id: PanelId, event: Event<'_>) -> Vec<Effect> {
    let (panel, shared) = app.panel_mut(id);
    panel.update(event, shared)
}

fn broadcast(app: &mut App, event: Event<'_>) -> Vec<Effect> {
    app.shared.dirty = true;
    PanelId::ALL
        .into_iter()
        .flat_map(|id| tell(app, id, event))
        .collect()
}

/// After any change of the selection: builds what it names, tells all panels, keeps it.
fn settle_selection(app: &mut App, effects: &mut Vec<Effect>) {
    // A panel may correct the selection in answer to the news; twice is enough for any of them.
    for _ in 0..2 {
        if !std::mem::take(&mut app.shared.selection_changed) {
            break;
        }
        let spec = app.shared.selection.arch.clone();
        let second = app.shared.selection.second_arch();
        for wanted in [Some(spec.clone()), second].into_iter().flatten() {
            if app.shared.archs.want(&wanted) {
                effects.push(Effect::Build(wanted));
            }
        }
        let sizes = &mut app.shared.archs.sizes;
        if (sizes.classes, sizes.side) != (spec.classes, spec.side) {
            (sizes.classes, sizes.side) = (spec.classes, spec.side);
            effects.push(Effect::Survey {
                classes: spec.classes,
                side: spec.side,
            });
        }
        effects.extend(broadcast(app, Event::SelectionChanged));
    }
    app.shared.selection_changed = false;
    remember(app, effects);
}

fn remember(app: &mut App, effects: &mut Vec<Effect>) {
    let mut now = app.remembered.clone();
    now.selection = app.shared.selection.clone();
    now.selection.second = None;
    app.parameters.remember(&mut now);
    app.ghns.remember(&mut now);
    if now != app.remembered {
        app.remembered = now.clone();
        effects.push(Effect::Remember(Box::new(now)));
    }
}

fn on_key(app: &mut App, event: KeyEvent) -> Vec<Effect> {
    let key = Key::from(event);
    let command = app.shared.keymap.command(app.shared.front, key);
    if let Some(command @ (Command::Quit | Command::Suspend | Command::Redraw)) = command
        && (key.is_control() || !takes_text(app))
    {
        return perform(app, command);
    }
    if app.shared.confirm.is_some() {
        return on_confirm_key(app, event.code);
    }
    app.shared.notice = None;
    match &mut app.overlay {
        Overlay::Palette(palette) => match palette.key(event) {
            Choice::Open => Vec::new(),
            Choice::Closed => close_overlay(app),
            Choice::Chosen(command) => {
                app.overlay = Overlay::None;
                perform_anywhere(app, command)
            }
        },
        Overlay::Help(help) => {
            if let Some(command) = command
                && help.command(command)
            {
                return Vec::new();
            }
            close_overlay(app)
        }
        Overlay::None => on_panel_key(app, event, command),
    }
}

fn on_panel_key(app: &mut App, event: KeyEvent, command: Option<Command>) -> Vec<Effect> {
    if app.front().takes_text() {
        let front = app.shared.front;
        return tell(app, front, Event::Key(event));
    }
    command.map_or_else(Vec::new, |command| perform(app, command))
}

fn takes_text(app: &App) -> bool {
    matches!(app.overlay, Overlay::Palette(_)) || app.front().takes_text()
}

fn close_overlay(app: &mut App) -> Vec<Effect> {
    app.overlay = Overlay::None;
    Vec::new()
}

fn on_confirm_key(app: &mut App, code: KeyCode) -> Vec<Effect> {
    match code {
        KeyCode::Char('y' | 'Y') => app.shared.confirm.take().map_or_else(Vec::new, |c| c.yes),
        KeyCode::Char('n' | 'N' | 'q') | KeyCode::Esc => {
            app.shared.confirm = None;
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// A command from the palette may belong to another panel, which then comes to the front.
fn perform_anywhere(app: &mut App, command: Command) -> Vec<Effect> {
    let mut effects = Vec::new();
    if let super::command::Scope::Panel(panel) = command.spec().scope
        && panel != app.shared.front
    {
        effects = show(app, panel);
    }
    effects.extend(perform(app, command));
    effects
}

fn perform(app: &mut App, command: Command) -> Vec<Effect> {
    let front = app.shared.front;
    match command {
        Command::Quit => vec![Effect::Quit],
        Command::Suspend => vec![Effect::Suspend],
        Command::Redraw => vec![Effect::Redraw],
        Command::Leave if app.front().can_leave() => {
            tell(app, front, Event::Command(Command::Back))
        }
        Command::Leave => vec![Effect::Quit],
        Command::Architectures => show(app, PanelId::Architectures),
        Command::Parameters => show(app, PanelId::Parameters),
        Command::Shift => show(app, PanelId::Shift),
        Command::Runs => show(app, PanelId::Runs),
        Command::Ghns => show(app, PanelId::Ghns),
        Command::Help => {
            app.overlay = Overlay::Help(Help::of(app.front().hints(&app.shared), &app.shared));
            Vec::new()
        }
        Command::Palette => {
            app.overlay = Overlay::Palette(Palette::new(front, &app.shared.keymap));
            Vec::new()
        }
        Command::NextTheme => next_theme(app),
        Command::NextGlyphs => {
            let glyphs: Glyphs = app.shared.look.glyphs.next();
            app.shared.look.glyphs = glyphs;
            vec![Effect::Redraw]
        }
        Command::RestartEngine => {
            app.shared.engine.deaths = 0;
            app.shared.engine.health = Health::Starting;
            vec![Effect::RestartEngine]
        }
        command => tell(app, front, Event::Command(command)),
    }
}

fn next_theme(app: &mut App) -> Vec<Effect> {
    let look = &mut app.shared.look;
    let names: Vec<_> = Theme::names().collect();
    let at = names.iter().position(|n| *n == look.theme.name);
    let name = names[at.map_or(0, |i| (i + 1) % names.len())];
    match Theme::built_in(name, look.level) {
        Ok(theme) => {
            look.theme = theme;
            app.remembered.theme = Some(name.to_owned());
            vec![Effect::Remember(Box::new(app.remembered.clone()))]
        }
        Err(error) => {
            app.shared.say(Severity::Bad, &error.to_string());
            Vec::new()
        }
    }
}

fn on_paste(app: &mut App, text: &str) -> Vec<Effect> {
    app.shared.dirty = true;
    if let Overlay::Palette(palette) = &mut app.overlay {
        palette.paste(text);
        return Vec::new();
    }
    if app.shared.confirm.is_none() && app.front().takes_text() {
        let front = app.shared.front;
        return tell(app, front, Event::Paste(text));
    }
    Vec::new()
}

fn on_resize(app: &mut App, columns: u16, rows: u16) -> Vec<Effect> {
    app.screen = Rect::new(0, 0, columns, rows);
    app.shared.area = view::body(app.screen);
    broadcast(app, Event::Resized)
}

fn on_tick(app: &mut App, now: Duration) -> Vec<Effect> {
    app.shared.now = now;
    if app.shared.engine.shown_work().is_some() {
        app.shared.dirty = true;
    }
    PanelId::ALL
        .into_iter()
        .flat_map(|id| tell(app, id, Event::Tick))
        .collect()
}

fn on_answer(app: &mut App, answer: &Answer) -> Vec<Effect> {
    let engine = &mut app.shared.engine;
    app.shared.dirty = true;
    match &answer.body {
        Body::Hello { version, device } => {
            engine.health = Health::Ready;
            // What another engine did has ended with it.
            (engine.work, engine.background) = (None, None);
            engine.device = Shown::new(device);
            engine.version = Shown::new(version);
        }
        Body::Progress { what, done, total } => {
            let what = Shown::new(what);
            match engine.work_of(answer.id) {
                Some(work) => (work.what, work.done, work.total) = (what, *done, *total),
                None => {
                    engine.work = Some(Work {
                        id: answer.id,
                        what,
                        done: *done,
                        total: *total,
                        since: app.shared.now,
                    });
                }
            }
        }
        Body::Done | Body::Failed { .. } => {
            engine.deaths = 0;
            engine.forget(answer.id);
        }
        _ => {}
    }
    PanelId::ALL
        .into_iter()
        .flat_map(|id| tell(app, id, Event::Answer(answer)))
        .collect()
}

fn on_engine_gone(app: &mut App, reason: &str) -> Vec<Effect> {
    let engine = &mut app.shared.engine;
    (engine.work, engine.background) = (None, None);
    engine.deaths += 1;
    engine.health = Health::Gone(Shown::new(reason));
    let mut effects = Vec::new();
    if engine.deaths < MOST_DEATHS {
        app.shared.say(
            Severity::Bad,
            &format!("The engine ended ({reason}); another one was started."),
        );
        effects.push(Effect::StartEngine);
    } else {
        app.shared.say(
            Severity::Bad,
            &format!("The engine ended again and again ({reason}). Ctrl-E starts another one."),
        );
    }
    effects.extend(broadcast(app, Event::EngineGone));
    effects
}
