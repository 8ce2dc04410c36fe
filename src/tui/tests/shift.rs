//! The Shift panel's conversation with the engine, and what it shows.

use super::harness::{Harness, SETTING, Setting, find};
use crate::engine::protocol::{Body, Command, Request, ShiftReport};
use crate::tui::effect::Effect;
use crate::tui::glyphs::GlyphSet;
use crate::tui::msg::Msg;
use crate::tui::panels::PanelId;
use crate::tui::theme::Level;

/// What `stats shift` says, its numbers against other splits than the first left out.
pub fn report(name: &str) -> Box<ShiftReport> {
    let text = match name {
        "resnet18" => include_str!("../../../tests/fixtures/shift/resnet18.json"),
        "convnext_base" => include_str!("../../../tests/fixtures/shift/convnext_base.json"),
        other => panic!("there is no report of {other}"),
    };
    Box::new(serde_json::from_str(text).unwrap())
}

/// The last question about shift.
fn asked(harness: &Harness) -> Option<(Request, String)> {
    harness
        .effects
        .iter()
        .rev()
        .find_map(|effect| match effect {
            Effect::Ask(request) => match &request.command {
                Command::Shift { arch, .. } => Some((request.clone(), arch.name.clone())),
                _ => None,
            },
            _ => None,
        })
}

fn questions(harness: &Harness) -> usize {
    let is_question = |effect: &&Effect| matches!(effect, Effect::Ask(request) if matches!(request.command, Command::Shift { .. }));
    harness.effects.iter().filter(is_question).count()
}

/// Answers the last question whole.
fn answer(harness: &mut Harness) {
    let (request, name) = asked(harness).expect("a question about shift");
    harness.say(request.id, Body::Shift(report(&name)));
    harness.say(request.id, Body::Done);
}

/// The panel with the report of resnet18.
fn shown(setting: Setting) -> Harness {
    let mut harness = Harness::ready(setting);
    harness.press("3");
    answer(&mut harness);
    harness
}

/// And that of convnext_base beside it.
fn compared(setting: Setting) -> Harness {
    let mut harness = shown(setting);
    harness.press("d");
    // At once: every letter would ask for another network.
    harness.send(Msg::Paste("convnext_base".into()));
    harness.press("enter");
    answer(&mut harness);
    harness
}

#[test]
fn the_panel_asks_only_when_it_comes_to_the_front_and_only_once() {
    let mut harness = Harness::ready(SETTING);
    harness.press("down up");
    assert_eq!(questions(&harness), 0);
    harness.press("3");
    assert!(
        harness.text().contains("Comparing resnet18"),
        "{}",
        harness.text()
    );
    answer(&mut harness);
    assert!(
        harness.text().contains("resnet18 lies"),
        "{}",
        harness.text()
    );
    harness.press("1 3");
    assert_eq!(questions(&harness), 1);
}

#[test]
fn the_report_stands_there_before_the_ghn_has_looked() {
    let mut harness = Harness::ready(Setting {
        size: (120, 36),
        ..SETTING
    });
    harness.press("3");
    let (request, name) = asked(&harness).unwrap();
    let mut first = report(&name);
    first.embedding = None;
    harness.say(request.id, Body::Shift(first));
    harness.say(
        request.id,
        Body::Progress {
            what: "the GHN looks at networks".into(),
            done: 250,
            total: 500,
        },
    );
    let text = harness.text();
    assert!(text.contains("New to the GHN in resnet18"), "{text}");
    assert!(text.contains("the GHN looks at"), "{text}");
    answer(&mut harness);
    let text = harness.text();
    assert!(
        text.contains("farther than") && text.contains("untrained"),
        "{text}"
    );
}

#[test]
fn a_question_that_nobody_wants_any_more_is_cancelled_and_the_next_one_asked() {
    let mut harness = Harness::ready(SETTING);
    harness.press("3");
    let (request, _) = asked(&harness).unwrap();
    harness.press("/");
    harness.type_text("resnet50");
    let cancels = |harness: &Harness| {
        let cancel = Command::Cancel {
            request: request.id,
        };
        harness
            .effects
            .iter()
            .any(|e| matches!(e, Effect::Ask(r) if r.command == cancel))
    };
    assert!(cancels(&harness));
    assert_eq!(questions(&harness), 1, "one at a time");
    harness.press("enter");
    harness.say(
        request.id,
        Body::Failed {
            message: "cancelled".into(),
            cancelled: true,
        },
    );
    assert_eq!(asked(&harness).unwrap().1, "resnet50");
}

#[test]
fn a_failure_names_its_reason_and_enter_tries_again() {
    let mut harness = Harness::ready(SETTING);
    harness.press("3");
    let (request, _) = asked(&harness).unwrap();
    harness.say(
        request.id,
        Body::Failed {
            message: "reading ghn.pt: no such file".into(),
            cancelled: false,
        },
    );
    assert!(
        harness.text().contains("no such file"),
        "{}",
        harness.text()
    );
    assert_eq!(questions(&harness), 1);
    harness.press("enter");
    assert_eq!(questions(&harness), 2);
    harness.send(Msg::EngineGone("out of memory".into()));
    assert!(harness.text().contains("The engine ended while it worked."));
}

#[test]
fn d_compares_with_a_second_network_and_esc_ends_that() {
    let mut harness = compared(Setting {
        size: (120, 36),
        ..SETTING
    });
    let text = harness.text();
    assert!(text.contains("△ convnext_base"), "{text}");
    // Two marks below each of the six charts, or at the edge.
    assert!(text.matches('▲').count() >= 6, "{text}");
    harness.press("esc");
    assert!(harness.app.shared.selection.second.is_none());
    assert!(!harness.text().contains("convnext_base"));
}

#[test]
fn the_network_compared_with_in_architectures_is_compared_here_too() {
    let mut harness = shown(SETTING);
    harness.press("1 d /");
    harness.type_text("convnext_base");
    harness.press("enter 3");
    assert_eq!(asked(&harness).unwrap().1, "convnext_base");
}

#[test]
fn picking_can_be_taken_back() {
    let mut harness = shown(SETTING);
    harness.press("/");
    harness.type_text("vgg");
    assert!(harness.app.shared.selection.arch.name.starts_with("vgg"));
    harness.press("esc");
    assert_eq!(harness.app.shared.selection.arch.name, "resnet18");
    assert!(harness.text().contains("resnet18 lies"));
}

#[test]
fn enter_shows_where_the_network_has_what_was_never_seen() {
    let mut harness = shown(SETTING);
    let tensor = report("resnet18").unseen[0].tensors[0].clone();
    harness.press("enter");
    assert_eq!(harness.app.shared.front, PanelId::Architectures);
    let (module, _) = tensor.rsplit_once('.').unwrap();
    let text = harness.text();
    let details = format!("── {module} ──");
    assert!(text.contains(&details), "{module}\n{text}");
}

#[test]
fn shares_and_marks_have_the_colours_of_their_series() {
    let harness = compared(Setting {
        size: (120, 36),
        ..SETTING
    });
    let buf = harness.draw();
    let theme = &harness.app.shared.look.theme;
    let first = find(&buf, "▲ resnet18").unwrap();
    assert_eq!(buf[(first.x, first.y)].style().fg, theme.series(0).fg);
    let second = find(&buf, "△ convnext_base").unwrap();
    assert_eq!(buf[(second.x, second.y)].style().fg, theme.series(1).fg);
}

#[test]
fn pictures() {
    for size in [(60, 16), (80, 24), (120, 36), (200, 60)] {
        let harness = shown(Setting { size, ..SETTING });
        insta::assert_snapshot!(format!("shift_{}x{}", size.0, size.1), harness.text());
    }
    let harness = compared(Setting {
        size: (120, 36),
        ..SETTING
    });
    insta::assert_snapshot!("shift_compared", harness.text());
    let harness = compared(Setting {
        glyphs: GlyphSet::Ascii,
        level: Level::None,
        size: (120, 36),
    });
    assert!(harness.text().is_ascii(), "{}", harness.text());
    insta::assert_snapshot!("shift_plain", harness.text());
    let mut harness = Harness::ready(SETTING);
    harness.press("3");
    insta::assert_snapshot!("shift_working", harness.text());
}
