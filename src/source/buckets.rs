//! Buckets of a classic histogram: from `le` labels and values, as they come, to counters over ordered bounds.

use std::sync::Arc;

use recant_core::observation::HistogramCounters;

/// Histograms with more buckets are refused: merging bounds takes time that grows with their square.
const MOST_BUCKETS: usize = 1000;

/// Buckets in order of their bounds. Bounds that are written differently but are the same number are added up: they
/// come from two libraries in one pod.
pub(super) fn histogram<'a>(
    buckets: impl Iterator<Item = (&'a str, f64)>,
) -> Result<HistogramCounters, String> {
    let mut sorted: Vec<(f64, f64)> = Vec::new();
    for (text, value) in buckets {
        match text.parse::<f64>() {
            Ok(bound) if !bound.is_nan() => sorted.push((bound, value)),
            Ok(_) | Err(_) => {
                return Err(format!(
                    "a bucket of the histogram has the bound {text:?}, which is no number"
                ));
            }
        }
    }
    if sorted.len() > MOST_BUCKETS {
        return Err(format!(
            "the histogram has {} buckets: more than {MOST_BUCKETS} are not read",
            sorted.len()
        ));
    }
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut bounds: Vec<f64> = Vec::with_capacity(sorted.len());
    let mut counters: Vec<f64> = Vec::with_capacity(sorted.len());
    for (bound, value) in sorted {
        match (bounds.last(), counters.last_mut()) {
            (Some(last), Some(sum)) if bound.total_cmp(last).is_eq() => *sum += value,
            (_, _) => {
                bounds.push(bound);
                counters.push(value);
            }
        }
    }
    let last = bounds.pop();
    if !last.is_some_and(|last| last.is_infinite() && last > 0.0) {
        return Err(
            "the histogram has no bucket `+Inf`, so that its events cannot be counted".into(),
        );
    }
    if bounds.iter().any(|bound| !bound.is_finite()) {
        return Err(
            "a bucket of the histogram has the bound -Inf, which is no finite number".into(),
        );
    }
    Ok(HistogramCounters {
        bounds: Arc::from(bounds),
        counters,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_compared_as_numbers() {
        let read = histogram(
            [
                ("+Inf", 9.0),
                ("10", 8.0),
                ("2.5", 3.0),
                ("2", 2.0),
                ("2.0", 1.0),
            ]
            .into_iter(),
        )
        .expect("is a histogram");
        assert_eq!(&*read.bounds, [2.0, 2.5, 10.0]);
        assert_eq!(read.counters, vec![3.0, 3.0, 8.0, 9.0]);
    }

    #[test]
    fn the_number_of_buckets_is_bounded() {
        let bounds: Vec<String> = (0..2000).map(|bound| bound.to_string()).collect();
        let said = histogram(bounds.iter().map(|bound| (&**bound, 1.0))).expect_err("is too many");
        assert!(said.contains("2000 buckets"), "{said}");
    }

    #[test]
    fn broken_buckets_are_named() {
        for (buckets, reason) in [
            (vec![("1", 1.0)], "no bucket `+Inf`"),
            (vec![], "no bucket `+Inf`"),
            (vec![("one", 1.0), ("+Inf", 1.0)], "\"one\""),
            (vec![("NaN", 1.0), ("+Inf", 1.0)], "\"NaN\""),
            (vec![("", 1.0), ("+Inf", 1.0)], "\"\""),
            (vec![("-Inf", 1.0), ("+Inf", 1.0)], "no finite number"),
        ] {
            let said = histogram(buckets.into_iter()).expect_err("is broken");
            assert!(said.contains(reason), "{said}");
        }
    }
}
