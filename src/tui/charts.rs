//! Charts: curves, histograms, spectra and heat maps as ratatui widgets.
//!
//! The module knows points, scales and dots; it does not know runs, tensors or files. Colours come from
//! outside as a [`Palette`]. Long series are kept in a [`Series`], a pyramid of reductions, so that one
//! frame touches a few thousand entries however many points there are.
//!
//! A picture is made in three steps: [`Series`] holds values, `reduce` turns a range of them into pieces
//! of dot columns, `raster` turns pieces into dots. Taking all points or their reduction lights the same
//! dots; the tests in `reduce` hold the code to that.

mod axis;
mod colours;
mod format;
mod glyphs;
mod heatmap;
mod histogram;
mod line;
mod outline;
mod palette;
mod raster;
mod reduce;
mod scale;
mod series;
mod smooth;
mod spectrum;
mod ticks;

pub use axis::{XUnit, grown};
pub use colours::{Colours, Slot};
pub use format::{clock, significant};
pub use glyphs::Glyphs;
pub use heatmap::HeatMap;
pub use histogram::Histogram;
pub use line::{Band, Line, LineChart, XAxis, YAxis, at, x_extent};
pub use outline::outline;
pub use palette::Palette;
pub use scale::Scale;
pub use series::Series;
pub use smooth::Smoothed;
pub use spectrum::Spectrum;
