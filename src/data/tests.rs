//! Data sets of every kind, written by the tests themselves and read back.

mod bad_input;
mod kinds;
mod loaders;
mod reference;
mod write;

use std::collections::BTreeMap;
use std::path::Path;

use super::{DataError, DataSet, open};

fn open_path(path: &Path) -> Result<DataSet, DataError> {
    open(path.to_str().unwrap(), &BTreeMap::new())
}

/// The message of an error, for what it must say.
fn message<T>(result: Result<T, DataError>) -> String {
    match result {
        Ok(_) => panic!("this should have failed"),
        Err(error) => error.to_string(),
    }
}
