//! The frame around the panels: keys, overlays, engine, questions, what is remembered.

use super::harness::{Harness, SETTING, find};
use crate::engine::protocol::Body;
use crate::text::Shown;
use crate::tui::app::Overlay;
use crate::tui::effect::Effect;
use crate::tui::engine_state::Health;
use crate::tui::msg::Msg;
use crate::tui::panels::PanelId;
use crate::tui::shared::Confirm;

#[test]
fn digits_bring_panels_to_the_front() {
    let mut harness = Harness::ready(SETTING);
    for (key, panel) in [
        ("2", PanelId::Parameters),
        ("3", PanelId::Shift),
        ("4", PanelId::Runs),
        ("5", PanelId::Ghns),
        ("1", PanelId::Architectures),
    ] {
        harness.press(key);
        assert_eq!(harness.app.shared.front, panel);
    }
}

#[test]
fn q_leaves_what_is_open_and_quits_only_at_the_top() {
    let mut harness = Harness::ready(SETTING);
    harness.press("tab q");
    assert!(
        !harness.effects.contains(&Effect::Quit),
        "q left the tree only"
    );
    harness.press("q");
    assert!(harness.effects.contains(&Effect::Quit));
}

#[test]
fn the_palette_finds_a_command_of_another_panel_and_goes_there() {
    let mut harness = Harness::ready(SETTING);
    harness.press(":");
    harness.type_text("fine tune");
    harness.press("enter");
    assert_eq!(harness.app.shared.front, PanelId::Parameters);
    assert!(harness.text().contains("Fine-tune from here"));
    harness.press("esc");
    assert!(!harness.text().contains("Fine-tune from here"));
}

#[test]
fn help_lists_the_panels_own_keys_and_any_other_key_closes_it() {
    let mut harness = Harness::ready(SETTING);
    harness.press("2 ?");
    let text = harness.text();
    assert!(
        text.contains("Keys in Parameters") && text.contains("Post-process"),
        "{text}"
    );
    harness.press("x");
    assert!(matches!(harness.app.overlay, Overlay::None));
}

#[test]
fn a_question_takes_only_yes_or_no() {
    let mut harness = Harness::ready(SETTING);
    harness.app.shared.confirm = Some(Confirm {
        question: Shown::new("Stop run 20261123-0914-resnet50?"),
        detail: Shown::new("It can be resumed from its last checkpoint."),
        yes: vec![Effect::Copy("done".into())],
    });
    harness.press("x 2 enter");
    assert!(harness.text().contains("Stop run 20261123-0914-resnet50?"));
    harness.press("n");
    assert!(harness.app.shared.confirm.is_none());
    assert!(!harness.effects.contains(&Effect::Copy("done".into())));
}

#[test]
fn ctrl_c_quits_even_while_text_is_typed() {
    let mut harness = Harness::ready(SETTING);
    harness.press("/ ctrl-c");
    assert!(harness.effects.contains(&Effect::Quit));
}

#[test]
fn an_engine_that_dies_is_started_again_but_not_for_ever() {
    let mut harness = Harness::ready(SETTING);
    let starts = |h: &Harness| {
        h.effects
            .iter()
            .filter(|e| **e == Effect::StartEngine)
            .count()
    };
    assert_eq!(starts(&harness), 1);
    for _ in 0..5 {
        harness.send(Msg::EngineGone("killed by signal 9".into()));
    }
    assert_eq!(starts(&harness), 3, "two more, then only when asked for");
    assert!(harness.text().contains("killed by signal 9"));
    assert!(matches!(harness.app.shared.engine.health, Health::Gone(_)));
    harness.press("ctrl-e");
    assert!(harness.effects.contains(&Effect::RestartEngine));
}

#[test]
fn ticks_are_wanted_only_while_something_moves() {
    let mut harness = Harness::ready(SETTING);
    let idle = harness.app.wakes_every_ms();
    harness.press("2 enter");
    assert_eq!(
        harness.app.wakes_every_ms(),
        Some(250).min(idle.or(Some(250)))
    );
    let id = harness.asked().unwrap().id;
    harness.say(
        id,
        Body::Failed {
            message: "no".into(),
            cancelled: false,
        },
    );
    assert_eq!(harness.app.wakes_every_ms(), idle);
}

#[test]
fn the_selection_is_kept_whenever_it_changes() {
    let mut harness = Harness::ready(SETTING);
    harness.effects.clear();
    harness.press("down");
    let kept = harness.effects.iter().find_map(|e| match e {
        Effect::Remember(kept) => Some(kept.selection.arch.name.clone()),
        _ => None,
    });
    assert_eq!(kept.as_deref(), Some("resnet34"));
    assert!(harness.text().contains("resnet34"));
}

#[test]
fn a_screen_too_small_says_so_in_one_line() {
    let mut harness = Harness::ready(SETTING);
    harness.send(Msg::Resize(59, 16));
    let text = harness.text();
    assert!(text.starts_with("59x16: hyperscope needs 60x16"), "{text}");
    assert_eq!(text.trim_end().lines().count(), 1);
}

#[test]
fn text_from_outside_cannot_reach_the_terminal_raw() {
    let mut harness = Harness::ready(SETTING);
    let nasty = "a\u{1b}]52;c;x\u{7}\u{202e}b";
    harness.send(Msg::Trouble(nasty.into()));
    harness.say(
        0,
        Body::Hello {
            version: nasty.into(),
            device: nasty.into(),
        },
    );
    let buf = harness.draw();
    let bad = |c: char| c.is_control() || c == '\u{202e}';
    assert!(!buf.content.iter().any(|cell| cell.symbol().contains(bad)));
}

#[test]
fn the_row_under_the_cursor_is_marked_and_trouble_is_red() {
    let mut harness = Harness::ready(SETTING);
    harness.send(Msg::Trouble("the disk is full".into()));
    let buf = harness.draw();
    let theme = &harness.app.shared.look.theme;
    let row = find(&buf, "› resnet18").unwrap();
    assert_eq!(buf[(row.x, row.y)].style().bg, theme.selection.bg);
    let trouble = find(&buf, "the disk is full").unwrap();
    assert_eq!(buf[(trouble.x, trouble.y)].style().fg, theme.bad.fg);
}

#[test]
fn going_back_to_a_smaller_network_that_is_built_already_shows_its_own_details() {
    let mut harness = Harness::ready(SETTING);
    // Every network once, so that each further step meets one that is built.
    let networks = 40;
    for _ in 0..networks {
        harness.press("down");
    }
    for _ in 0..networks {
        harness.press("up");
        let name = harness.app.shared.selection.arch.name.clone();
        assert!(harness.text().contains(&name), "{name}");
    }
}
