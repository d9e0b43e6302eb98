use std::collections::BTreeMap;

/// One line of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its name; of a histogram, with `_bucket`, `_sum` or `_count`.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

/// What a server shows at `GET /metrics`.
#[derive(Debug)]
pub struct Scrape {
    /// The text.
    pub text: String,
    /// By the metric's name: what sort it is.
    pub kinds: BTreeMap<String, String>,
    /// By the metric's name: what it tells.
    pub helps: BTreeMap<String, String>,
    /// Every line of numbers.
    pub samples: Vec<Sample>,
}

impl Scrape {
    /// Reads the text format of Prometheus, version 0.0.4.
    ///
    /// # Panics
    /// At a line that is none of it, and when a metric is described twice.
    pub fn read(text: &str) -> Self {
        let mut scrape = Self {
            text: text.to_owned(),
            kinds: BTreeMap::new(),
            helps: BTreeMap::new(),
            samples: Vec::new(),
        };
        for line in text.lines().filter(|line| !line.is_empty()) {
            let (into, described) = if let Some(described) = line.strip_prefix("# TYPE ") {
                (&mut scrape.kinds, described)
            } else if let Some(described) = line.strip_prefix("# HELP ") {
                (&mut scrape.helps, described)
            } else {
                let sample = sample(line);
                assert!(sample.is_some(), "no line of numbers: {line}");
                scrape.samples.extend(sample);
                continue;
            };
            let (name, said) = described.split_once(' ').expect("a name and what is said about it");
            assert_eq!(into.insert(name.to_owned(), said.to_owned()), None, "{name} is described twice");
        }
        scrape
    }

    /// The metric that a line belongs to.
    pub fn metric<'a>(&self, sample: &'a Sample) -> &'a str {
        let parts = ["_bucket", "_sum", "_count"].iter().filter_map(|end| sample.name.strip_suffix(end));
        let is_histogram = |name: &&str| self.kinds.get(*name).is_some_and(|kind| kind == "histogram");
        parts.into_iter().find(is_histogram).unwrap_or(&sample.name)
    }

    /// The sum over all lines of that name with those labels; `None` when there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let fits = |sample: &&Sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(label, value)| sample.labels.get(*label).is_some_and(|had| had == value))
        };
        let found: Vec<f64> = self.samples.iter().filter(fits).map(|sample| sample.value).collect();
        (!found.is_empty()).then(|| found.iter().sum())
    }
}

/// A line of numbers. A label with an escape in it is none: ours hold nothing that must be escaped.
fn sample(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let mut labels = BTreeMap::new();
    let Some((name, inner)) = series.split_once('{') else {
        return Some(Sample { name: series.to_owned(), labels, value });
    };
    let mut rest = inner.strip_suffix('}')?;
    while !rest.is_empty() {
        let (label, quoted) = rest.split_once("=\"")?;
        let (value, next) = quoted.split_once('"')?;
        let is_new = labels.insert(label.to_owned(), value.to_owned()).is_none();
        if !is_new || value.contains('\\') {
            return None;
        }
        rest = next.strip_prefix(',').unwrap_or(next);
    }
    Some(Sample { name: name.to_owned(), labels, value })
}
