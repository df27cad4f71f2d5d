//! Brent's root finder, iteration for iteration as Kayenta and R run it: the end points of the interval carry its
//! error of up to 5e-5, so that only the same iterations give the same bits.

/// Absolute tolerance: Kayenta's constant, in the unit of the metric.
const TOLERANCE: f64 = 1e-4;
const MAX_ITERATIONS: usize = 1001;
/// `|f|` up to this is a root: the smallest number above zero.
const ZERO: f64 = f64::from_bits(1);

/// A place and the function's value there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub(super) at: f64,
    pub(super) value: f64,
}

/// Finds a root of `function` between two points, as R's `zeroin` does (Brent, Algorithms for Minimization Without
/// Derivatives, 1973, chapter 4). Gives up after 1001 iterations with the best point, and says nothing of it.
///
/// # Errors
/// The function's.
#[expect(
    clippy::float_cmp,
    clippy::many_single_char_names,
    reason = "as published: points are compared with themselves, and have these names"
)]
pub(super) fn root<E>(
    from: Point,
    to: Point,
    mut function: impl FnMut(f64) -> Result<f64, E>,
) -> Result<f64, E> {
    let (mut a, mut b) = (from, to);
    if a.value == 0.0 {
        return Ok(a.at);
    }
    if b.value == 0.0 {
        return Ok(b.at);
    }
    let mut c = a;
    for _ in 0..MAX_ITERATIONS {
        let previous = b.at - a.at;
        if c.value.abs() < b.value.abs() {
            a = b;
            b = c;
            c = a;
        }
        let tolerance = 2.0 * f64::EPSILON * b.at.abs() + TOLERANCE / 2.0;
        let mut step = (c.at - b.at) / 2.0;
        if step.abs() <= tolerance || b.value.abs() <= ZERO {
            return Ok(b.at);
        }
        if previous.abs() >= tolerance && a.value.abs() > b.value.abs() {
            let width = c.at - b.at;
            let (mut p, mut q);
            if a.at == c.at {
                // Two points: the secant.
                let t1 = b.value / a.value;
                p = width * t1;
                q = 1.0 - t1;
            } else {
                // Three: the inverse parabola.
                let r = a.value / c.value;
                let t1 = b.value / c.value;
                let t2 = b.value / a.value;
                p = t2 * (width * r * (r - t1) - (b.at - a.at) * (t1 - 1.0));
                q = (r - 1.0) * (t1 - 1.0) * (t2 - 1.0);
            }
            if p > 0.0 {
                q = -q;
            } else {
                p = -p;
            }
            if p < 0.75 * width * q - (tolerance * q).abs() / 2.0 && p < (previous * q / 2.0).abs()
            {
                step = p / q;
            }
        }
        if step.abs() < tolerance {
            step = if step > 0.0 { tolerance } else { -tolerance };
        }
        a = b;
        b.at += step;
        b.value = function(b.at)?;
        if (b.value > 0.0 && c.value > 0.0) || (b.value < 0.0 && c.value < 0.0) {
            c = a;
        }
    }
    Ok(b.at)
}
