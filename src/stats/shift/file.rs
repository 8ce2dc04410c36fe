//! How a reference is stored: safetensors, compressed as a whole. Columns of one number per network, and
//! counts as JSON in the header.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};

use super::population::{Network, QUANTILES};
use super::profile::{Feature, Operators};
use super::reference::LARGEST_BYTES;
use super::{Counts, Population, Reference};
use crate::arch::deepnets::Split;
use crate::ghn::Primitive;
use crate::ghn::graph::Topology;

const OPERATORS: usize = Primitive::ALL.len();

/// Keys of the header's free text.
const SIDE: &str = "side";
const COUNTS: &str = "counts";
const WIDEST: &str = "widest";

/// The file's bytes.
pub(super) fn packed(reference: &Reference) -> Vec<u8> {
    let mut header = HashMap::from([(SIDE.to_owned(), reference.side.to_string())]);
    let mut columns: Vec<(String, Column)> = Vec::new();
    for population in &reference.populations {
        let split = population.split.word();
        // Maps of text and numbers are always JSON.
        let counts = serde_json::to_string(&population.counts).unwrap_or_default();
        header.insert(format!("{split}/{COUNTS}"), counts);
        header.insert(format!("{split}/{WIDEST}"), population.widest.to_string());
        for (name, column) in columns_of(population) {
            columns.push((format!("{split}/{name}"), column));
        }
    }
    let views = columns.iter().map(|(name, column)| {
        // Each column was made with its shape.
        let view = TensorView::new(column.dtype, column.shape.clone(), &column.bytes);
        (
            name.as_str(),
            view.unwrap_or_else(|e| unreachable!("{name}: {e}")),
        )
    });
    let raw = serialize(views, Some(header)).unwrap_or_else(|e| unreachable!("{e}"));
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::best());
    // Nothing fails that is written to memory.
    let _ = packer.write_all(&raw);
    packer.finish().unwrap_or_default()
}

struct Column {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Column {
    fn whole(values: impl Iterator<Item = u64>) -> Self {
        // No network has four billion of anything.
        let bytes = values.flat_map(|v| u32::try_from(v).unwrap_or(u32::MAX).to_le_bytes());
        Self::new(Dtype::U32, 1, bytes.collect())
    }

    fn real<'a>(rows: usize, values: impl Iterator<Item = &'a f32>) -> Self {
        Self::new(
            Dtype::F32,
            rows,
            values.flat_map(|v| v.to_le_bytes()).collect(),
        )
    }

    fn new(dtype: Dtype, rows: usize, bytes: Vec<u8>) -> Self {
        let columns = bytes.len() * 8 / dtype.bitsize() / rows;
        Self {
            dtype,
            shape: vec![rows, columns],
            bytes,
        }
    }
}

fn columns_of(population: &Population) -> [(&'static str, Column); 7] {
    let networks = &population.networks;
    let topologies = || networks.iter().map(|n| n.measures.topology);
    let paths: Vec<f32> = topologies().map(|t| t.path as f32).collect();
    let operators = (0..OPERATORS).flat_map(|o| networks.iter().map(move |n| n.operators[o]));
    let operators = operators.flat_map(u16::to_le_bytes).collect();
    [
        ("nodes", Column::whole(topologies().map(|t| t.nodes as u64))),
        ("edges", Column::whole(topologies().map(|t| t.edges as u64))),
        ("depth", Column::whole(topologies().map(|t| t.depth as u64))),
        (
            "params",
            Column::whole(networks.iter().map(|n| n.measures.params)),
        ),
        ("path", Column::real(1, paths.iter())),
        ("operators", Column::new(Dtype::U16, OPERATORS, operators)),
        (
            "distances",
            Column::real(Feature::ALL.len(), population.distances.iter().flatten()),
        ),
    ]
}

/// What such a file says, or what is wrong with it.
pub(super) fn unpacked(packed: &[u8]) -> Result<Reference, String> {
    let mut raw = Vec::new();
    let mut unpacker = ZlibDecoder::new(packed).take(LARGEST_BYTES);
    if unpacker.read_to_end(&mut raw).is_err() {
        return Err("it is no reference population".to_owned());
    }
    let about = |e: safetensors::SafeTensorError| format!("it is damaged: {e}");
    let (_, header) = SafeTensors::read_metadata(&raw).map_err(about)?;
    let header = header.metadata().clone().unwrap_or_default();
    let file = File {
        tensors: SafeTensors::deserialize(&raw).map_err(about)?,
        header,
    };
    let side = file.number(SIDE)?;
    if side == 0 || side > crate::arch::zoo::LARGEST_SIDE {
        return Err(format!("its images have a side of {side}"));
    }
    let mut populations = Vec::new();
    for split in Split::ALL {
        let counts = format!("{}/{COUNTS}", split.word());
        if file.header.contains_key(&counts) {
            populations.push(file.population(split)?);
        }
    }
    if populations.is_empty() {
        return Err("it holds no networks".to_owned());
    }
    Ok(Reference {
        side,
        populations,
        path: None,
    })
}

struct File<'a> {
    tensors: SafeTensors<'a>,
    header: HashMap<String, String>,
}

impl File<'_> {
    fn population(&self, split: Split) -> Result<Population, String> {
        let word = split.word();
        let counts = self.text(&format!("{word}/{COUNTS}"))?;
        let counts: [Counts; Feature::ALL.len()] =
            serde_json::from_str(counts).map_err(|e| format!("counts of {word}: {e}"))?;
        let nodes = self.whole(&format!("{word}/nodes"), 1, None)?;
        let count = nodes.len();
        let whole = |name: &str| self.whole(&format!("{word}/{name}"), 1, Some(count));
        let (edges, depth, params) = (whole("edges")?, whole("depth")?, whole("params")?);
        let path = self.real(&format!("{word}/path"), 1, count)?;
        let operators = self.whole(&format!("{word}/operators"), OPERATORS, Some(count))?;
        let networks = (0..count).map(|i| {
            let topology = Topology {
                nodes: nodes[i] as usize,
                edges: edges[i] as usize,
                degree: 2.0 * f64::from(edges[i]) / f64::from(nodes[i].max(1)),
                path: f64::from(path[i]),
                depth: depth[i] as usize,
            };
            let of = |o: usize| u16::try_from(operators[o * count + i]).unwrap_or(u16::MAX);
            let operators: Operators = std::array::from_fn(of);
            Network::new(topology, u64::from(params[i]), operators)
        });
        let name = format!("{word}/distances");
        let distances = self.real(&name, Feature::ALL.len(), QUANTILES)?;
        let mut distances = distances.chunks_exact(QUANTILES).map(<[f32]>::to_vec);
        let distances = [(); Feature::ALL.len()].map(|()| distances.next().unwrap_or_default());
        if distances.iter().any(|d| !d.is_sorted()) {
            return Err(format!("{name} is not in rising order"));
        }
        Ok(Population {
            split,
            networks: networks.collect(),
            counts,
            distances,
            widest: self.number(&format!("{word}/{WIDEST}"))?,
        })
    }

    fn text(&self, key: &str) -> Result<&str, String> {
        let text = self.header.get(key).map(String::as_str);
        text.ok_or_else(|| format!("it says nothing of {key}"))
    }

    fn number(&self, key: &str) -> Result<usize, String> {
        let text = self.text(key)?;
        text.parse()
            .map_err(|_| format!("{key} is no whole number"))
    }

    /// Whole numbers, `rows` times `count` of them.
    fn whole(&self, name: &str, rows: usize, count: Option<usize>) -> Result<Vec<u32>, String> {
        let tensor = self.tensor(name, rows, count)?;
        let bytes = tensor.data();
        match tensor.dtype() {
            Dtype::U16 => Ok(bytes
                .chunks_exact(2)
                .map(|b| u32::from(u16::from_le_bytes([b[0], b[1]])))
                .collect()),
            Dtype::U32 => Ok(bytes
                .chunks_exact(4)
                .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect()),
            other => Err(format!("{name} is of type {other:?}")),
        }
    }

    /// Finite numbers, `rows` times `count` of them.
    fn real(&self, name: &str, rows: usize, count: usize) -> Result<Vec<f32>, String> {
        let tensor = self.tensor(name, rows, Some(count))?;
        if tensor.dtype() != Dtype::F32 {
            return Err(format!("{name} is of type {:?}", tensor.dtype()));
        }
        let bytes = tensor.data().chunks_exact(4);
        let values: Vec<f32> = bytes
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        if values.iter().any(|v| !v.is_finite()) {
            return Err(format!("{name} has a number that is not finite"));
        }
        Ok(values)
    }

    fn tensor(
        &self,
        name: &str,
        rows: usize,
        count: Option<usize>,
    ) -> Result<TensorView<'_>, String> {
        let tensor = self.tensors.tensor(name).map_err(|e| e.to_string())?;
        match *tensor.shape() {
            [r, c] if r == rows && c > 0 && count.is_none_or(|count| count == c) => Ok(tensor),
            ref shape => Err(format!("{name} has the shape {shape:?}")),
        }
    }
}
