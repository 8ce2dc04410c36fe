//! Which colour and which marker stand for which run.

use std::collections::BTreeMap;

/// A place in the palette of series colours, and the shape that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// Index into the palette.
    pub colour: usize,
    /// Index for [`Glyphs::marker`](super::Glyphs::marker).
    pub marker: usize,
}

/// Slots of the visible runs.
///
/// A slot follows from a hash of the run's id, so a run has the same colour in each session. Where that
/// place is taken, the run moves to the nearest free one; runs that are already shown keep theirs.
#[derive(Clone, Debug)]
pub struct Colours {
    palette: usize,
    slots: BTreeMap<String, Slot>,
}

impl Colours {
    /// For a palette of `palette` colours, at least one.
    #[must_use]
    pub fn new(palette: usize) -> Self {
        Self {
            palette: palette.max(1),
            slots: BTreeMap::new(),
        }
    }

    /// Says which runs are visible now; gives a slot to each.
    pub fn show<'a>(&mut self, ids: impl IntoIterator<Item = &'a str>) {
        let ids: Vec<&str> = ids.into_iter().collect();
        self.slots.retain(|id, _| ids.contains(&id.as_str()));
        let mut new: Vec<&str> = ids
            .into_iter()
            .filter(|id| !self.slots.contains_key(*id))
            .collect();
        new.sort_unstable();
        new.dedup();
        for id in new {
            let slot = self.free(self.home(id));
            self.slots.insert(id.to_owned(), slot);
        }
    }

    /// The slot of a run; that of a run that is not shown is the one it would have alone.
    #[must_use]
    pub fn slot(&self, id: &str) -> Slot {
        self.slots.get(id).copied().unwrap_or_else(|| Slot {
            colour: self.home(id),
            marker: self.home(id),
        })
    }

    fn home(&self, id: &str) -> usize {
        (hash(id) % self.palette as u64) as usize
    }

    /// The free slot nearest to `home`; once all colours are taken, they are shared in turn, with other
    /// markers.
    fn free(&self, home: usize) -> Slot {
        let n = self.palette;
        let users = |colour: usize| {
            self.slots
                .values()
                .filter(|slot| slot.colour == colour)
                .count()
        };
        let fewest = (0..n).map(users).min().unwrap_or(0);
        let near = (0..n).map(|step| {
            let away = step.div_ceil(2);
            if step % 2 == 0 {
                (home + n - away % n) % n
            } else {
                (home + away) % n
            }
        });
        let colour = near
            .into_iter()
            .find(|&colour| users(colour) == fewest)
            .unwrap_or(home);
        Slot {
            colour,
            marker: colour + fewest * (n / 2).max(1),
        }
    }
}

/// FNV-1a: short, and the same everywhere and always.
fn hash(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|i| format!("20261123-run-{i}")).collect()
    }

    #[test]
    fn visible_runs_have_different_colours_as_long_as_there_are_any() {
        let names = names(8);
        let mut colours = Colours::new(8);
        colours.show(names.iter().map(String::as_str));
        let used: BTreeSet<usize> = names.iter().map(|id| colours.slot(id).colour).collect();
        assert_eq!(used.len(), 8);
    }

    #[test]
    fn runs_that_share_a_colour_differ_in_marker() {
        let names = names(16);
        let mut colours = Colours::new(8);
        colours.show(names.iter().map(String::as_str));
        let used: BTreeSet<(usize, usize)> = names
            .iter()
            .map(|id| (colours.slot(id).colour, colours.slot(id).marker % 8))
            .collect();
        assert_eq!(used.len(), 16);
    }

    #[test]
    fn showing_another_run_recolours_none() {
        let names = names(6);
        let mut colours = Colours::new(8);
        colours.show(names[1..].iter().map(String::as_str));
        let before: Vec<Slot> = names[1..].iter().map(|id| colours.slot(id)).collect();
        colours.show(names.iter().map(String::as_str));
        let after: Vec<Slot> = names[1..].iter().map(|id| colours.slot(id)).collect();
        assert_eq!(before, after);
    }

    #[test]
    fn a_run_alone_has_the_colour_of_its_name() {
        let mut colours = Colours::new(8);
        colours.show(["a"]);
        let alone = colours.slot("a").colour;
        assert_eq!(alone, Colours::new(8).slot("a").colour);
    }
}
