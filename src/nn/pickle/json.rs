//! A pickle's plain values as JSON: the configuration beside the tensors.

use serde_json::{Map, Number, Value as Json};

use super::{Pickle, Ref, Value};

/// Most values that are written out. A pickle may hold one list a thousand times over in a few
/// bytes; JSON cannot.
const MOST_NODES: usize = 100_000;

/// Deepest nesting that is written out.
const DEEPEST: usize = 32;

impl Pickle {
    /// The value as JSON. What JSON has no word for is null: tensors, bytes, classes, numbers that
    /// are not finite. An object is its attributes.
    pub fn json(&self, at: Ref) -> Json {
        let mut left = MOST_NODES;
        self.json_within(at, DEEPEST, &mut left)
    }

    fn json_within(&self, at: Ref, depth: usize, left: &mut usize) -> Json {
        if depth == 0 || *left == 0 {
            return Json::Null;
        }
        *left -= 1;
        match self.get(at) {
            Value::Bool(b) => Json::Bool(*b),
            Value::Int(i) => Json::from(*i),
            Value::Float(f) => Number::from_f64(*f).map_or(Json::Null, Json::Number),
            Value::Str(s) => Json::String(s.as_ref().to_owned()),
            Value::List(items) | Value::Tuple(items) => Json::Array(
                items
                    .iter()
                    .map(|i| self.json_within(*i, depth - 1, left))
                    .collect(),
            ),
            Value::Dict(items) => self.json_object(items, depth, left),
            Value::Object {
                state: Some(state), ..
            } => self.json_within(*state, depth - 1, left),
            _ => Json::Null,
        }
    }

    fn json_object(&self, items: &[(Ref, Ref)], depth: usize, left: &mut usize) -> Json {
        let mut object = Map::new();
        for (key, value) in items {
            let key = match self.get(*key) {
                Value::Str(s) => s.as_ref().to_owned(),
                Value::Int(i) => i.to_string(),
                Value::Bool(b) => b.to_string(),
                _ => continue,
            };
            object.insert(key, self.json_within(*value, depth - 1, left));
        }
        Json::Object(object)
    }
}

#[cfg(test)]
mod tests {
    use super::super::machine::read_bytes as read;

    #[test]
    fn values_that_multiply_are_cut_off() {
        // Each list holds the one before ten times.
        let mut bytes = b"\x80\x02]q\x00".to_vec();
        for level in 0..60_u8 {
            bytes.extend(b"](");
            for _ in 0..10 {
                bytes.extend([b'h', level]);
            }
            bytes.extend([b'e', b'q', level + 1]);
        }
        bytes.push(b'.');
        let pickle = read(&bytes).unwrap();
        let text = pickle.json(pickle.root).to_string();
        assert!(text.len() < 5_000_000);
    }

    #[test]
    fn a_configuration_comes_out_as_json() {
        let bytes = b"\x80\x02}(X\x03\x00\x00\x00hidK\x20X\x02\x00\x00\x00ve\x88X\x01\x00\x00\x00s(K\x01K\x02tu.";
        let pickle = read(bytes).unwrap();
        assert_eq!(
            pickle.json(pickle.root),
            serde_json::json!({"hid": 32, "ve": true, "s": [1, 2]})
        );
    }
}
