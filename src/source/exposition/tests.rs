use proptest::prelude::*;

use super::*;

/// Every sample as one line of text that is easy to compare.
fn read(text: &str, format: Format) -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    parse(text, format, |sample| {
        let labels: Vec<String> = sample
            .labels
            .iter()
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect();
        let time = sample
            .timestamp
            .map(|time| format!(" @{}", time.as_millisecond()))
            .unwrap_or_default();
        lines.push(format!(
            "{}|{}|{}{time}",
            sample.name,
            labels.join(","),
            sample.value
        ));
        Ok(())
    })
    .map_err(|error| error.to_string())?;
    Ok(lines)
}

#[test]
fn reads_the_text_format() {
    let text = concat!(
        "# HELP http_requests_total The total number of HTTP requests.\n",
        "# TYPE http_requests_total counter\n",
        "http_requests_total{method=\"post\",code=\"200\"} 1027 1395066363000\n",
        "\n",
        "# Escaping in label values:\n",
        "msdos_file_access_time_seconds{path=\"C:\\\\DIR\\\\FILE.TXT\",error=\"Cannot find \\\"FILE\\\":\\nx\\y\"} 1.458255915e9\n",
        "metric_without_timestamp_and_labels 12.47\n",
        "something_weird{problem=\"division by zero\"} +Inf -3982045\n",
        "  indented { a = \"1\" , b=\"\", }\t-5e-3\t\r\n",
        "rpc_duration_seconds{quantile=\"0.01\"} NaN\n",
        "{\"http.requests\",\"k8s.pod\"=\"a\"} 7\n",
        "no_newline:at_the_end 3",
    );
    let read = read(text, Format::Text).expect("is an exposition");
    assert_eq!(
        read,
        vec![
            "http_requests_total|method=\"post\",code=\"200\"|1027 @1395066363000",
            "msdos_file_access_time_seconds|path=\"C:\\\\DIR\\\\FILE.TXT\",error=\"Cannot find \\\"FILE\\\":\\nx\\\\y\"|1458255915",
            "metric_without_timestamp_and_labels||12.47",
            "something_weird|problem=\"division by zero\"|inf @-3982045",
            "indented|a=\"1\",b=\"\"|-0.005",
            "rpc_duration_seconds|quantile=\"0.01\"|NaN",
            "http.requests|k8s.pod=\"a\"|7",
            "no_newline:at_the_end||3",
        ]
    );
}

#[test]
fn reads_openmetrics() {
    let text = concat!(
        "# TYPE foo counter\n# UNIT foo seconds\n",
        "foo_total 17.0 1520879607.789 # {trace_id=\"KOO5S4vxi0o\"} 0.67 1520879607.7\n",
        "foo_created 1520872607.123\n",
        "foo_bucket{le=\"+Inf\"} 17 # {} 9.8\n",
        "# EOF\n",
    );
    let read = read(text, Format::OpenMetrics).expect("is an exposition");
    assert_eq!(
        read,
        vec![
            "foo_total||17 @1520879607789",
            "foo_created||1520872607.123",
            "foo_bucket|le=\"+Inf\"|17",
        ]
    );
}

#[test]
fn says_where_and_what_is_wrong() {
    use Format::{OpenMetrics, Text};
    let check = |text: &str, format, reason: &str| {
        let said = read(text, format).expect_err("is broken");
        assert!(said.contains(reason), "{text:?}: {said} lacks `{reason}`");
    };
    check(
        "a 1\n<html>",
        Text,
        "line 2: a metric name is expected where \"<html>\"",
    );
    check(
        "9lives 1",
        Text,
        "a metric name is expected where \"9lives 1\"",
    );
    check("{a=\"b\"} 1", Text, "a metric name is expected");
    check("a", Text, "a value is missing at the end of the line");
    check("a{", Text, "a label name or `}` is missing");
    check(
        "a{b=\"c\" d=\"e\"} 1",
        Text,
        "`,` or `}` is expected where \"d=",
    );
    check(
        "a{b=c} 1",
        Text,
        "a quoted value is expected where \"c} 1\"",
    );
    check("a{b=\"c\\\"} 1", Text, "does not end");
    check("a{b=\"c\",b=\"d\"} 1", Text, "label `b` is there twice");
    check("a{9b=\"c\"} 1", Text, "a label name or `}` is expected");
    check("a{\"b\"} 1", Text, "`=` is expected");
    check("a one", Text, "a value is expected where \"one\"");
    check("a 1 soon", Text, "a timestamp is expected where \"soon\"");
    check("a 1 1.5", Text, "a timestamp is expected");
    check("a 1 99999999999999999", Text, "a timestamp is expected");
    check(
        "a 1 1 1",
        Text,
        "the end of the line is expected where \"1\"",
    );
    check("a 1 # {} 1", Text, "the end of the line is expected");
    check("a 1\n", OpenMetrics, "`# EOF` is missing");
    check(
        "a 1\n# EOF\nb 2\n",
        OpenMetrics,
        "line 3: there is something after",
    );
    check("a 1 # 1\n# EOF\n", OpenMetrics, "the labels of an exemplar");
    let many: Vec<String> = (0..200).map(|n| format!("l{n}=\"\"")).collect();
    let many = many.join(",");
    check(&format!("a{{{many}}} 1"), Text, "more than 128 labels");
}

#[test]
fn the_dialect_follows_the_content_type() {
    assert_eq!(Format::of(None), Format::Text);
    assert_eq!(Format::of(Some("text/plain; version=0.0.4")), Format::Text);
    let open = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(Format::of(Some(open)), Format::OpenMetrics);
}

#[test]
fn a_refused_sample_ends_it() {
    let said = parse("a 1\nb 2\nc 3", Format::Text, |sample| {
        if sample.name == "b" {
            Err("no".to_owned())
        } else {
            Ok(())
        }
    });
    assert_eq!(said.expect_err("was refused").to_string(), "line 2: no");
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[a-z0-9_{}=\",\\\\ #\n\u{e9}.+-]{0,80}", open in any::<bool>()) {
        let format = if open { Format::OpenMetrics } else { Format::Text };
        // Only that it returns is checked here.
        read(&text, format).ok();
    }

    #[test]
    fn what_was_written_is_read(
        name in "[a-zA-Z_:][a-zA-Z0-9_:]{0,10}",
        value in any::<f64>().prop_filter("comparable", |value| !value.is_nan()),
        text in "[^\r]{0,20}",
    ) {
        let line = format!("{name}{{l=\"{}\"}} {value}\n", escaped(&text));
        let mut seen = None;
        parse(&line, Format::Text, |sample| {
            seen = Some((sample.name.to_string(), sample.labels[0].1.to_string(), sample.value));
            Ok(())
        }).expect("is well formed");
        prop_assert_eq!(seen, Some((name, text, value)));
    }
}
