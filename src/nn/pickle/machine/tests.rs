//! Pickles by hand: what is refused, and what becomes of what is not.

use super::bytes::signed;
use super::*;

fn refused(bytes: &[u8]) -> PickleError {
    let read = read_bytes(bytes);
    read.map(|p| p.get(p.root).clone()).unwrap_err()
}

fn would_run(bytes: &[u8]) -> String {
    match refused(bytes) {
        PickleError::WouldRun { callable } => callable,
        other => panic!("{other}"),
    }
}

#[test]
fn a_call_of_a_function_is_refused_by_name() {
    let system = b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00echo\x85R.";
    assert_eq!(would_run(system), "os.system");
    let stacked = b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.";
    assert_eq!(would_run(stacked), "builtins.eval");
    assert_eq!(would_run(b"(ios\nsystem\n."), "os.system");
    let object = b"(cos\nsystem\nX\x04\x00\x00\x00echoo.";
    assert_eq!(would_run(object), "os.system");
}

#[test]
fn unknown_classes_become_objects_that_are_not_made() {
    let bytes = b"\x80\x02cargparse\nNamespace\n)\x81}X\x02\x00\x00\x00lrK\x05sb.";
    let pickle = read_bytes(bytes).unwrap();
    let Value::Object { class, state } = pickle.get(pickle.root) else {
        panic!("no object");
    };
    let Value::Global { name, .. } = pickle.get(*class) else {
        panic!("no class");
    };
    assert_eq!(&**name, "Namespace");
    let lr = pickle.entry(state.unwrap(), "lr").unwrap();
    assert_eq!(*pickle.get(lr), Value::Int(5));
}

#[test]
fn damaged_pickles_are_errors_wherever_they_are_cut() {
    let whole = b"\x80\x02}(X\x01\x00\x00\x00aK\x01X\x01\x00\x00\x00b]K\x02au.";
    assert!(read_bytes(whole).is_ok());
    for length in 0..whole.len() {
        assert!(read_bytes(&whole[..length]).is_err(), "cut at {length}");
    }
    assert!(matches!(
        refused(b"\x80\x02h\x07."),
        PickleError::Malformed { .. }
    ));
    assert!(matches!(refused(b"t."), PickleError::Malformed { .. }));
    assert!(matches!(refused(b"(s."), PickleError::Malformed { .. }));
}

#[test]
fn a_length_beyond_the_file_allocates_nothing() {
    let bytes = b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.";
    assert!(matches!(refused(bytes), PickleError::Truncated { .. }));
}

#[test]
fn lists_may_hold_themselves() {
    let pickle = read_bytes(b"\x80\x02]q\x00h\x00a.").unwrap();
    let Value::List(items) = pickle.get(pickle.root) else {
        panic!("no list");
    };
    assert_eq!(items[..], [pickle.root]);
}

#[test]
fn whole_numbers_keep_their_sign() {
    assert_eq!(signed(&[0xff]), -1);
    assert_eq!(signed(&[0xff, 0x00]), 255);
    assert_eq!(signed(&[]), 0);
}
