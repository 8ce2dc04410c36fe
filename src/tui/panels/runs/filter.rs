//! Which runs are listed: words, and fields with patterns.

/// A filter as typed, ready to be applied: `resnet state:fail* not init:rand`.
///
/// A word must occur somewhere in what is known of the run; `field:pattern` must match that field, with
/// `*` for anything. `not` turns the next term round. All terms must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    wanted: bool,
    /// None for any field.
    field: Option<String>,
    pattern: String,
}

impl Filter {
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut terms = Vec::new();
        let mut wanted = true;
        for word in text.to_lowercase().split_whitespace() {
            if word == "not" {
                wanted = !wanted;
                continue;
            }
            let (field, pattern) = match word.split_once(':') {
                Some((field, pattern)) if !field.is_empty() => (Some(field.to_owned()), pattern),
                _ => (None, word),
            };
            terms.push(Term {
                wanted,
                field,
                pattern: pattern.to_owned(),
            });
            wanted = true;
        }
        Self { terms }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether a run with these fields (name, value in lower case) is listed.
    #[must_use]
    pub fn accepts(&self, fields: &[(&'static str, String)]) -> bool {
        self.terms
            .iter()
            .all(|term| term.holds(fields) == term.wanted)
    }
}

impl Term {
    fn holds(&self, fields: &[(&'static str, String)]) -> bool {
        fields.iter().any(|(name, value)| match &self.field {
            None => value.contains(&self.pattern),
            Some(field) => *name == field && matches(&self.pattern, value),
        })
    }
}

/// Whether `value` has the form of `pattern`, in which `*` stands for anything. A pattern without a star
/// needs only be its beginning, so that a term narrows the list while it is typed.
fn matches(pattern: &str, value: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return value.starts_with(pattern);
    };
    let Some(mut left) = value.strip_prefix(start) else {
        return false;
    };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return left.ends_with(part);
        }
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(filter: &str) -> bool {
        let fields = [
            ("arch", "resnet50".to_owned()),
            ("init", "ghn+orth".to_owned()),
            ("state", "failed".to_owned()),
        ];
        Filter::parse(filter).accepts(&fields)
    }

    #[test]
    fn all_terms_must_hold() {
        assert!(accepts(""));
        assert!(accepts("res orth"));
        assert!(accepts("RESNET50 fail"));
        assert!(!accepts("res noise"));
        assert!(accepts("not noise"));
        assert!(!accepts("not orth"));
    }

    #[test]
    fn fields_match_patterns() {
        assert!(accepts("arch:resnet"));
        assert!(accepts("arch:*50 init:ghn*orth"));
        assert!(!accepts("arch:*18"));
        assert!(!accepts("init:resnet"));
        assert!(accepts("state:f not init:rand"));
        assert!(!accepts("colour:red"));
    }
}
