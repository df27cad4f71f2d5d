//! The page itself: what was measured, what would be done, what holds it, and one button.

use std::fmt::Write as _;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use recant_core::guard::Approval;
use recant_core::snapshot::Snapshot;

use crate::http::api::problem::InDialect;

/// One page.
#[derive(Debug)]
pub(super) struct Page {
    status: StatusCode,
    title: String,
    /// HTML; every text from outside in it is escaped.
    body: String,
}

impl Page {
    /// What is to be agreed to.
    pub(super) fn question(snapshot: &Snapshot, approval: &Approval) -> Self {
        let Approval {
            plan,
            target,
            from,
            to,
            expires,
            ..
        } = approval;
        let mut body = String::new();
        let mut line = |html: String| {
            // Text takes whatever is written to it.
            writeln!(body, "{html}").unwrap_or_default();
        };
        line(format!(
            "<p>Recant would take revision <b>{}</b> of <b>{}</b> back, to revision <b>{}</b>. Plan <code>{}</code>.</p>",
            escaped(from.as_str()),
            escaped(&target.to_string()),
            escaped(to.as_str()),
            escaped(plan.as_str())
        ));
        if let Some(shown) = snapshot.target(target) {
            let findings = shown
                .analysis
                .iter()
                .flat_map(|analysis| &analysis.findings);
            line("<h2>Evidence</h2>\n<ul>".to_owned());
            for finding in findings.take(20) {
                line(format!("<li>{}</li>", escaped(&finding.sentence)));
            }
            line("</ul>\n<h2>Guards</h2>\n<ul>".to_owned());
            for hold in shown.holds.iter().take(20) {
                let guard = hold.guard.as_str();
                line(format!("<li>{guard}: {}</li>", escaped(&hold.reason)));
            }
            line("</ul>".to_owned());
        }
        line(format!(
            "<p>It can be approved until {expires:.0}, once, and is carried out only if a rule fails then, too.</p>"
        ));
        line(
            "<form method=\"post\">\n<p><label>Why: <input name=\"reason\" maxlength=\"300\" size=\"60\"></label></p>\n\
             <p><button>Approve the rollback</button></p>\n</form>"
                .to_owned(),
        );
        Self {
            status: StatusCode::OK,
            title: "Approve a rollback".to_owned(),
            body,
        }
    }

    /// It was agreed.
    pub(super) fn agreed(said: &str) -> Self {
        Self {
            status: StatusCode::OK,
            title: "Approved".to_owned(),
            body: format!("<p>{}.</p>\n", escaped(said)),
        }
    }

    /// It was not.
    pub(super) fn failed(status: StatusCode, why: &str) -> Self {
        Self {
            status,
            title: "Not approved".to_owned(),
            body: format!("<p>{}.</p>\n", escaped(why)),
        }
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let Self {
            status,
            title,
            body,
        } = self;
        let html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<h1>{title}</h1>\n{body}</html>\n"
        );
        let mut response = (status, html).into_response();
        for (name, value) in [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CACHE_CONTROL, "no-store"),
            // The address is a secret: it goes to nobody whom the page names.
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
            ),
        ] {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        response.extensions_mut().insert(InDialect);
        response
    }
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut html, c| {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
        html
    })
}
