//! Small things that panels are drawn from.

pub mod bar;
pub mod columns;
pub mod cursor;
pub mod form;
pub mod number;
pub mod pane;
pub mod write;
