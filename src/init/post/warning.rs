//! What a user should know about post-processing although it went through.

use std::fmt;

use crate::text::Shown;

/// Names shown before the rest is only counted.
const NAMED: usize = 3;

/// Tensors that met the same difficulty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub kind: WarningKind,
    pub tensors: Vec<String>,
}

/// A difficulty that the published code does not guard against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WarningKind {
    /// Rows without variation have no correlation and were left out of the spread.
    ConstantRows,
    /// Fewer than two rows vary: there is no spread, so no noise was added.
    NoSpread,
    /// Orthogonalised without noise although columns depend on each other.
    RankDeficient,
    /// A diagonal element of R is exactly zero; the published code would erase that column.
    ZeroDiagonal,
    /// No layer is wide and late enough.
    NothingTreated,
}

/// Adds a tensor to the warning of its kind.
pub(super) fn note(warnings: &mut Vec<Warning>, kind: WarningKind, tensor: &str) {
    match warnings.iter_mut().find(|w| w.kind == kind) {
        Some(warning) => warning.tensors.push(tensor.to_owned()),
        None => warnings.push(Warning {
            kind,
            tensors: vec![tensor.to_owned()],
        }),
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.kind {
            WarningKind::ConstantRows => {
                "some rows do not vary and have no correlation; they were left out of the noise's strength"
            }
            WarningKind::NoSpread => {
                "fewer than two rows vary, so the noise has no strength and none was added"
            }
            WarningKind::RankDeficient => {
                "columns depend on each other and no noise was added: part of the orthogonal result depends on rounding, so on the machine; add noise to have it decided by the seed"
            }
            WarningKind::ZeroDiagonal => {
                "a diagonal element of R is zero, where the published code would erase the column; it was kept"
            }
            WarningKind::NothingTreated => {
                return write!(
                    f,
                    "no layer was treated: the last one never is, and none of the others is late and wide enough"
                );
            }
        };
        let named: Vec<&str> = self
            .tensors
            .iter()
            .take(NAMED)
            .map(String::as_str)
            .collect();
        write!(f, "{}", Shown::new(&named.join(", ")))?;
        if self.tensors.len() > NAMED {
            write!(f, " and {} more", self.tensors.len() - NAMED)?;
        }
        write!(f, ": {text}")
    }
}
