//! What is asked, from the query of the URL and from a form: bounded, and read as Prometheus reads it.

use std::time::Duration;

use axum::extract::Request;
use jiff::Timestamp;
use promql_parser::util::parse_duration;
use recant_core::wording::short;

use super::super::body;
use super::answer::Failure;

/// Bytes of a form.
const MOST_BYTES: usize = 64 << 10;
/// Selectors in one question.
const MOST_SELECTORS: usize = 10;
/// Seconds since 1970 that are a time: of this and the next thousand years.
const LATEST: f64 = 1e11;

/// Names with values, those of the form first.
#[derive(Debug)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(super) async fn read(request: Request) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let form = body::read(body, MOST_BYTES).await?;
        let form = std::str::from_utf8(&form)
            .map_err(|_| Failure::bad("the form is no text in UTF-8: send it percent-encoded"))?;
        let mut all = decoded(form);
        all.extend(decoded(parts.uri.query().unwrap_or_default()));
        Ok(Self(all))
    }

    /// The first value that is given; an empty one is as good as none.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let of_name = |(known, value): &&(String, String)| known == name && !value.is_empty();
        self.0.iter().find(of_name).map(|(_, value)| value.as_str())
    }

    pub(super) fn needed(&self, name: &str) -> Result<&str, Failure> {
        self.get(name)
            .ok_or_else(|| Failure::bad(format!("`{name}` is missing: give it")))
    }

    /// All values of `match[]`.
    pub(super) fn selectors(&self) -> Result<Vec<&str>, Failure> {
        let of_name = self.0.iter().filter(|(name, _)| name == "match[]");
        let all: Vec<&str> = of_name.map(|(_, value)| value.as_str()).collect();
        if all.len() > MOST_SELECTORS {
            return Err(Failure::bad(format!(
                "there are more than {MOST_SELECTORS} selectors: ask several times"
            )));
        }
        Ok(all)
    }

    /// A moment in milliseconds since 1970: seconds, or RFC 3339.
    pub(super) fn time(&self, name: &str) -> Result<Option<i64>, Failure> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let seconds = text.parse().ok().filter(|seconds: &f64| {
            // Excludes NaN, too.
            seconds.abs() <= LATEST
        });
        let time = match seconds {
            #[expect(clippy::cast_possible_truncation, reason = "it is bounded just above")]
            Some(seconds) => Some((seconds * 1000.0).round() as i64),
            None => text.parse().ok().map(Timestamp::as_millisecond),
        };
        let time = time.ok_or_else(|| {
            Failure::bad(format!(
                "`{name}` is no time: `{}`; give seconds since 1970, or RFC 3339",
                short(text, 40)
            ))
        })?;
        Ok(Some(time))
    }

    /// Between two moments, in milliseconds: seconds, or a duration like `15s`.
    pub(super) fn step(&self) -> Result<i64, Failure> {
        let text = self.needed("step")?;
        let step = match text.parse::<f64>() {
            Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
            Err(_) => parse_duration(text).ok(),
        };
        let step = step.and_then(|step| i64::try_from(step.as_millis()).ok());
        match step {
            Some(step) if step > 0 => Ok(step),
            _ => Err(Failure::bad(format!(
                "`step` is no length of time above zero: `{}`; give seconds, or a duration like `15s`",
                short(text, 40)
            ))),
        }
    }

    /// How many items of a list are wanted at most; 0 is all.
    pub(super) fn limit(&self) -> Result<usize, Failure> {
        let Some(text) = self.get("limit") else {
            return Ok(usize::MAX);
        };
        match text.parse() {
            Ok(0) => Ok(usize::MAX),
            Ok(limit) => Ok(limit),
            Err(_) => Err(Failure::bad(format!(
                "`limit` is no whole number: `{}`",
                short(text, 40)
            ))),
        }
    }
}

fn decoded(text: &str) -> Vec<(String, String)> {
    let Ok(mut url) = "http://form".parse::<reqwest::Url>() else {
        return Vec::new();
    };
    url.set_query(Some(text));
    url.query_pairs().into_owned().collect()
}
