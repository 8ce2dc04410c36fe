//! From a value's layout to an activation that an op can read: what moves, and what only was called
//! otherwise.

use super::layout::{Axis, Piece, groups_of, joined, wide};
use crate::arch::{Op, Partition, Shape, Shift};

/// Kinds of activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Image,
    Grid,
    Tokens,
    Windows,
    Vector,
}

impl Kind {
    const fn of(shape: Shape) -> Self {
        match shape {
            Shape::Image { .. } => Self::Image,
            Shape::Grid { .. } => Self::Grid,
            Shape::Tokens { .. } => Self::Tokens,
            Shape::Windows { .. } => Self::Windows,
            Shape::Vector { .. } => Self::Vector,
        }
    }
}

/// The ops that turn an activation of `shape` whose dimensions were regrouped as in `groups` into one of
/// kind `want` that has these dimensions by itself.
pub(super) fn plan(shape: Shape, groups: &[Vec<Piece>], want: Kind) -> Option<Vec<Op>> {
    if Kind::of(shape) == want && groups == wide(groups_of(shape)) {
        return Some(Vec::new());
    }
    if let Some((op, groups)) = shuffle(groups) {
        let mut ops = vec![op];
        ops.extend(plan(shape, &groups, want)?);
        return Some(ops);
    }
    match shape {
        Shape::Image { .. } | Shape::Grid { .. } => of_pixels(shape, groups, want),
        Shape::Tokens { tokens, channels } => of_tokens(tokens, channels, groups, want),
        Shape::Windows {
            windows,
            tokens,
            channels,
        } => of_windows(windows, tokens, channels, groups, want),
        Shape::Vector { .. } => None,
    }
}

/// Channels whose low digit stands before the high one were dealt out, and are then in order.
fn shuffle(groups: &[Vec<Piece>]) -> Option<(Op, Vec<Vec<Piece>>)> {
    let at = groups.iter().position(|g| match g[..] {
        [low, high] => {
            low.axis == Axis::Channel
                && high.axis == Axis::Channel
                && low.unit == 1
                && high.unit == low.len
        }
        _ => false,
    })?;
    let [low, high] = [groups[at][0], groups[at][1]];
    let mut groups = groups.to_vec();
    groups[at] = vec![Piece::whole(Axis::Channel, low.len * high.len)];
    Some((Op::Shuffle { groups: high.len }, groups))
}

fn of_pixels(shape: Shape, groups: &[Vec<Piece>], want: Kind) -> Option<Vec<Op>> {
    let [height, width] = shape.side()?;
    let channel = Piece::whole(Axis::Channel, shape.channels());
    let (row, column) = (
        Piece::whole(Axis::Row, height),
        Piece::whole(Axis::Column, width),
    );
    let is = |dims: &[&[Piece]]| {
        let dims = dims.iter().map(|d| d.to_vec()).collect();
        groups == wide(dims)
    };
    let is_image = matches!(shape, Shape::Image { .. });
    let to_image = || if is_image { vec![] } else { vec![Op::ToImage] };
    let to_grid = || if is_image { vec![Op::ToGrid] } else { vec![] };
    let then = |mut ops: Vec<Op>, op: Op| {
        ops.push(op);
        Some(ops)
    };
    match want {
        Kind::Image if is(&[&[channel], &[row], &[column]]) => Some(to_image()),
        Kind::Grid if is(&[&[row], &[column], &[channel]]) => Some(to_grid()),
        Kind::Tokens if is(&[&[row, column], &[channel]]) => then(to_image(), Op::ToTokens),
        Kind::Vector if is(&[&[channel, row, column]]) => then(to_image(), Op::Flatten),
        Kind::Vector if is(&[&[row, column, channel]]) => then(to_grid(), Op::Flatten),
        // A square grid whose pixels stand in one row is a single window, as in the last stage of Swin.
        Kind::Windows if !is_image && height == width && is(&[&[row, column], &[channel]]) => {
            let single = Partition::blocks([height, width], height, Shift::None);
            Some(vec![Op::Partition(single)])
        }
        Kind::Windows => {
            let partition = partition([row, column], channel, groups)?;
            then(to_grid(), Op::Partition(partition))
        }
        _ => None,
    }
}

/// Rows and columns cut into windows: blocks take the high digits for the window, and windows that see the
/// whole grid the low ones.
fn partition(
    [row, column]: [Piece; 2],
    channel: Piece,
    groups: &[Vec<Piece>],
) -> Option<Partition> {
    let (first, second) = (groups.first()?, groups.get(1)?);
    let grid = [row.len, column.len];
    for side in [first, second].map(|g| g.first().map_or(1, |p| p.len)) {
        let fits = side > 1 && grid.iter().all(|length| length.is_multiple_of(side));
        if !fits {
            continue;
        }
        let ([row_high, row_low], [column_high, column_low]) =
            (row.split(side), column.split(side));
        let blocks = wide(vec![
            vec![row_high, column_high],
            vec![row_low, column_low],
            vec![channel],
        ]);
        if groups == blocks {
            return Some(Partition::blocks(grid, side, Shift::None));
        }
        let counts = grid.map(|length| length / side);
        let ([row_high, row_low], [column_high, column_low]) =
            (row.split(counts[0]), column.split(counts[1]));
        let strided = wide(vec![
            vec![row_low, column_low],
            vec![row_high, column_high],
            vec![channel],
        ]);
        if groups == strided {
            return Some(Partition::strided(grid, side));
        }
    }
    None
}

fn of_tokens(tokens: usize, channels: usize, groups: &[Vec<Piece>], want: Kind) -> Option<Vec<Op>> {
    let token = Piece::whole(Axis::Token, tokens);
    let channel = Piece::whole(Axis::Channel, channels);
    let whole = |a: &[Piece], b: &[Piece]| joined([a, b].concat()) == [token];
    let length = |group: &[Piece]| group.iter().map(|p| p.len).product();
    match (want, groups) {
        (Kind::Image, [c, rows, columns]) if c[..] == [channel] && whole(rows, columns) => {
            Some(vec![Op::FromTokens([length(rows), length(columns)])])
        }
        (Kind::Grid, [rows, columns, c]) if c[..] == [channel] && whole(rows, columns) => {
            let side = [length(rows), length(columns)];
            Some(vec![Op::FromTokens(side), Op::ToGrid])
        }
        (Kind::Vector, _) if groups == wide(vec![vec![token, channel]]) => Some(vec![Op::Flatten]),
        _ => None,
    }
}

/// The windows' tokens back in their places.
fn of_windows(
    windows: usize,
    tokens: usize,
    channels: usize,
    groups: &[Vec<Piece>],
    want: Kind,
) -> Option<Vec<Op>> {
    let side = tokens.isqrt();
    let (window, token) = (
        Piece::whole(Axis::Window, windows),
        Piece::whole(Axis::Token, tokens),
    );
    let channel = Piece::whole(Axis::Channel, channels);
    let Kind::Grid = want else { return None };
    let rows = groups.first()?.iter().map(|p| p.len).product::<usize>();
    let down = rows / side.max(1);
    if side * side != tokens || down == 0 || down * side != rows || !windows.is_multiple_of(down) {
        return None;
    }
    let across = windows / down;
    let grid = [rows, across * side];
    let ([window_row, window_column], [token_row, token_column]) =
        (window.split(across), token.split(side));
    let dims = |rows: [Piece; 2], columns: [Piece; 2]| {
        wide(vec![rows.to_vec(), columns.to_vec(), vec![channel]])
    };
    if groups == dims([window_row, token_row], [window_column, token_column]) {
        let partition = Partition::blocks(grid, side, Shift::None);
        return Some(vec![Op::Reassemble(partition)]);
    }
    if groups == dims([token_row, window_row], [token_column, window_column]) {
        return Some(vec![Op::Reassemble(Partition::strided(grid, side))]);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::onnx::layout::Layout;

    const IMAGE: Shape = Shape::image(6, 4, 4);

    fn planned(shape: Shape, layout: &Layout, want: Kind) -> Option<Vec<Op>> {
        plan(shape, &layout.groups(), want)
    }

    #[test]
    fn flattening_depends_on_where_the_channels_stand() {
        let image = Layout::of(IMAGE);
        let flat = image.reshaped(&[1, 96]).unwrap();
        assert_eq!(planned(IMAGE, &flat, Kind::Vector), Some(vec![Op::Flatten]));
        let last = image.transposed(&[0, 2, 3, 1]);
        let flat = last.reshaped(&[1, 96]).unwrap();
        assert_eq!(
            planned(IMAGE, &flat, Kind::Vector),
            Some(vec![Op::ToGrid, Op::Flatten])
        );
        assert_eq!(planned(IMAGE, &last, Kind::Image), None);
        let turned = image.transposed(&[0, 1, 3, 2]).reshaped(&[1, 96]).unwrap();
        assert_eq!(planned(IMAGE, &turned, Kind::Vector), None);
    }

    #[test]
    fn windows_of_both_deals_are_found_and_put_back() {
        let grid = Layout::of(IMAGE).transposed(&[0, 2, 3, 1]);
        let cut = grid.reshaped(&[1, 2, 2, 2, 2, 6]).unwrap();
        let blocks = cut.transposed(&[0, 1, 3, 2, 4, 5]).reshaped(&[4, 4, 6]);
        let expected = Partition::blocks([4, 4], 2, Shift::None);
        assert_eq!(
            planned(IMAGE, &blocks.unwrap(), Kind::Windows),
            Some(vec![Op::ToGrid, Op::Partition(expected)])
        );
        let strided = cut.transposed(&[0, 2, 4, 1, 3, 5]).reshaped(&[4, 4, 6]);
        let expected = Partition::strided([4, 4], 2);
        assert_eq!(
            planned(IMAGE, &strided.unwrap(), Kind::Windows),
            Some(vec![Op::ToGrid, Op::Partition(expected)])
        );
        let windows = Shape::Windows {
            windows: 4,
            tokens: 4,
            channels: 6,
        };
        let back = Layout::of(windows).reshaped(&[1, 2, 2, 2, 2, 6]).unwrap();
        let back = back.transposed(&[0, 1, 3, 2, 4, 5]).reshaped(&[1, 4, 4, 6]);
        let expected = Partition::blocks([4, 4], 2, Shift::None);
        assert_eq!(
            planned(windows, &back.unwrap(), Kind::Grid),
            Some(vec![Op::Reassemble(expected)])
        );
    }
}
