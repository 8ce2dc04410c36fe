//! The seeds of each start of an experiment, drawn as one mean with a band around it.

use super::RunsPanel;
use super::curves::{Curves, Spread};
use super::plots::Drawn;
use crate::tui::charts::Colours;

/// What is drawn instead of single runs, in the order in which it is drawn.
#[derive(Debug, Default)]
pub struct Bands(Vec<Start>);

/// All seeds of one start.
#[derive(Debug)]
struct Start {
    /// What its colour goes by.
    group: String,
    name: String,
    epochs: u32,
    spread: Spread,
}

impl Bands {
    /// Whether single runs are drawn.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// For the charts.
    #[must_use]
    pub fn drawn(&self, colours: &Colours) -> Vec<Drawn<'_>> {
        let starts = self.0.iter();
        starts
            .map(|start| Drawn {
                curves: &start.spread.mean,
                spread: Some((&start.spread, &start.name)),
                slot: colours.slot(&start.group),
                epochs: start.epochs,
            })
            .collect()
    }
}

impl RunsPanel {
    /// Makes the means anew, after any change of points, of smoothing or of what is drawn.
    pub(super) fn take_seeds_together(&mut self) {
        let Some(rows) = self.list.banded() else {
            self.bands.0.clear();
            return;
        };
        let mut starts: Vec<(&str, &str, u32, Vec<&Curves>)> = Vec::new();
        for row in rows {
            let (Some(group), Some(known)) = (&row.group, &row.known) else {
                continue;
            };
            let epochs = known.request.training.epochs;
            let place = starts.iter().position(|start| start.0 == group);
            let place = place.unwrap_or_else(|| {
                starts.push((group, row.init.as_str(), epochs, Vec::new()));
                starts.len() - 1
            });
            // Points that are still to come say nothing yet.
            starts[place].3.extend(self.curves.get(&row.id));
        }
        let starts = starts
            .into_iter()
            .map(|(group, name, epochs, curves)| Start {
                group: group.to_owned(),
                name: name.to_owned(),
                epochs,
                spread: Spread::of(&curves),
            });
        self.bands = Bands(starts.collect());
    }
}
