//! The comparison of two architectures: picking, jumping, swapping, leaving.

use super::harness::{Harness, SETTING, Setting, find};
use crate::tui::glyphs::GlyphSet;
use crate::tui::theme::Level;

/// Compares resnet18 with the network of this name, by its letters.
fn compared(setting: Setting, name: &str) -> Harness {
    let mut harness = Harness::ready(setting);
    harness.press("d /");
    harness.type_text(name);
    harness.press("enter enter");
    harness
}

fn names(harness: &Harness) -> (String, Option<String>) {
    let selection = &harness.app.shared.selection;
    (selection.arch.name.clone(), selection.second.clone())
}

#[test]
fn d_picks_a_second_network_and_leaves_the_first_chosen() {
    let mut harness = Harness::ready(SETTING);
    harness.press("d");
    assert!(harness.text().contains("Compare with which network?"));
    harness.press("down");
    assert_eq!(
        names(&harness),
        ("resnet18".into(), Some("resnet34".into()))
    );
    let text = harness.text();
    assert!(text.contains("resnet18 → resnet34"), "{text}");
    assert!(text.contains("+ added"), "{text}");
}

#[test]
fn esc_ends_the_comparison_and_the_list_chooses_again() {
    let mut harness = compared(SETTING, "resnet34");
    harness.press("esc");
    assert_eq!(names(&harness), ("resnet18".into(), None));
    assert!(find(&harness.draw(), "› resnet18").is_some());
    let mut harness = Harness::ready(SETTING);
    harness.press("d down esc down");
    assert_eq!(names(&harness), ("resnet34".into(), None));
}

#[test]
fn q_ends_the_comparison_and_does_not_quit() {
    use crate::tui::effect::Effect;
    let mut harness = Harness::ready(SETTING);
    harness.press("d q");
    assert_eq!(names(&harness).1, None);
    assert!(!harness.effects.contains(&Effect::Quit));
}

#[test]
fn x_swaps_and_what_was_added_is_removed() {
    let mut harness = compared(SETTING, "resnet34");
    assert!(harness.text().contains("+ added"));
    harness.press("x");
    assert_eq!(
        names(&harness),
        ("resnet34".into(), Some("resnet18".into()))
    );
    let text = harness.text();
    assert!(
        text.contains("- removed") && !text.contains("+ added"),
        "{text}"
    );
}

#[test]
fn the_second_time_d_begins_with_the_network_compared_with_before() {
    let mut harness = compared(SETTING, "resnet50");
    harness.press("esc d");
    assert_eq!(
        names(&harness),
        ("resnet18".into(), Some("resnet50".into()))
    );
}

#[test]
fn the_second_network_is_not_kept_for_the_next_start() {
    use crate::tui::effect::Effect;
    let harness = compared(SETTING, "resnet34");
    let kept = harness.effects.iter().filter_map(|effect| match effect {
        Effect::Remember(kept) => Some(kept.selection.second.clone()),
        _ => None,
    });
    assert!(kept.flatten().next().is_none());
}

#[test]
fn n_walks_through_every_difference_and_opens_what_it_lies_in() {
    let mut harness = compared(SETTING, "resnet50");
    harness.press("g");
    let mut seen = Vec::new();
    for _ in 0..200 {
        harness.press("n");
        let text = harness.text();
        if text.contains("no difference further down") {
            break;
        }
        let title = text.lines().nth(1).unwrap().to_owned();
        let (_, standing) = title.split_once("resnet50").unwrap();
        seen.push(standing.replace(['─', ' '], ""));
    }
    let count = seen.len();
    let expected: Vec<String> = (1..=count)
        .map(|i| format!("{i}of{count}differences"))
        .collect();
    assert_eq!(seen, expected);
    assert!(count > 10);
    // And back again.
    harness.press("N");
    let text = harness.text();
    assert!(
        text.contains(&format!("{} of {count} differences", count - 1)),
        "{text}"
    );
}

#[test]
fn jumping_without_a_comparison_says_how_to_begin_one() {
    let mut harness = Harness::ready(SETTING);
    for key in ["n", "N", "x"] {
        harness.press(key);
        assert!(
            harness.text().contains("d compares with another network"),
            "{key}"
        );
    }
}

#[test]
fn every_kind_of_difference_has_a_word_and_a_colour_of_its_own() {
    let setting = Setting {
        size: (120, 60),
        ..SETTING
    };
    let mut harness = compared(setting, "resnet50");
    harness.press("z");
    let buf = harness.draw();
    let theme = harness.app.shared.look.theme.clone();
    let changed = find(&buf, "~ changed").unwrap();
    assert_eq!(buf[(changed.x, changed.y)].style().fg, theme.warning.fg);
    let added = find(&buf, "+ added").unwrap();
    assert_eq!(buf[(added.x, added.y)].style().fg, theme.good.fg);
    harness.press("x");
    let buf = harness.draw();
    let removed = find(&buf, "- removed").unwrap();
    assert_eq!(buf[(removed.x, removed.y)].style().fg, theme.bad.fg);
}

#[test]
fn the_filter_finds_differences_by_their_word() {
    let mut harness = compared(SETTING, "resnet50");
    harness.press("/");
    harness.type_text("added conv3");
    harness.press("enter");
    let text = harness.text();
    assert!(text.contains("/ added conv3"), "{text}");
    assert!(
        text.contains("conv3") && !text.contains("~ changed"),
        "{text}"
    );
    harness.press("esc");
    assert!(harness.text().contains("~ changed") || harness.text().contains('~'));
    assert!(names(&harness).1.is_some(), "the filter went first");
}

#[test]
fn a_network_that_cannot_be_built_so_is_named_with_the_reason() {
    let mut harness = compared(SETTING, "inception_v3");
    let text = harness.text();
    assert!(text.contains("These cannot be compared."), "{text}");
    harness.press("esc");
    assert_eq!(names(&harness).1, None);
}

#[test]
fn walking_through_the_whole_list_forgets_neither_of_the_two() {
    let mut harness = Harness::ready(SETTING);
    harness.press("d");
    for _ in 0..40 {
        harness.press("down");
        assert!(!harness.text().contains("Building"), "{}", harness.text());
    }
}

#[test]
fn pictures() {
    for size in [(60, 16), (80, 24), (120, 36), (200, 60)] {
        let mut harness = compared(Setting { size, ..SETTING }, "resnet50");
        harness.press("n n n");
        insta::assert_snapshot!(format!("compare_{}x{}", size.0, size.1), harness.text());
    }
}

#[test]
fn pictures_of_distant_networks() {
    let mut harness = compared(
        Setting {
            size: (120, 36),
            ..SETTING
        },
        "convnext_base",
    );
    insta::assert_snapshot!("compare_distant_too_small", harness.text());
    harness.press("i backspace backspace");
    harness.type_text("224");
    harness.press("enter");
    insta::assert_snapshot!("compare_distant", harness.text());
}

#[test]
fn pictures_without_colour_and_braille() {
    let plain = Setting {
        level: Level::None,
        glyphs: GlyphSet::Ascii,
        ..SETTING
    };
    let harness = compared(plain, "resnet50");
    assert!(harness.text().is_ascii(), "{}", harness.text());
    insta::assert_snapshot!("compare_plain", harness.text());
    let mut harness = Harness::ready(SETTING);
    harness.press("d");
    insta::assert_snapshot!("compare_begin", harness.text());
}
