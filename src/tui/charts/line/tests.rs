use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;

fn render(chart: LineChart, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| frame.render_widget(chart, frame.area()))
        .unwrap();
    terminal.backend().to_string()
}

fn line<'a>(x: &'a [f64], y: &'a Series, marker: char) -> Line<'a> {
    Line {
        x,
        y,
        smooth: None,
        style: Style::new(),
        faded: Style::new(),
        marker,
        label: "",
    }
}

/// Two learning curves over 40 epochs.
fn curves() -> (Vec<f64>, Series, Series) {
    let x: Vec<f64> = (0..=40).map(f64::from).collect();
    let rising = |ends: f64, speed: f64| {
        x.iter()
            .map(|x| ends * (1.0 - (-x / speed).exp()) + 10.0)
            .collect()
    };
    let (high, low) = (rising(50.0, 8.0), rising(40.0, 20.0));
    (x, high, low)
}

#[test]
fn curves_in_all_glyph_sets() {
    let (x, high, low) = curves();
    for glyphs in [Glyphs::Braille, Glyphs::Blocks, Glyphs::Ascii] {
        let chart = LineChart::new("test accuracy %", Palette::default(), glyphs).lines([
            line(&x, &low, glyphs.marker(0)),
            line(&x, &high, glyphs.marker(1)),
        ]);
        insta::assert_snapshot!(format!("curves_{glyphs:?}"), render(chart, 60, 14));
    }
}

#[test]
fn curves_in_little_room() {
    let (x, high, low) = curves();
    for (width, height) in [(30, 6), (20, 4), (10, 3), (5, 2), (1, 1)] {
        let chart = LineChart::new("loss", Palette::default(), Glyphs::Braille)
            .lines([line(&x, &low, '●'), line(&x, &high, '■')]);
        insta::assert_snapshot!(
            format!("small_{width}x{height}"),
            render(chart, width, height)
        );
    }
}

#[test]
fn the_cursor_reads_all_lines() {
    let (x, high, low) = curves();
    let chart = LineChart::new("loss", Palette::default(), Glyphs::Braille)
        .lines([line(&x, &low, '●'), line(&x, &high, '■')])
        .cursor(Some(12.0));
    insta::assert_snapshot!(render(chart, 60, 14));
}

#[test]
fn numbers_that_are_none_are_marked_and_counted() {
    let x: Vec<f64> = (0..20).map(f64::from).collect();
    let y: Series = x
        .iter()
        .map(|&x| if x > 14.0 { f64::NAN } else { 2.0 - x / 10.0 })
        .collect();
    let chart =
        LineChart::new("loss", Palette::default(), Glyphs::Braille).lines([line(&x, &y, '●')]);
    let text = render(chart, 50, 10);
    assert!(
        text.contains("5 not finite") && text.contains('×'),
        "{text}"
    );
}

#[test]
fn clipping_says_how_much_is_off_scale() {
    let x: Vec<f64> = (0..1000).map(f64::from).collect();
    let y: Series = x
        .iter()
        .map(|&x| if x == 500.0 { 1e6 } else { x % 7.0 })
        .collect();
    let chart = LineChart::new("loss", Palette::default(), Glyphs::Braille)
        .lines([line(&x, &y, '●')])
        .y(YAxis {
            clip: true,
            ..YAxis::default()
        });
    let text = render(chart, 60, 10);
    assert!(text.contains("1 off scale"), "{text}");
    assert!(text.contains('▴'), "{text}");
}

#[test]
fn values_without_outliers_are_all_on_scale() {
    let x: Vec<f64> = (0..1000).map(f64::from).collect();
    let y: Series = x.iter().map(|&x| 0.3 + 2.5 * (-x / 20.0).exp()).collect();
    let chart = LineChart::new("loss", Palette::default(), Glyphs::Braille)
        .lines([line(&x, &y, '●')])
        .y(YAxis {
            clip: true,
            ..YAxis::default()
        });
    let text = render(chart, 60, 10);
    assert!(!text.contains("off scale"), "{text}");
    assert!(!text.contains('▴'), "{text}");
}

#[test]
fn log_axes_count_what_they_cannot_show() {
    let x: Vec<f64> = (0..100).map(f64::from).collect();
    let y: Series = x
        .iter()
        .map(|&x| if x == 3.0 { 0.0 } else { 1.0 / (x + 1.0) })
        .collect();
    let chart = LineChart::new("loss", Palette::default(), Glyphs::Braille)
        .lines([line(&x, &y, '●')])
        .x(XAxis {
            unit: XUnit::Step,
            log: true,
            ..XAxis::default()
        })
        .y(YAxis {
            log: true,
            ..YAxis::default()
        });
    insta::assert_snapshot!(render(chart, 64, 12));
}

#[test]
fn a_cursor_reads_the_nearest_point_and_none_far_from_the_ends() {
    let x = [1.0, 2.0, 3.0];
    assert_eq!(at(&x, 2.4), Some(1));
    assert_eq!(at(&x, 2.6), Some(2));
    assert_eq!(at(&x, 3.9), Some(2));
    assert_eq!(at(&x, 9.0), None);
    assert_eq!(at(&[], 1.0), None);
}

#[test]
fn no_points_are_said_in_words() {
    let chart = LineChart::new("loss", Palette::default(), Glyphs::Braille);
    assert!(render(chart, 40, 6).contains("no points yet"));
}
