//! The list.

use super::*;

#[test]
fn each_state_is_a_glyph_and_a_word() {
    let folder = Folder::new();
    let states = [
        (Status::Queued, "○ queued"),
        (Status::Starting, "○ starting"),
        (Status::Running, "● running"),
        (Status::Paused, "▮ paused"),
        (Status::Stopped, "○ stopped"),
        (Status::Finished, "✓ finished"),
        (Status::Failed, "✗ failed"),
        (Status::Died, "✗ died"),
    ];
    let runs: Vec<MadeRun> = states
        .iter()
        .map(|(status, word)| {
            let name = format!("20261123-0914-{}", &word[4..]);
            folder.run(&name, *status, request("vit", "rand"), Vec::new())
        })
        .collect();
    let mut harness = Harness::at_runs(WIDE);
    let damaged = "20261123-0914-odd-0001".parse().unwrap();
    harness.hear(RunsMsg::Listed(Arc::new(Listing {
        runs: runs.iter().map(|run| run.summary.clone()).collect(),
        damaged: vec![(damaged, "request.toml: line 2".into())],
    })));
    let text = harness.text();
    for (_, word) in states {
        assert!(text.contains(word), "{word}\n{text}");
    }
    assert!(text.contains("✗ damaged request.toml: line 2"), "{text}");
    assert!(text.contains("died its worker ended"), "{text}");
}

#[test]
fn the_reason_of_a_failure_is_told_whole_also_at_the_reference_size() {
    let (mut harness, _) = three(SETTING);
    harness.press("down");
    let buf = harness.draw();
    let theme = &harness.app.shared.look.theme;
    for part in ["the loss is not a number at", " step 250"] {
        let place = find(&buf, part).unwrap_or_else(|| panic!("{part}\n{}", harness.text()));
        assert_eq!(buf[(place.x + 1, place.y)].style().fg, theme.bad.fg);
    }
}

#[test]
fn progress_is_never_cut_within_a_number() {
    let (harness, _) = three(Setting {
        size: (60, 16),
        ..SETTING
    });
    let text = harness.text();
    assert!(
        text.contains("● running e 41 ") && !text.contains("e 41…"),
        "{text}"
    );
}

#[test]
fn the_filter_narrows_the_list_while_it_is_typed_and_esc_shows_all() {
    let (mut harness, _) = three(SETTING);
    harness.press("/");
    harness.type_text("state:fail");
    let text = harness.text();
    assert!(
        text.contains("1 of 3 listed") && text.contains("/ state:fail"),
        "{text}"
    );
    assert!(!text.contains("rand"), "{text}");
    harness.press("enter");
    assert!(!panel(&harness).takes_text() && harness.text().contains("1 of 3 listed"));
    harness.press("esc");
    assert!(harness.text().contains("rand"));
    harness.press("/");
    harness.type_text("nothing like it");
    harness.press("enter");
    let text = harness.text();
    assert!(
        text.contains("No run matches.") && text.contains("Esc back"),
        "{text}"
    );
}

#[test]
fn space_overlays_runs_and_asks_only_for_points_that_are_missing() {
    let (mut harness, runs) = three(SETTING);
    let names: Vec<&str> = runs.iter().map(|run| run.summary.id().as_str()).collect();
    assert_eq!(drawn(&harness), [names[0]]);
    harness.press("space down");
    assert_eq!(
        drawn(&harness),
        [names[0], names[1]],
        "the selected one lies on top"
    );
    let Some(Effect::Runs(RunsEffect::Poll { curves })) = harness.effects.last() else {
        panic!("{:?} asks for no points", harness.effects.last())
    };
    assert!(curves.iter().any(|dir| dir.id().as_str() == names[1]));
    harness.answer_polls(&runs);
    assert!(harness.text().contains("2 of 3 drawn"));
    harness.press("up down");
    assert_eq!(
        polls(&harness),
        0,
        "points that are there are not asked for again"
    );
    harness.press("u");
    assert_eq!(drawn(&harness), [names[1]]);
    harness.press("space space");
    assert_eq!(drawn(&harness), [names[1]], "marked and unmarked");
}

#[test]
fn no_more_runs_are_marked_than_can_be_told_apart() {
    let folder = Folder::new();
    let make = |i| {
        let name = format!("20261123-0914-run-{i:04}");
        folder.run(&name, Status::Finished, request("vit", "rand"), Vec::new())
    };
    let runs: Vec<MadeRun> = (0..=MOST_MARKED).map(make).collect();
    let mut harness = Harness::with_runs(SETTING, &runs);
    for _ in 0..=MOST_MARKED {
        assert_eq!(notice(&harness), "");
        harness.press("space");
        if notice(&harness).is_empty() {
            harness.press("down");
        }
    }
    assert!(
        notice(&harness).contains("could not be told apart"),
        "{}",
        notice(&harness)
    );
    let slots = drawn(&harness);
    let slots = slots.iter().map(|id| panel(&harness).colours.slot(id));
    let different: std::collections::HashSet<_> = slots.collect();
    assert!(different.len() >= MOST_MARKED);
}

#[test]
fn a_run_that_was_started_here_is_selected_as_soon_as_it_is_listed() {
    let runs = Folder::new().three();
    let mut harness = Harness::with_runs(SETTING, &runs[1..]);
    let path = runs[0].summary.dir.path().to_owned();
    harness.send(Msg::Launched(Ok(path)));
    harness.list(&runs);
    let selected = panel(&harness).list.selected().unwrap();
    assert_eq!(selected.id, *runs[0].summary.id());
}

#[test]
fn the_cursor_stays_with_its_run_when_a_newer_one_appears() {
    let runs = Folder::new().three();
    let mut harness = Harness::with_runs(SETTING, &runs[1..]);
    harness.press("down");
    harness.list(&runs);
    let selected = panel(&harness).list.selected().unwrap();
    assert_eq!(selected.id, *runs[2].summary.id());
}

#[test]
fn a_run_has_one_colour_and_one_marker_in_list_and_chart() {
    let (mut harness, runs) = three(WIDE);
    harness.press("space down space down space");
    harness.answer_polls(&runs);
    let buf = harness.draw();
    let mut colours: Vec<Option<Color>> = Vec::new();
    // Names in the list, last accuracies in the chart.
    for (name, value) in [
        ("resnet50  ghn+noise", "43.74"),
        ("convnext_tiny", "14.76"),
        ("resnet50  rand", "60.13"),
    ] {
        let (list, chart) = (find(&buf, name).unwrap(), find(&buf, value).unwrap());
        let (list, chart) = (&buf[(list.x - 2, list.y)], &buf[(chart.x - 2, chart.y)]);
        assert_eq!(list.symbol(), chart.symbol(), "{name}");
        assert_eq!(list.fg, chart.fg, "{name}");
        assert!(!colours.contains(&Some(list.fg)), "{name} shares a colour");
        colours.push(Some(list.fg));
    }
    harness.press("up up space");
    let buf = harness.draw();
    let name = find(&buf, "resnet50  rand").unwrap();
    assert_eq!(
        Some(buf[(name.x - 2, name.y)].fg),
        colours[2],
        "it keeps its colour"
    );
}
