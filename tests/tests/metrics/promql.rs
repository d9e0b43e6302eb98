//! As much of PromQL as dashboard and alerts use, read strictly: a function, an operator or a type that is not known here is refused.

/// What a query asks for.
#[derive(Debug, Default)]
pub(crate) struct Query {
    /// Every series that it reads.
    pub(crate) selectors: Vec<Selector>,
    /// Every label that it groups or joins by.
    pub(crate) groupings: Vec<String>,
}

/// `name{label="value"}`
#[derive(Debug)]
pub(crate) struct Selector {
    pub(crate) name: String,
    pub(crate) matchers: Vec<Matcher>,
    /// The function that reads its changes over time, if one does.
    pub(crate) over_time: Option<&'static str>,
}

/// `label="value"`
#[derive(Debug)]
pub(crate) struct Matcher {
    pub(crate) label: String,
    pub(crate) operator: String,
    pub(crate) value: String,
}

/// What an expression is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Scalar,
    Vector,
    Range,
}

const OVER_TIME: [&str; 3] = ["rate", "increase", "changes"];
const AGGREGATIONS: [&str; 4] = ["sum", "min", "max", "count"];
/// Loosest first.
const OPERATORS: [&[&str]; 4] = [&["and"], &["==", "!=", ">=", "<=", ">", "<"], &["+", "-"], &["*", "/"]];

type Read<T> = Result<T, String>;

/// Reads a query.
///
/// # Errors
/// What is not understood, and where.
pub(crate) fn read(text: &str) -> Read<Query> {
    let mut reader = Reader { rest: text, query: Query::default() };
    let kind = reader.binary(0).map_err(|error| format!("{error} in {text}"))?;
    reader.space();
    if !reader.rest.is_empty() || kind == Type::Range {
        return Err(format!("`{}` is left over, or it is a range ({kind:?}): {text}", reader.rest));
    }
    Ok(reader.query)
}

struct Reader<'a> {
    rest: &'a str,
    query: Query,
}

impl<'a> Reader<'a> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, token: &str) -> bool {
        self.space();
        let Some(rest) = self.rest.strip_prefix(token) else { return false };
        let is_word = token.ends_with(is_word);
        if is_word && rest.starts_with(is_word_part) {
            return false;
        }
        self.rest = rest;
        true
    }

    fn need(&mut self, token: &str) -> Read<()> {
        if self.take(token) { Ok(()) } else { Err(format!("`{token}` is missing before `{}`", self.rest)) }
    }

    fn run_of(&mut self, part: fn(char) -> bool) -> &'a str {
        self.space();
        let end = self.rest.find(|one| !part(one)).unwrap_or(self.rest.len());
        let (run, rest) = self.rest.split_at(end);
        self.rest = rest;
        run
    }

    fn word(&mut self) -> Read<&'a str> {
        self.space();
        if !self.rest.starts_with(is_word) {
            return Err(format!("a name is missing before `{}`", self.rest));
        }
        Ok(self.run_of(is_word_part))
    }

    fn binary(&mut self, level: usize) -> Read<Type> {
        let Some(operators) = OPERATORS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        while let Some(operator) = operators.iter().find(|operator| self.take(operator)) {
            if self.take("on") {
                let labels = self.labels()?;
                self.query.groupings.extend(labels);
            }
            let right = self.binary(level + 1)?;
            left = match (left, right) {
                (Type::Range, _) | (_, Type::Range) => return Err(format!("a range beside `{operator}`")),
                (Type::Scalar, Type::Scalar) => Type::Scalar,
                _ => Type::Vector,
            };
        }
        Ok(left)
    }

    fn unary(&mut self) -> Read<Type> {
        self.space();
        if self.take("(") {
            let inner = self.binary(0)?;
            self.need(")")?;
            return Ok(inner);
        }
        if self.rest.starts_with(|one: char| one.is_ascii_digit()) {
            let number = self.run_of(|one| one.is_ascii_digit() || one == '.');
            return number.parse::<f64>().map(|_| Type::Scalar).map_err(|_| format!("no number: {number}"));
        }
        let name = self.word()?;
        if AGGREGATIONS.contains(&name) {
            return self.aggregation();
        }
        if let Some(function) = OVER_TIME.into_iter().find(|function| *function == name) {
            let first = self.query.selectors.len();
            self.arguments(&[Type::Range])?;
            for selector in &mut self.query.selectors[first..] {
                selector.over_time = Some(function);
            }
            return Ok(Type::Vector);
        }
        match name {
            "histogram_quantile" => {
                let first = self.query.groupings.len();
                self.arguments(&[Type::Scalar, Type::Vector])?;
                let by_bucket = self.query.groupings[first..].iter().any(|label| label == "le");
                if by_bucket { Ok(Type::Vector) } else { Err("a quantile of what is not by `le`".to_owned()) }
            }
            "absent" => self.arguments(&[Type::Vector]).map(|()| Type::Vector),
            "time" => self.arguments(&[]).map(|()| Type::Scalar),
            _ if self.rest.starts_with('(') => Err(format!("the function {name} is not known")),
            _ => self.selector(name),
        }
    }

    fn arguments(&mut self, kinds: &[Type]) -> Read<()> {
        self.need("(")?;
        for (index, kind) in kinds.iter().enumerate() {
            if index > 0 {
                self.need(",")?;
            }
            let given = self.binary(0)?;
            if given != *kind {
                return Err(format!("{given:?} instead of {kind:?} before `{}`", self.rest));
            }
        }
        self.need(")")
    }

    /// `by (label) (vector)`, or just `(vector)`.
    fn aggregation(&mut self) -> Read<Type> {
        if self.take("by") {
            let labels = self.labels()?;
            self.query.groupings.extend(labels);
        }
        self.arguments(&[Type::Vector]).map(|()| Type::Vector)
    }

    fn labels(&mut self) -> Read<Vec<String>> {
        self.need("(")?;
        let mut labels = vec![self.word()?.to_owned()];
        while self.take(",") {
            labels.push(self.word()?.to_owned());
        }
        self.need(")").map(|()| labels)
    }

    fn selector(&mut self, name: &str) -> Read<Type> {
        let mut matchers = Vec::new();
        if self.take("{") {
            while !self.take("}") {
                let label = self.word()?.to_owned();
                let operator = self.run_of(|one| "=!~".contains(one)).to_owned();
                self.need("\"")?;
                let (value, rest) = self.rest.split_once('"').ok_or("a text without an end")?;
                matchers.push(Matcher { label, operator, value: value.to_owned() });
                self.rest = rest;
                if !self.take(",") {
                    self.need("}")?;
                    break;
                }
            }
        }
        self.query.selectors.push(Selector { name: name.to_owned(), matchers, over_time: None });
        if !self.take("[") {
            return Ok(Type::Vector);
        }
        let number = self.run_of(|one| one.is_ascii_digit());
        let unit = self.word()?;
        self.need("]")?;
        let is_duration =
            number.parse::<u32>().is_ok_and(|number| number > 0) && ["s", "m", "h"].contains(&unit);
        if is_duration { Ok(Type::Range) } else { Err(format!("{number}{unit} is no time")) }
    }
}

fn is_word(one: char) -> bool {
    one.is_ascii_alphabetic() || one == '_'
}

fn is_word_part(one: char) -> bool {
    is_word(one) || one.is_ascii_digit()
}

#[test]
fn it_reads_what_prometheus_reads_and_refuses_what_it_refuses() {
    let quantile = "histogram_quantile(0.99, sum by (le, a) (rate(m_bucket{b=~\"x|y\", c!=\"\"}[5m]))) > 1";
    let query = read(quantile).unwrap();
    assert_eq!(query.groupings, ["le", "a"]);
    let [selector] = query.selectors.as_slice() else { panic!("{query:?}") };
    assert_eq!((selector.name.as_str(), selector.over_time), ("m_bucket", Some("rate")));
    let matchers: Vec<_> =
        selector.matchers.iter().map(|one| (&*one.label, &*one.operator, &*one.value)).collect();
    assert_eq!(matchers, [("b", "=~", "x|y"), ("c", "!=", "")]);
    for sound in ["time() - max(m)", "sum(a) / (sum(a) + sum(b))", "changes(m[30m]) > 2 and on (a, b) n"] {
        assert!(read(sound).is_ok(), "{sound}");
    }
    for broken in [
        "",
        "sum(m",
        "rate(m)",
        "rate(m[5])",
        "m[5m]",
        "sum by le (m)",
        "guess(m)",
        "m{a=1}",
        "m > ",
        "m n",
        "histogram_quantile(0.9, sum by (a) (rate(m_bucket[5m])))",
        "histogram_quantile(m, 0.9)",
    ] {
        assert!(read(broken).is_err(), "{broken}");
    }
}
