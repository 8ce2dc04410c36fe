//! Pictures of the screen as text, at four sizes, with three sets of characters and without colour.

use super::harness::{Harness, SETTING, Setting};
use super::made_runs::Folder;
use crate::engine::protocol::Body;
use crate::tui::glyphs::GlyphSet;
use crate::tui::msg::Msg;
use crate::tui::theme::Level;

const SIZES: [(u16, u16); 4] = [(60, 16), (80, 24), (120, 36), (200, 60)];

fn at(size: (u16, u16)) -> Setting {
    Setting { size, ..SETTING }
}

/// After prediction and post-processing, the cursor on a tensor that changed.
fn looked_at(setting: Setting) -> Harness {
    let mut harness = Harness::ready(setting);
    harness.press("2 p");
    harness.predict();
    harness.post();
    // The question about the first tensor, then the one about that under the cursor.
    harness.detail();
    harness.press("tab G up up");
    harness.detail();
    harness
}

#[test]
fn architectures() {
    for size in SIZES {
        let mut harness = Harness::ready(at(size));
        harness.press("tab down down down down right down");
        insta::assert_snapshot!(
            format!("architectures_{}x{}", size.0, size.1),
            harness.text()
        );
    }
}

#[test]
fn parameters() {
    for size in SIZES {
        let harness = looked_at(at(size));
        insta::assert_snapshot!(format!("parameters_{}x{}", size.0, size.1), harness.text());
    }
}

#[test]
fn parameters_detail_alone() {
    let mut harness = looked_at(at((60, 16)));
    harness.press("tab");
    insta::assert_snapshot!(harness.text());
}

#[test]
fn parameters_before_anything() {
    let mut harness = Harness::ready(SETTING);
    harness.press("2");
    insta::assert_snapshot!(harness.text());
}

#[test]
fn parameters_at_work() {
    let mut harness = Harness::ready(SETTING);
    harness.press("2 enter");
    let id = harness.asked().unwrap().id;
    harness.send(Msg::Tick(std::time::Duration::from_millis(1250)));
    harness.say(
        id,
        Body::Progress {
            what: "predicting".into(),
            done: 3,
            total: 5,
        },
    );
    insta::assert_snapshot!(harness.text());
}

#[test]
fn ascii() {
    let harness = looked_at(Setting {
        glyphs: GlyphSet::Ascii,
        ..SETTING
    });
    assert!(harness.text().is_ascii(), "{}", harness.text());
    insta::assert_snapshot!(harness.text());
}

#[test]
fn half_blocks() {
    let harness = looked_at(Setting {
        glyphs: GlyphSet::Blocks,
        ..SETTING
    });
    insta::assert_snapshot!(harness.text());
}

#[test]
fn without_colour_no_cell_has_one() {
    use ratatui::style::{Color, Modifier};
    let harness = looked_at(Setting {
        level: Level::None,
        ..SETTING
    });
    let buf = harness.draw();
    for cell in &buf.content {
        assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
    }
    let marked = buf
        .content
        .iter()
        .any(|cell| cell.modifier.contains(Modifier::REVERSED));
    assert!(marked, "the selection is reverse video");
    insta::assert_snapshot!(harness.text());
}

#[test]
fn overlays() {
    let mut harness = Harness::ready(SETTING);
    harness.press("2 ?");
    insta::assert_snapshot!("help", harness.text());
    harness.press("esc :");
    harness.type_text("them");
    insta::assert_snapshot!("palette", harness.text());
    harness.press("esc f");
    insta::assert_snapshot!("finetune_form", harness.text());
}

#[test]
fn an_image_too_small_for_the_network() {
    let mut harness = Harness::ready(SETTING);
    harness.press("/");
    harness.type_text("convnext_tiny");
    harness.press("enter down i");
    harness.press("backspace backspace");
    harness.type_text("4");
    harness.press("enter");
    insta::assert_snapshot!(harness.text());
}

/// All three runs drawn, the cursor on the one that failed.
fn with_three_runs(setting: Setting) -> Harness {
    let folder = Folder::new();
    let runs = folder.three();
    let mut harness = Harness::with_runs(setting, &runs);
    harness.press("space down down space up");
    harness.answer_polls(&runs);
    harness
}

#[test]
fn runs() {
    for size in SIZES {
        let harness = with_three_runs(at(size));
        insta::assert_snapshot!(format!("runs_{}x{}", size.0, size.1), harness.text());
    }
}

#[test]
fn runs_ascii() {
    let harness = with_three_runs(Setting {
        glyphs: GlyphSet::Ascii,
        ..at((120, 36))
    });
    assert!(harness.text().is_ascii(), "{}", harness.text());
    insta::assert_snapshot!(harness.text());
}

#[test]
fn runs_without_colour_are_told_apart_by_markers() {
    let harness = with_three_runs(Setting {
        level: Level::None,
        ..at((120, 36))
    });
    let text = harness.text();
    // In the list, and at the ends of four lines; along those that are long enough, too.
    for (marker, least) in [("▼", 7), ("■", 7), ("▽", 4)] {
        assert!(text.matches(marker).count() >= least, "{marker}\n{text}");
    }
    insta::assert_snapshot!(text);
}

/// The seeds of each start taken together.
fn with_bands(setting: Setting) -> Harness {
    let runs = Folder::new().experiment();
    let mut harness = Harness::with_runs(setting, &runs);
    harness.press("down down b");
    harness.answer_polls(&runs);
    harness
}

#[test]
fn runs_bands() {
    for size in SIZES {
        let harness = with_bands(at(size));
        let name = format!("runs_bands_{}x{}", size.0, size.1);
        insta::assert_snapshot!(name, harness.text());
    }
    let ascii = with_bands(Setting {
        glyphs: GlyphSet::Ascii,
        ..at((120, 36))
    });
    assert!(ascii.text().is_ascii(), "{}", ascii.text());
    insta::assert_snapshot!("runs_bands_ascii", ascii.text());
}

#[test]
fn runs_of_one() {
    let folder = Folder::new();
    let runs = folder.three();
    let harness = Harness::with_runs(SETTING, &runs[..1]);
    insta::assert_snapshot!(harness.text());
}

#[test]
fn runs_before_the_first() {
    let mut harness = Harness::at_runs(SETTING);
    harness.list(&[]);
    insta::assert_snapshot!(harness.text());
}

#[test]
fn runs_log_and_comparison() {
    let mut harness = with_three_runs(SETTING);
    harness.press("o");
    insta::assert_snapshot!("runs_log", harness.text());
    harness.press("esc d");
    insta::assert_snapshot!("runs_diff", harness.text());
}
