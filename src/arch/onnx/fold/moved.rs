//! Numbers in other places.

use super::super::constant::{Constant, MOST_COMPUTED};
use super::super::dims::{axis, broadcast, index};
use super::super::proto::NodeProto;
use super::Folder;

impl Folder<'_> {
    pub(super) fn gather(
        &self,
        node: &NodeProto,
        x: &Constant,
        indices: &Constant,
    ) -> Result<Constant, String> {
        let at = axis(node.int("axis").unwrap_or(0), x.shape().len())?;
        let length = x.shape()[at];
        let chosen: Option<Vec<usize>> = self
            .whole(indices)?
            .iter()
            .map(|i| index(*i, length))
            .collect();
        let chosen = chosen.ok_or("an index lies outside")?;
        if let ([only], true) = (&chosen[..], indices.shape().is_empty()) {
            let cut = x.sliced(at, *only, 1, 1);
            let dims: Vec<usize> = (0..x.shape().len())
                .filter(|i| *i != at)
                .map(|i| x.shape()[i])
                .collect();
            return cut.reshaped(&dims, self.stored);
        }
        let [outer, inner]: [usize; 2] = [
            x.shape()[..at].iter().product(),
            x.shape()[at + 1..].iter().product(),
        ];
        let mut shape = x.shape()[..at].to_vec();
        shape.extend(indices.shape());
        shape.extend(&x.shape()[at + 1..]);
        let count = outer.saturating_mul(inner).saturating_mul(chosen.len());
        if count > MOST_COMPUTED {
            return Err("a table with too many elements would have to be worked out".into());
        }
        self.spend(count)?;
        let numbers = self.numbers(x)?;
        let mut taken = Vec::with_capacity(count);
        for o in 0..outer {
            for &i in &chosen {
                let start = (o * length + i) * inner;
                taken.extend(&numbers[start..start + inner]);
            }
        }
        Ok(Constant::computed(shape, taken, x.integer))
    }

    pub(super) fn concat(
        &self,
        node: &NodeProto,
        inputs: &[Option<Constant>],
    ) -> Result<Constant, String> {
        let parts: Vec<&Constant> = inputs.iter().flatten().collect();
        let first = parts.first().ok_or("it has no inputs")?;
        let at = axis(node.int("axis").unwrap_or(0), first.shape().len())?;
        let others = |c: &Constant| {
            let mut shape = c.shape().to_vec();
            if let Some(dim) = shape.get_mut(at) {
                *dim = 0;
            }
            shape
        };
        if parts.iter().any(|p| others(p) != others(first)) {
            return Err("its parts have different shapes".into());
        }
        let outer: usize = first.shape()[..at].iter().product();
        let mut all = Vec::new();
        for part in &parts {
            all.push(self.numbers(part)?);
        }
        let mut numbers = Vec::new();
        for o in 0..outer {
            for values in &all {
                let run = values.len() / outer.max(1);
                numbers.extend(&values[o * run..(o + 1) * run]);
            }
        }
        self.spend(numbers.len())?;
        let mut shape = first.shape().to_vec();
        shape[at] = parts.iter().map(|p| p.shape()[at]).sum();
        Ok(Constant::computed(shape, numbers, first.integer))
    }

    pub(super) fn choose(
        &self,
        which: &Constant,
        a: &Constant,
        b: &Constant,
    ) -> Result<Constant, String> {
        let shape = broadcast(&broadcast(which.shape(), a.shape())?, b.shape())?;
        let over = |c: &Constant| {
            let wide = c.expanded(&shape).ok_or("the shapes do not fit")?;
            self.numbers(&wide)
        };
        let (which, yes, no) = (over(which)?, over(a)?, over(b)?);
        let pairs = which.iter().zip(yes.iter().zip(&no));
        let numbers = pairs.map(|(w, (y, n))| if *w == 0.0 { *n } else { *y });
        Ok(Constant::computed(
            shape,
            numbers.collect(),
            a.integer && b.integer,
        ))
    }

    pub(super) fn scatter(
        &self,
        x: &Constant,
        at: &Constant,
        updates: &Constant,
    ) -> Result<Constant, String> {
        let mut numbers = self.numbers(x)?;
        let depth = at.shape().last().copied().unwrap_or(0);
        let rank = x.shape().len();
        if depth == 0 || depth > rank {
            return Err("its indices do not fit".into());
        }
        let run: usize = x.shape()[depth..].iter().product();
        let (at, updates) = (self.whole(at)?, self.numbers(updates)?);
        if at.len() / depth * run != updates.len() {
            return Err("there are not as many updates as indices".into());
        }
        for (i, place) in at.chunks_exact(depth).enumerate() {
            let mut start = 0;
            for (&n, &length) in place.iter().zip(x.shape()) {
                start = start * length + index(n, length).ok_or("an index lies outside")?;
            }
            let target = numbers.get_mut(start * run..(start + 1) * run);
            let target = target.ok_or("an index lies outside")?;
            target.copy_from_slice(&updates[i * run..(i + 1) * run]);
        }
        Ok(Constant::computed(x.shape().to_vec(), numbers, x.integer))
    }
}
