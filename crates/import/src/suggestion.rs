/// The least similarity of a word that is suggested for an unknown one, from 0 to 1.
const MIN_SIMILARITY: f64 = 0.8;

/// Suggests the most similar known word for one that is unknown, ` (did you mean …?)`; empty if none is similar enough.
pub fn suggestion<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let similar = known.into_iter().map(|known| (strsim::jaro_winkler(unknown, known), known));
    let best = similar.max_by(|(left, _), (right, _)| left.total_cmp(right));
    best.filter(|(similarity, _)| *similarity >= MIN_SIMILARITY)
        .map(|(_, best)| format!(" (did you mean `{best}`?)"))
        .unwrap_or_default()
}
