//! Steps 2 and 6: which nodes stay.
//!
//! The published rules look at names, and at the names of neighbours in the list. They are kept to
//! the letter, oddities included, because trained GHNs have only ever seen graphs made by them.

use super::super::Parameter;
use super::primitive::Primitive;
use super::sketch::Sketch;

/// What names of biases end with.
const BIAS: &str = ".bias";

/// Takes away what no GHN knows, and products, means, sums and concatenations without meaning.
pub(super) fn first(mut sketch: Sketch, parameters: &[Parameter]) -> Sketch {
    let gated = has_gates(&sketch);
    let mut inputs = input_counts(&sketch);
    sketch = scan(sketch, &mut inputs, |list, i, _| {
        !list.name(i).contains("Mul") || keeps_product(list, i, gated)
    });
    let unknown = Unknown::of(&sketch, parameters);
    sketch = scan(sketch, &mut inputs, |list, i, _| {
        !unknown.is_within(list.name(i))
    });
    sketch = scan(sketch, &mut inputs, |list, i, _| {
        !list.name(i).contains("Mean")
            || list.name(i).starts_with("Mean") && (!gated || near_head(list, i))
    });
    joins(sketch, &mut inputs)
}

/// Takes away sums and concatenations that repairs have left with a single input.
pub(super) fn second(sketch: Sketch) -> Sketch {
    let mut inputs = input_counts(&sketch);
    joins(sketch, &mut inputs)
}

fn joins(mut sketch: Sketch, inputs: &mut Vec<usize>) -> Sketch {
    for pattern in ["Add", "Cat"] {
        sketch = scan(sketch, inputs, |list, i, inputs| {
            let name = list.name(i);
            !name.contains(pattern)
                || (name.starts_with("Add") || name.starts_with("Cat")) && inputs[i] > 1
        });
    }
    sketch
}

/// Number of distinct predecessors. It is taken once before a filter and carried along: a sum whose
/// terms melt into one while filtering still counts as a sum.
fn input_counts(sketch: &Sketch) -> Vec<usize> {
    sketch.predecessors.iter().map(|p| p.len()).collect()
}

/// One pass over the list: nodes that `keep` refuses are bypassed, then dropped together.
fn scan(
    mut sketch: Sketch,
    inputs: &mut Vec<usize>,
    keep: impl Fn(&Sketch, usize, &[usize]) -> bool,
) -> Sketch {
    let kept: Vec<usize> = (0..sketch.len())
        .filter(|i| keep(&sketch, *i, inputs))
        .collect();
    if kept.len() == sketch.len() {
        return sketch;
    }
    let mut next = kept.iter().copied().peekable();
    for i in 0..sketch.len() {
        if next.peek() == Some(&i) {
            next.next();
        } else {
            sketch.bypass(i);
        }
    }
    *inputs = kept.iter().map(|i| inputs[*i]).collect();
    sketch.arranged(&kept)
}

/// Full names of the nodes whose op or module no GHN knows, and of norm biases, which the norm's
/// node stands for. Matching is by substring, so one of them can take others along.
struct Unknown {
    /// Most of them; sorted, as the others.
    biases: Vec<String>,
    others: Vec<String>,
}

impl Unknown {
    fn of(sketch: &Sketch, parameters: &[Parameter]) -> Self {
        let mut names: Vec<String> = (0..sketch.len())
            .filter(|i| is_unknown(sketch, *i, parameters))
            .map(|i| sketch.name(i).to_owned())
            .collect();
        names.sort_unstable();
        names.dedup();
        let (biases, others) = names.into_iter().partition(|name| name.ends_with(BIAS));
        Self { biases, others }
    }

    /// Whether `name` holds one of them, itself included.
    fn is_within(&self, name: &str) -> bool {
        let is_one_of = |names: &[String]| names.binary_search_by(|n| n.as_str().cmp(name)).is_ok();
        let holds_any = |names: &[String]| names.iter().any(|n| name.contains(n));
        let holds = |names: &[String]| is_one_of(names) || holds_any(names);
        holds(&self.others) || name.contains(BIAS) && holds(&self.biases)
    }
}

fn is_unknown(sketch: &Sketch, node: usize, parameters: &[Parameter]) -> bool {
    if Primitive::of_function(sketch.name(node)).is_some() {
        return false;
    }
    match sketch.parameter(node, parameters) {
        None => true,
        Some(p) => Primitive::of_parameter(p).is_none() || p.in_norm() && p.name.ends_with(BIAS),
    }
}

/// Whether the network has sigmoid or swish gates; without, no product is a gate and every mean is
/// global.
fn has_gates(sketch: &Sketch) -> bool {
    (0..sketch.len()).any(|i| {
        let name = sketch.name(i).to_lowercase();
        name.contains("sigmoid") || name.contains("swish")
    })
}

/// Lower-cased name of the node `offset` places away, counting from the end where the place lies
/// before the start (as the original's list does); `None` outside the list.
fn neighbour(list: &Sketch, i: usize, offset: isize) -> Option<String> {
    let len = list.len() as isize;
    let mut place = i as isize + offset;
    if place < 0 {
        place += len;
    }
    (0..len)
        .contains(&place)
        .then(|| list.name(place as usize).to_lowercase())
}

/// Names of the neighbours at -1, -2, -3 and +1, if all of them exist.
fn neighbours(list: &Sketch, i: usize) -> Option<[String; 4]> {
    Some([
        neighbour(list, i, -1)?,
        neighbour(list, i, -2)?,
        neighbour(list, i, -3)?,
        neighbour(list, i, 1)?,
    ])
}

/// Whether the classifier stands just before this node (the list starts at the output).
fn near_head(list: &Sketch, i: usize) -> bool {
    let Some([one, two, ..]) = neighbours(list, i) else {
        return true;
    };
    let is_head = |name: &str| {
        ["classifier", "fc", "head"]
            .iter()
            .any(|h| name.starts_with(h))
    };
    is_head(&one) || is_head(&two)
}

fn keeps_product(list: &Sketch, i: usize, gated: bool) -> bool {
    if !list.name(i).starts_with("Mul") || !gated || near_head(list, i) {
        return false;
    }
    let Some([_, two, three, after]) = neighbours(list, i) else {
        return false;
    };
    let starts = |name: &str, any: &[&str]| any.iter().any(|s| name.starts_with(s));
    starts(&two, &["hard", "sigmoid"])
        || starts(&three, &["relu", "mean"])
        || starts(&after, &["hard", "sigmoid", "relu"])
}
