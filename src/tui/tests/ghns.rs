//! The GHNs panel's conversation with the engine, and what it shows.

mod made;

use serde_json::json;

use super::harness::{Harness, SETTING, Setting, find};
use crate::engine::protocol::{
    Body, Command, EvaluationRecord, EvaluationSpec, GhnSummary, Part, Request,
};
use crate::tui::effect::Effect;
use crate::tui::glyphs::GlyphSet;
use crate::tui::msg::Msg;
use crate::tui::panels::PanelId;
use crate::tui::theme::Level;
pub use made::{broken_evaluation, broken_list, broken_report, record, report};
use made::{part, record_of};

/// The last request of a kind.
fn asked(harness: &Harness, is_it: fn(&Command) -> bool) -> Option<Request> {
    let asked = harness.effects.iter().rev();
    let mut requests = asked.filter_map(|effect| match effect {
        Effect::Ask(request) => Some(request.clone()),
        _ => None,
    });
    requests.find(|request| is_it(&request.command))
}

fn answer_report(harness: &mut Harness, evaluations: Vec<EvaluationRecord>) {
    let request = asked(harness, |command| matches!(command, Command::Ghn { .. }));
    let request = request.expect("a question about a GHN");
    let Command::Ghn { name, .. } = &request.command else {
        unreachable!("found by this");
    };
    harness.say(request.id, report(name, evaluations));
    harness.say(request.id, Body::Done);
}

/// The panel with four GHNs, nothing said about any yet.
fn listed(setting: Setting) -> Harness {
    let mut harness = Harness::ready(setting);
    harness.press("5");
    let request = asked(&harness, |command| matches!(command, Command::Ghns));
    let id = request.expect("a question which GHNs there are").id;
    let ghn = |name: &str, trained, bytes, large| GhnSummary {
        name: name.into(),
        description: "GHN-2, 32 wide, 10 classes".into(),
        trained,
        bytes,
        large,
    };
    let ghns = vec![
        ghn("default", true, None, false),
        ghn("untrained", false, None, false),
        ghn("mine", true, Some(3_200_000), false),
        ghn("ghn3xlm16", true, Some(2_620_000_000), true),
        ghn("random", false, None, false),
    ];
    harness.say(id, Body::Ghns { ghns });
    harness.say(id, Body::Done);
    harness
}

/// And what there is to say of the default one.
fn shown(setting: Setting) -> Harness {
    let mut harness = listed(setting);
    let mut older = record_of(100, None, json!([part("test", 3, 40.0, 2.0, 10.0)]));
    older.seed = None;
    answer_report(&mut harness, vec![record(), older]);
    harness
}

/// The request to evaluate, after the form was accepted as it is.
fn begun(harness: &mut Harness) -> (u64, EvaluationSpec) {
    harness.press("e enter");
    let request = asked(harness, |command| matches!(command, Command::Evaluate(_)));
    match request.expect("a request to evaluate") {
        Request {
            id,
            command: Command::Evaluate(spec),
        } => (id, spec),
        other => panic!("{other:?}"),
    }
}

/// Says that so many of eight networks of a split are evaluated.
fn progress(harness: &mut Harness, id: u64, split: &str, networks: usize) {
    let record = Box::new(record_of(
        500,
        None,
        json!([part(split, networks, 33.0, 2.0, 10.0)]),
    ));
    let body = Body::Evaluated {
        record,
        networks: 8,
    };
    harness.say(id, body);
}

#[test]
fn every_ghn_but_random_is_listed_and_asked_about_when_it_is_looked_at() {
    let mut harness = listed(SETTING);
    let text = harness.text();
    for name in ["default", "untrained", "mine", "3.20 MB"] {
        assert!(text.contains(name), "{name}\n{text}");
    }
    assert!(!text.contains("random initialisation"), "{text}");
    answer_report(&mut harness, Vec::new());
    assert!(harness.text().contains("Not evaluated yet: press e."));
    harness.press("down down");
    let request = asked(&harness, |command| matches!(command, Command::Ghn { .. })).unwrap();
    // One question at a time: the one in between has no answer yet.
    assert!(matches!(request.command, Command::Ghn { name, .. } if name == "untrained"));
    harness.say(request.id, Body::Done);
    let request = asked(&harness, |command| matches!(command, Command::Ghn { .. })).unwrap();
    assert!(matches!(request.command, Command::Ghn { name, .. } if name == "mine"));
}

#[test]
fn a_large_checkpoint_is_opened_only_when_asked_for() {
    let mut harness = shown(SETTING);
    harness.press("G");
    let about_large = |harness: &Harness| {
        let request = asked(harness, |command| matches!(command, Command::Ghn { .. }));
        matches!(request.unwrap().command, Command::Ghn { name, .. } if name == "ghn3xlm16")
    };
    assert!(!about_large(&harness));
    assert!(harness.text().contains("o opens it"), "{}", harness.text());
    harness.press("o");
    assert!(about_large(&harness));
    answer_report(&mut harness, Vec::new());
    assert!(harness.text().contains("Not evaluated yet"));
}

#[test]
fn bars_show_accuracy_chance_and_what_is_published() {
    let harness = shown(Setting {
        size: (120, 36),
        ..SETTING
    });
    let text = harness.text();
    assert!(text.contains("40.5 ± 1.0"), "{text}");
    assert!(text.contains("2026-11-25"), "{text}");
    assert!(text.contains("not yet"), "dense was not evaluated\n{text}");
    let buf = harness.draw();
    let theme = &harness.app.shared.look.theme;
    let legend = find(&buf, "│ random").unwrap();
    assert_eq!(buf[(legend.x, legend.y)].style().bg, theme.series(0).fg);
    let row = find(&buf, "40.5 ± 1.0").unwrap().y;
    let line: String = (30..buf.area.width)
        .map(|x| buf[(x, row)].symbol())
        .collect();
    // The bar with chance on it, the error at its end, the MLP's 42.2 beside that, then GHN-1 and GHN-2.
    let marks: String = line.chars().filter(|c| "█│├┤m".contains(*c)).collect();
    assert!(marks.contains("█│█") && marks.ends_with("█├┤m"), "{line}");
    let behind = line.split_once("┤m").map(|(_, behind)| behind);
    let letters: Vec<&str> = behind.unwrap().split_whitespace().take(2).collect();
    assert_eq!(letters, ["1", "2"], "{line}");
}

#[test]
fn a_split_opens_its_networks_the_best_first() {
    let mut harness = shown(SETTING);
    harness.press("tab enter");
    let text = harness.text();
    assert!(text.contains("Networks of test, the best first"), "{text}");
    let buf = harness.draw();
    let best = find(&buf, "42.5 %").or_else(|| find(&buf, "42.0 %"));
    let first = find(&buf, "Networks of test").unwrap();
    assert_eq!(best.unwrap().y, first.y + 1, "{text}");
    harness.press("esc");
    assert!(harness.text().contains("Card"));
    harness.press("esc q");
    assert!(harness.effects.contains(&Effect::Quit));
}

#[test]
fn enter_takes_the_ghn_into_the_recipe() {
    let mut harness = shown(SETTING);
    harness.press("down down enter");
    assert_eq!(harness.app.shared.selection.ghn, "mine");
    assert_eq!(harness.app.shared.front, PanelId::Parameters);
    assert!(harness.text().contains("mine"), "{}", harness.text());
}

#[test]
fn an_evaluation_shows_its_networks_as_they_come_and_the_screen_stays_free() {
    let mut harness = shown(SETTING);
    let (id, spec) = begun(&mut harness);
    assert_eq!(spec.parts, Part::USUAL);
    assert_eq!((spec.nets, spec.images), (8, Some(500)));
    assert!(harness.text().contains("waiting"), "{}", harness.text());
    progress(&mut harness, id, "test", 3);
    let text = harness.text();
    assert!(
        text.contains("3/8") && text.contains("33.0 ± 2.0"),
        "{text}"
    );
    // A prediction meanwhile, and its end, leave the evaluation as it is.
    harness.press("2 enter");
    harness.predict();
    harness.say(
        id,
        Body::Progress {
            what: "evaluating the GHN".into(),
            done: 5,
            total: 10,
        },
    );
    assert!(harness.app.shared.engine.background.is_some());
    assert!(harness.app.shared.engine.work.is_none());
    harness.press("5");
    progress(&mut harness, id, "test", 8);
    harness.say(id, Body::Done);
    assert!(harness.app.shared.engine.background.is_none());
    answer_report(&mut harness, vec![record()]);
    assert!(harness.text().contains("40.5 ± 1.0"), "what is kept counts");
}

#[test]
fn an_evaluation_is_cancelled_and_a_second_one_waits() {
    let mut harness = shown(SETTING);
    let (id, _) = begun(&mut harness);
    harness.press("e");
    assert!(
        harness.text().contains("c cancels it"),
        "{}",
        harness.text()
    );
    harness.press("c c");
    let cancels = harness.effects.iter().filter(|effect| {
        matches!(effect, Effect::Ask(request) if request.command == Command::Cancel { request: id })
    });
    assert_eq!(cancels.count(), 1);
    let message = "cancelled".to_owned();
    harness.say(
        id,
        Body::Failed {
            message,
            cancelled: true,
        },
    );
    assert!(
        harness.text().contains("was cancelled"),
        "{}",
        harness.text()
    );
    assert!(harness.text().contains("40.5 ± 1.0"), "{}", harness.text());
}

#[test]
fn wrong_data_can_be_corrected_at_once() {
    let mut harness = shown(SETTING);
    let (id, _) = begun(&mut harness);
    harness.say(
        id,
        Body::Failed {
            message: "opening the data set: there is no data set \"cifar\"".into(),
            cancelled: false,
        },
    );
    let text = harness.text();
    assert!(text.contains("Evaluate this GHN"), "{text}");
    assert!(text.contains("there is no data set"), "{text}");
    harness.press("down down backspace");
    harness.type_text("x");
    harness.press("enter");
    assert!(
        harness.text().contains("whole number"),
        "{}",
        harness.text()
    );
}

#[test]
fn what_was_typed_is_remembered() {
    let mut harness = shown(SETTING);
    harness.press("e down down backspace");
    harness.type_text("3");
    harness.press("enter");
    let kept = harness
        .effects
        .iter()
        .rev()
        .find_map(|effect| match effect {
            Effect::Remember(state) => Some(state.evaluation.clone()),
            _ => None,
        });
    assert_eq!(kept.unwrap()["nets"], "3");
}

#[test]
fn an_engine_that_dies_ends_the_evaluation() {
    let mut harness = shown(SETTING);
    begun(&mut harness);
    harness.send(Msg::EngineGone("out of memory".into()));
    assert!(harness.app.shared.engine.background.is_none());
    let text = harness.text();
    assert!(text.contains("40.5 ± 1.0"), "{text}");
    harness.press("e");
    assert!(harness.text().contains("Evaluate this GHN"));
}

#[test]
fn other_evaluations_of_the_same_ghn_are_one_key_away() {
    let mut harness = shown(Setting {
        size: (120, 36),
        ..SETTING
    });
    assert!(harness.text().contains("1/2"));
    harness.press("n");
    let text = harness.text();
    assert!(
        text.contains("by its maker") && text.contains("2/2"),
        "{text}"
    );
    assert!(text.contains("100 images"), "{text}");
}

#[test]
fn pictures() {
    for size in [(60, 16), (80, 24), (120, 36), (200, 60)] {
        let mut harness = shown(Setting { size, ..SETTING });
        if size.0 == 60 {
            insta::assert_snapshot!("ghns_list_60x16", harness.text());
        }
        harness.press("tab");
        insta::assert_snapshot!(format!("ghns_{}x{}", size.0, size.1), harness.text());
        harness.press("down down enter");
        let name = format!("ghns_networks_{}x{}", size.0, size.1);
        insta::assert_snapshot!(name, harness.text());
    }
    let harness = shown(Setting {
        glyphs: GlyphSet::Ascii,
        level: Level::None,
        size: (120, 36),
    });
    assert!(harness.text().is_ascii(), "{}", harness.text());
    insta::assert_snapshot!("ghns_plain", harness.text());
}

#[test]
fn pictures_of_an_evaluation() {
    let mut harness = listed(SETTING);
    answer_report(&mut harness, Vec::new());
    insta::assert_snapshot!("ghns_not_evaluated", harness.text());
    harness.press("e");
    insta::assert_snapshot!("ghns_form", harness.text());
    harness.press("esc");
    let (id, _) = begun(&mut harness);
    progress(&mut harness, id, "test", 8);
    progress(&mut harness, id, "wide", 3);
    harness.say(
        id,
        Body::Progress {
            what: "evaluating the GHN".into(),
            done: 88,
            total: 400,
        },
    );
    insta::assert_snapshot!("ghns_evaluating", harness.text());
}
