//! Bars of progress on standard error.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar for so much work, if that is known. Where standard error is no terminal it shows nothing.
pub fn bar(length: impl Into<Option<u64>>, template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(length.into(), ProgressDrawTarget::stderr());
    // Templates are constants; should the crate not like one, its own style will do.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// A bar for work on `length` things of a kind.
pub fn counted(length: usize, what: &'static str) -> ProgressBar {
    bar(length as u64, "{pos}/{len} {msg} {bar:30} {eta} left").with_message(what)
}

/// A bar for work on `length` tensors, whose names are its messages.
pub fn tensors(length: usize) -> ProgressBar {
    bar(length as u64, "{pos}/{len} {bar:30} {msg}")
}
