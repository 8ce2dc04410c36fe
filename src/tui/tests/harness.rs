//! An app with a fake outside: effects are collected, architectures are built at once, the engine's
//! answers are made up.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::engine::protocol::{
    Answer, Body, Command, DiversityRow, GhnSummary, Histogram, PredictSeconds, Predicted, Request,
    Side, TensorDetail,
};
use crate::tui::app::App;
use crate::tui::catalogue::{ArchReport, Surveyed};
use crate::tui::effect::Effect;
use crate::tui::glyphs::{GlyphSet, Glyphs};
use crate::tui::keymap::Keymap;
use crate::tui::msg::Msg;
use crate::tui::selection::Selection;
use crate::tui::shared::{Look, Shared};
use crate::tui::state_file::Remembered;
use crate::tui::theme::{Level, Theme};
use crate::tui::update::{start, update};
use crate::tui::view::view;

/// How the app under test looks.
#[derive(Clone, Copy)]
pub struct Setting {
    pub level: Level,
    pub glyphs: GlyphSet,
    pub size: (u16, u16),
}

pub const SETTING: Setting = Setting {
    level: Level::True,
    glyphs: GlyphSet::Unicode,
    size: (80, 24),
};

/// An app and what it asked for.
pub struct Harness {
    pub app: App,
    /// Effects that were not carried out here.
    pub effects: Vec<Effect>,
}

impl Harness {
    /// The app before the engine said anything, on resnet18 for 10 classes of 32x32 images.
    pub fn new(setting: Setting) -> Self {
        let look = Look {
            theme: Theme::built_in("dark", setting.level).unwrap(),
            level: setting.level,
            glyphs: Glyphs::of(setting.glyphs),
        };
        let mut selection = Selection::default();
        selection.arch.name = "resnet18".into();
        selection.arch.classes = 10;
        selection.arch.side = 32;
        selection.post.layer = "10".into();
        let shared = Shared::new(look, Keymap::default(), selection);
        let mut harness = Self {
            app: App::new(shared, Remembered::default()),
            effects: Vec::new(),
        };
        let effects = start(&mut harness.app, setting.size.0, setting.size.1);
        harness.carry_out(effects);
        harness
    }

    /// As [`Harness::new`], the engine ready with two GHNs.
    pub fn ready(setting: Setting) -> Self {
        let mut harness = Self::new(setting);
        harness.say(
            0,
            Body::Hello {
                version: "0.1.0".into(),
                device: "cpu, 2 threads".into(),
            },
        );
        let id = harness
            .asked()
            .expect("the app asks which GHNs there are")
            .id;
        let ghn = |name: &str, trained| GhnSummary {
            name: name.into(),
            description: "GHN-2".into(),
            trained,
            bytes: None,
            large: false,
        };
        let ghns = vec![
            ghn("default", false),
            ghn("/ghns/ghn2.pt", true),
            ghn("random", false),
        ];
        harness.say(id, Body::Ghns { ghns });
        harness.say(id, Body::Done);
        harness
    }

    pub fn send(&mut self, msg: Msg) {
        let effects = update(&mut self.app, msg);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Build(spec) => {
                    let built = ArchReport::build(&spec).map(Arc::new);
                    self.send(Msg::Built(spec, built));
                }
                Effect::Survey { classes, side } => {
                    let params = [("resnet18".to_owned(), Some(11_181_642))].into();
                    self.send(Msg::Surveyed(Surveyed {
                        classes,
                        side,
                        params,
                    }));
                }
                other => self.effects.push(other),
            }
        }
    }

    /// Presses keys, by the names of the keymap, apart by spaces.
    pub fn press(&mut self, keys: &str) {
        for name in keys.split(' ') {
            self.send(Msg::Key(event(name)));
        }
    }

    /// Types text, letter by letter.
    pub fn type_text(&mut self, text: &str) {
        for c in text.chars() {
            self.send(Msg::Key(KeyEvent::new(
                KeyCode::Char(c),
                KeyModifiers::NONE,
            )));
        }
    }

    pub fn say(&mut self, id: u64, body: Body) {
        self.send(Msg::Answer(Box::new(Answer { id, body })));
    }

    /// The last request to the engine.
    pub fn asked(&self) -> Option<Request> {
        self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Ask(request) => Some(request.clone()),
            _ => None,
        })
    }

    /// Answers a prediction: numbers for all tensors.
    pub fn predict(&mut self) {
        let request = self.asked().unwrap();
        assert!(
            matches!(request.command, Command::Predict { .. }),
            "{request:?}"
        );
        self.say(request.id, predicted());
        for row in rows() {
            let side = Side::Before;
            self.say(request.id, Body::Row { side, row });
        }
        self.say(request.id, Body::Done);
    }

    /// Answers post-processing: numbers for the tensors from the tenth on but the last.
    pub fn post(&mut self) {
        let request = self.asked().unwrap();
        assert!(
            matches!(request.command, Command::Post { .. }),
            "{request:?}"
        );
        let rows = rows();
        for row in &rows[9..rows.len() - 1] {
            let row = DiversityRow {
                rank: row.shape[0],
                effective_rank: row.shape[0] as f64 * 0.97,
                duplicate_fraction: 0.0,
                sigma_max: 1.0,
                sigma_min: 0.98,
                outline: vec![1.0; 16],
                ..row.clone()
            };
            let side = Side::After;
            self.say(request.id, Body::Row { side, row });
        }
        self.say(request.id, Body::Done);
    }

    /// Answers the question about one tensor.
    pub fn detail(&mut self) {
        let request = self.asked().unwrap();
        let Command::Detail { tensor } = &request.command else {
            panic!("{request:?} asks for no detail");
        };
        let body = Body::Detail {
            tensor: tensor.clone(),
            before: details(0.08),
            after: Some(details(0.001)),
        };
        self.say(request.id, body);
        self.say(request.id, Body::Done);
    }

    /// The screen as cells.
    pub fn draw(&self) -> Buffer {
        let mut buf = Buffer::empty(self.app.screen);
        view(&self.app, &mut buf);
        buf
    }

    /// The screen as lines of text.
    pub fn text(&self) -> String {
        text(&self.draw())
    }
}

/// A buffer's symbols, spaces at line ends cut off.
pub fn text(buf: &Buffer) -> String {
    let line = |y: u16| {
        let cells = (0..buf.area.width).map(|x| buf[(x, y)].symbol());
        cells.collect::<String>().trim_end().to_owned()
    };
    let lines: Vec<String> = (0..buf.area.height).map(line).collect();
    lines.join("\n")
}

/// Where `needle` begins.
pub fn find(buf: &Buffer, needle: &str) -> Option<Rect> {
    let width = needle.chars().count() as u16;
    let text = text(buf);
    text.lines().enumerate().find_map(|(y, line)| {
        let at = line.find(needle)?;
        let x = line[..at].chars().count() as u16;
        Some(Rect::new(x, y as u16, width, 1))
    })
}

/// A key press by its name in the keymap.
pub fn event(name: &str) -> KeyEvent {
    let none = KeyModifiers::NONE;
    match name {
        "enter" => KeyEvent::new(KeyCode::Enter, none),
        "esc" => KeyEvent::new(KeyCode::Esc, none),
        "tab" => KeyEvent::new(KeyCode::Tab, none),
        "up" => KeyEvent::new(KeyCode::Up, none),
        "down" => KeyEvent::new(KeyCode::Down, none),
        "left" => KeyEvent::new(KeyCode::Left, none),
        "right" => KeyEvent::new(KeyCode::Right, none),
        "space" => KeyEvent::new(KeyCode::Char(' '), none),
        "backspace" => KeyEvent::new(KeyCode::Backspace, none),
        other => match other.strip_prefix("ctrl-") {
            Some(letter) => KeyEvent::new(
                KeyCode::Char(letter.chars().next().unwrap()),
                KeyModifiers::CONTROL,
            ),
            None => KeyEvent::new(KeyCode::Char(other.chars().next().unwrap()), none),
        },
    }
}

pub fn predicted() -> Body {
    Body::Predicted(Predicted {
        arch: "resnet18".into(),
        ghn: "default".into(),
        trained: false,
        params: 11_171_146,
        tensors: 61,
        unpredicted: vec!["fc.weight".into()],
        seconds: PredictSeconds {
            graph: 0.004,
            gnn: 0.012,
            decode: 0.015,
            ..PredictSeconds::default()
        },
    })
}

/// Numbers for every weight of resnet18, made up from its place.
pub fn rows() -> Vec<DiversityRow> {
    let spec = crate::engine::protocol::ArchSpec {
        name: "resnet18".into(),
        classes: 10,
        side: 32,
    };
    let report = ArchReport::build(&spec).unwrap();
    let weights = report.arch.tensors().iter().filter(|t| t.shape.len() >= 2);
    weights
        .enumerate()
        .map(|(index, tensor)| DiversityRow {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            rank: tensor.shape[0].min(64),
            effective_rank: 5.0 + (index * 7 % 20) as f64,
            stable_rank: 3.0,
            sigma_max: 1.25,
            sigma_min: 0.0,
            mean_abs_corr: 0.4,
            std_corr: 0.3,
            duplicate_fraction: 1.0 - 64.0 / tensor.shape[0].max(64) as f64,
            mean: 1e-4,
            std: 0.031,
            nan: 0,
            outline: (0..16).map(|i| (-0.2 * i as f32).exp()).collect(),
        })
        .collect()
}

/// A spectrum that falls by `decay` a value, a bell, a matrix of 16 rows.
pub fn details(decay: f32) -> TensorDetail {
    let side = 16;
    let correlation = (0..side * side).map(|i| if i % (side + 1) == 0 { 1.0 } else { 0.2 });
    TensorDetail {
        singular_values: (0..64).map(|i| (-decay * i as f32).exp()).collect(),
        histogram: Histogram {
            low: -0.2,
            high: 0.2,
            counts: (0..32_i32)
                .map(|i| (300 - (i - 16) * (i - 16)).max(0) as u64)
                .collect(),
        },
        correlation: correlation.collect(),
        correlation_side: side,
    }
}
