//! Looking at curves.

use super::*;

#[test]
fn the_cursor_reads_values_off_and_esc_takes_it_away() {
    let (mut harness, _) = one(Status::Running);
    harness.press("right");
    assert_eq!(
        panel(&harness).sight.cursor,
        Some(10.0),
        "it begins at the newest point"
    );
    let value = |harness: &Harness| {
        let text = harness.text();
        let at = text.find(" test").unwrap();
        text[..at].rsplit(' ').next().unwrap().to_owned()
    };
    let last = value(&harness);
    harness.press("left left");
    let cursor = panel(&harness).sight.cursor.unwrap();
    assert!(cursor < 10.0);
    assert_ne!(value(&harness), last, "another point has another value");
    harness.press("esc");
    assert_eq!(panel(&harness).sight.cursor, None);
    assert_eq!(value(&harness), last);
}

#[test]
fn a_zoomed_view_says_so_and_stays_when_points_arrive_until_all_is_shown() {
    let (mut harness, run) = one(Status::Running);
    harness.press("+");
    let zoom = panel(&harness).sight.zoom;
    assert!(zoom.is_some() && harness.text().contains("zoomed"));
    let more = log(20, 50.0, (RunState::Running, None));
    harness.hear(points(&run, &more[run.lines.len()..]));
    assert_eq!(panel(&harness).sight.zoom, zoom);
    harness.press(">");
    assert_ne!(panel(&harness).sight.zoom, zoom);
    harness.press("0");
    assert!(panel(&harness).sight.zoom.is_none() && !harness.text().contains("zoomed"));
    harness.press("+ esc");
    assert!(panel(&harness).sight.zoom.is_none());
}

#[test]
fn smoothing_is_named_in_the_title_and_the_last_step_is_none() {
    let (mut harness, _) = one(Status::Running);
    for note in ["smooth 0.9 ", "smooth 0.98", "", "smooth 0.6"] {
        let text = harness.text();
        assert!(text.contains(note), "{note}\n{text}");
        assert_eq!(text.contains("smooth 0"), !note.is_empty(), "{text}");
        harness.press("m");
    }
}

#[test]
fn log_axes_are_the_focused_charts_own_upright_and_common_along() {
    let (mut harness, _) = one(Status::Running);
    harness.press("tab L");
    let sight = &panel(&harness).sight;
    assert!(sight.log_y(Metric::Loss) && !sight.log_y(Metric::Accuracy));
    assert_eq!(harness.text().matches("log y").count(), 1);
    harness.press("L X");
    let text = harness.text();
    assert!(!text.contains("log y"), "{text}");
    assert!(text.contains("log x"), "{text}");
}

#[test]
fn the_x_axis_names_its_unit() {
    let (mut harness, _) = one(Status::Running);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let unit = panel(&harness).sight.unit;
        assert!(!seen.contains(&unit));
        let text = harness.text();
        assert!(text.contains(unit.name()), "{unit:?}\n{text}");
        seen.push(unit);
        harness.press("x");
    }
    assert_eq!(panel(&harness).sight.unit, XUnit::Epoch, "it goes round");
}

#[test]
fn tab_chooses_the_metric_and_enter_gives_it_all_the_room() {
    let small = Setting {
        size: (60, 16),
        ..SETTING
    };
    let (mut harness, _) = three(small);
    for metric in Metric::ALL {
        assert_eq!(panel(&harness).sight.focus, metric);
        let title = match metric {
            Metric::Accuracy => "accuracy %",
            Metric::Loss => "loss",
            Metric::LearningRate => "learning rate",
            Metric::Speed => "images/s",
        };
        assert!(
            harness.text().contains(title),
            "{title}\n{}",
            harness.text()
        );
        harness.press("tab");
    }
    let (mut harness, _) = three(WIDE);
    harness.press("tab enter");
    let text = harness.text();
    assert!(
        text.contains("loss") && !text.contains("accuracy"),
        "{text}"
    );
    harness.press("esc");
    assert!(harness.text().contains("accuracy"));
}

#[test]
fn t_chooses_whose_images_and_says_so() {
    let (mut harness, _) = three(WIDE);
    harness.press("t");
    assert_eq!(panel(&harness).sight.which, Which::Test);
    assert!(notice(&harness).contains("test images"));
    let text = harness.text();
    assert!(
        text.contains("test accuracy") && text.contains("test loss"),
        "{text}"
    );
}

#[test]
fn numbers_that_are_none_are_counted_before_anything_else_in_the_title() {
    let (mut harness, runs) = three(SETTING);
    harness.press("down");
    harness.answer_polls(&runs);
    let text = harness.text();
    assert!(text.contains("loss ─ 1 not finite"), "{text}");
}
