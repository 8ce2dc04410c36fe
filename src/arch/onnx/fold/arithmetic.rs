//! Arithmetic, number by number.

use super::super::constant::Constant;
use super::super::dims::broadcast;
use super::Folder;

impl Folder<'_> {
    pub(in crate::arch::onnx) fn pairwise(
        &self,
        a: &Constant,
        b: &Constant,
        f: impl Fn(f64, f64) -> f64,
        op: &str,
    ) -> Result<Constant, String> {
        let shape = broadcast(a.shape(), b.shape())?;
        let over = |c: &Constant| {
            let wide = c.expanded(&shape).ok_or("the shapes do not fit")?;
            self.numbers(&wide)
        };
        let (x, y) = (over(a)?, over(b)?);
        let numbers = x.iter().zip(&y).map(|(x, y)| f(*x, *y)).collect();
        let truth = matches!(op, "Equal" | "Greater" | "Less" | "And" | "Or");
        Ok(Constant::computed(
            shape,
            numbers,
            truth || a.integer && b.integer,
        ))
    }
}

pub(super) fn of_one(op: &str) -> Option<fn(f64) -> f64> {
    Some(match op {
        "Neg" => |x| -x,
        "Sqrt" => f64::sqrt,
        "Abs" => f64::abs,
        "Floor" => f64::floor,
        "Ceil" => f64::ceil,
        "Exp" => f64::exp,
        "Reciprocal" => |x| 1.0 / x,
        "Not" => |x| f64::from(u8::from(x == 0.0)),
        _ => return None,
    })
}

pub(super) fn of_two(op: &str, integer: bool, fmod: bool) -> Option<fn(f64, f64) -> f64> {
    let truth: fn(f64, f64) -> f64 = match op {
        "Equal" => |x, y| f64::from(u8::from(x == y)),
        "Greater" => |x, y| f64::from(u8::from(x > y)),
        "Less" => |x, y| f64::from(u8::from(x < y)),
        "And" => |x, y| f64::from(u8::from(x != 0.0 && y != 0.0)),
        "Or" => |x, y| f64::from(u8::from(x != 0.0 || y != 0.0)),
        "Add" => |x, y| x + y,
        "Sub" => |x, y| x - y,
        "Mul" => |x, y| x * y,
        // Whole numbers divide towards zero.
        "Div" if integer => |x, y| (x / y).trunc(),
        "Div" => |x, y| x / y,
        "Mod" if fmod => |x, y| x % y,
        "Mod" => |x, y| x - y * (x / y).floor(),
        "Pow" => f64::powf,
        "Min" => f64::min,
        "Max" => f64::max,
        _ => return None,
    };
    Some(truth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arithmetic_of_shapes_is_that_of_whole_numbers() {
        let f = |op, x: f64, y: f64| of_two(op, true, false).unwrap()(x, y);
        assert_eq!(f("Div", 7.0, 2.0), 3.0);
        assert_eq!(f("Div", -7.0, 2.0), -3.0);
        assert_eq!(f("Mod", -7.0, 4.0), 1.0);
        assert_eq!(broadcast(&[2, 1], &[3]), Ok(vec![2, 3]));
        assert!(broadcast(&[2], &[3]).is_err());
    }
}
