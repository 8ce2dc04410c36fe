//! The Parameters panel's conversation with the engine.

use super::harness::{Harness, SETTING, Setting, predicted, rows};
use crate::engine::protocol::{Body, Command, Side};
use crate::tui::effect::Effect;
use crate::tui::msg::Msg;
use crate::tui::panels::PanelId;

fn failed(message: &str, cancelled: bool) -> Body {
    Body::Failed {
        message: message.into(),
        cancelled,
    }
}

/// Requests to the engine so far, without those about single tensors.
fn requests(harness: &Harness) -> Vec<Command> {
    let asked = harness.effects.iter().filter_map(|effect| match effect {
        Effect::Ask(request) => Some(request.command.clone()),
        _ => None,
    });
    asked
        .filter(|c| !matches!(c, Command::Detail { .. } | Command::Ghns))
        .collect()
}

#[test]
fn enter_predicts_what_the_recipe_says() {
    let mut harness = Harness::ready(SETTING);
    harness.press("2 right enter");
    let Some(Command::Predict { arch, ghn, .. }) = requests(&harness).pop() else {
        panic!("{:?}", harness.effects);
    };
    assert_eq!(
        (arch.name.as_str(), ghn.as_str()),
        ("resnet18", "/ghns/ghn2.pt")
    );
}

#[test]
fn p_predicts_first_and_post_processes_what_is_on_the_screen_first() {
    let mut harness = Harness::ready(SETTING);
    harness.press("2 p");
    harness.predict();
    let Some(Command::Post { post, first }) = requests(&harness).pop() else {
        panic!("{:?}", requests(&harness));
    };
    assert_eq!(post.layer, "10");
    assert_eq!(first.first().map(String::as_str), Some("conv1.weight"));
    assert!(first.len() < 21, "only what is on the screen: {first:?}");
    harness.post();
    harness.press("tab G");
    assert!(harness.text().contains('→'), "{}", harness.text());
}

#[test]
fn a_change_of_beta_cancels_and_begins_anew() {
    let mut harness = Harness::ready(SETTING);
    harness.press("2 p");
    harness.predict();
    let running = harness.asked().unwrap().id;
    // From the GHN down to beta.
    harness.press("down down down down down right");
    assert!(
        requests(&harness).contains(&Command::Cancel { request: running }),
        "{:?}",
        requests(&harness)
    );
    harness.say(running, failed("cancelled", true));
    let Some(Command::Post { post, .. }) = requests(&harness).pop() else {
        panic!("post-processing did not begin anew");
    };
    assert_eq!(post.beta, 1e-4);
}

#[test]
fn post_processing_that_changes_nothing_on_the_screen_moves_to_what_it_changes() {
    let mut harness = Harness::ready(Setting {
        size: (80, 20),
        ..SETTING
    });
    harness.press("2 p");
    harness.predict();
    assert!(harness.text().contains(" 1  conv1"), "{}", harness.text());
    harness.post();
    let text = harness.text();
    // The tenth weight is the first that is changed.
    assert!(text.contains("→ 128"), "{text}");
    // Where it is on the screen already, nothing moves.
    let mut tall = Harness::ready(Setting {
        size: (120, 60),
        ..SETTING
    });
    tall.press("2 p");
    tall.predict();
    tall.post();
    assert!(tall.text().contains(" 1  conv1"), "{}", tall.text());
}

#[test]
fn only_one_question_about_a_tensor_is_under_way() {
    let mut harness = Harness::ready(SETTING);
    harness.press("2 enter");
    harness.predict();
    harness.effects.clear();
    harness.press("tab down down down down");
    let questions = |h: &Harness| {
        let is_detail = |e: &&Effect| matches!(e, Effect::Ask(r) if matches!(r.command, Command::Detail { .. }));
        h.effects.iter().filter(is_detail).count()
    };
    assert_eq!(
        questions(&harness),
        0,
        "the first one, from before, is unanswered"
    );
}

#[test]
fn the_newest_tensor_is_asked_for_when_the_question_before_is_answered() {
    let mut harness = Harness::ready(SETTING);
    harness.press("2 enter");
    harness.predict();
    harness.press("tab down down");
    harness.detail();
    let request = harness.asked().unwrap();
    assert_eq!(
        request.command,
        Command::Detail {
            tensor: "layer1.0.conv2.weight".into()
        }
    );
}

#[test]
fn a_failure_is_shown_with_its_message_and_esc_puts_it_away() {
    let mut harness = Harness::ready(SETTING);
    harness.press("2 enter");
    let id = harness.asked().unwrap().id;
    harness.say(id, failed("opening the GHN default: out of memory", false));
    assert!(harness.text().contains("out of memory"));
    harness.press("esc");
    assert!(!harness.text().contains("out of memory"));
}

#[test]
fn an_untrained_ghn_is_called_so_wherever_its_numbers_stand() {
    let mut harness = Harness::ready(SETTING);
    harness.press("2 enter");
    harness.predict();
    assert!(
        harness.text().matches("untrained").count() >= 2,
        "{}",
        harness.text()
    );
}

#[test]
fn a_dead_engine_loses_nothing_on_the_screen_and_details_ask_for_a_new_prediction() {
    let mut harness = Harness::ready(SETTING);
    harness.press("2 enter");
    harness.predict();
    let before = harness.text();
    assert!(before.contains("11.2 M values"), "{before}");
    harness.send(Msg::EngineGone("out of memory".into()));
    harness.press("down");
    let text = harness.text();
    assert!(text.contains("11.2 M values"), "{text}");
    assert!(text.contains("no longer holds"), "{text}");
}

#[test]
fn esc_cancels_what_the_engine_does() {
    let mut harness = Harness::ready(SETTING);
    harness.press("2 enter");
    let id = harness.asked().unwrap().id;
    harness.press("esc");
    assert_eq!(
        requests(&harness).pop(),
        Some(Command::Cancel { request: id })
    );
    harness.say(id, failed("cancelled", true));
    assert!(harness.text().contains("Cancelled"));
}

#[test]
fn answers_to_old_requests_change_nothing() {
    let mut harness = Harness::ready(SETTING);
    harness.press("2 enter");
    harness.say(999, predicted());
    let row = rows().remove(0);
    harness.say(
        999,
        Body::Row {
            side: Side::Before,
            row,
        },
    );
    assert!(harness.text().contains("not predicted yet"));
}

#[test]
fn fine_tuning_starts_the_command_and_goes_to_the_runs() {
    let mut harness = Harness::ready(SETTING);
    harness.press("2 f");
    harness.press("enter");
    let launched = harness.effects.iter().find_map(|e| match e {
        Effect::Launch(arguments) => Some(arguments.clone()),
        _ => None,
    });
    let arguments = launched.expect("a launch");
    assert!(arguments.contains(&"--init".to_owned()) && arguments.contains(&"--detach".to_owned()));
    harness.send(Msg::Launched(Err("no such folder".into())));
    assert!(harness.text().contains("no such folder"));
    harness.press("enter");
    harness.send(Msg::Launched(Ok("/runs/20261123-a".into())));
    assert_eq!(harness.app.shared.front, PanelId::Runs);
}

#[test]
fn what_is_written_is_the_newest_side() {
    let mut harness = Harness::ready(SETTING);
    harness.press("2 p");
    harness.predict();
    harness.post();
    harness.press("w enter");
    let Some(Command::Write { side, path }) = requests(&harness).pop() else {
        panic!("{:?}", requests(&harness));
    };
    assert_eq!(side, Side::After);
    assert_eq!(path, "resnet18-default-noise-orth.safetensors");
}

#[test]
fn wrong_numbers_in_the_recipe_are_refused_with_what_is_allowed() {
    let mut harness = Harness::ready(SETTING);
    harness.press("2 down space");
    harness.type_text("x");
    harness.press("enter");
    assert!(
        harness.text().contains("classes must be a whole number"),
        "{}",
        harness.text()
    );
    assert_eq!(harness.app.shared.selection.arch.classes, 10);
}
