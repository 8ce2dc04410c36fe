//! Names that a typing error could have turned into another one.

/// Likeness (Jaro-Winkler) from which a name is worth suggesting, and how many are.
const ALIKE: f64 = 0.7;
const SUGGESTIONS: usize = 3;

/// Up to three of the candidates that are most like `name`, the likest first; of equal ones the first.
pub fn alike<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut scored: Vec<(f64, &str)> = candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(score, _)| *score > ALIKE)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let best = scored.into_iter().take(SUGGESTIONS);
    best.map(|(_, candidate)| candidate.to_owned()).collect()
}
