//! What a drawing is made of: shapes and texts, one element a line, with one style sheet for light and dark.

use std::fmt::Write as _;

/// Width of every drawing.
pub(super) const WIDTH: f64 = 980.0;

/// No variables of CSS: not every program that shows SVG knows them.
const STYLE: &str = "\
text{font:12px system-ui,sans-serif;fill:#24292f}.title{font-size:15px;font-weight:600}.small{font-size:11px;fill:#57606a}
.end{text-anchor:end}.middle{text-anchor:middle}.paper{fill:#fff}.grid{stroke:#d0d7de;stroke-width:1}
.limit{stroke:#57606a;stroke-width:1;stroke-dasharray:4 3}.frame{fill:none;stroke:#d0d7de}
.bar{stroke:none}.back{fill:#cf222e}.kept{fill:#bc4c00}.good{fill:#2da44e}.open{fill:#8c959f}.stable{fill:#d0d7de}
.mark{stroke:#24292f;stroke-width:1.6;fill:none}.line{fill:none;stroke-width:1.8;stroke-linejoin:round}
.r0{stroke:#0969da}.r1{stroke:#8250df;stroke-dasharray:6 2}.r2{stroke:#bf3989;stroke-dasharray:2 2}
.r3{stroke:#1a7f37;stroke-dasharray:8 3 2 3}.r4{stroke:#9a6700}.r5{stroke:#57606a;stroke-dasharray:1 3}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.small{fill:#9198a1}.paper{fill:#0d1117}
.grid,.frame{stroke:#30363d}.limit{stroke:#9198a1}.back{fill:#f85149}.kept{fill:#db6d28}.good{fill:#3fb950}
.open{fill:#6e7681}.stable{fill:#30363d}.mark{stroke:#e6edf3}.r0{stroke:#58a6ff}.r1{stroke:#bc8cff}.r2{stroke:#f778ba}
.r3{stroke:#56d364}.r4{stroke:#d29922}.r5{stroke:#9198a1}}";

/// A drawing that is being made. Coordinates are pixels from the upper left corner.
#[derive(Debug)]
pub(super) struct Paper {
    elements: String,
}

impl Paper {
    pub(super) fn new() -> Self {
        Self {
            elements: String::new(),
        }
    }

    pub(super) fn text(&mut self, class: &str, x: f64, y: f64, text: &str) {
        self.add(format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
            escaped(text)
        ));
    }

    /// A rectangle; `title` is shown where the pointer rests.
    pub(super) fn bar(
        &mut self,
        class: &str,
        (x, y): (f64, f64),
        (width, height): (f64, f64),
        title: &str,
    ) {
        self.add(format_args!(
            "<rect class=\"bar {class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\">\
             <title>{}</title></rect>",
            escaped(title)
        ));
    }

    pub(super) fn frame(&mut self, (x, y): (f64, f64), (width, height): (f64, f64)) {
        self.add(format_args!(
            "<rect class=\"frame\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        ));
    }

    pub(super) fn line(&mut self, class: &str, points: &[(f64, f64)]) {
        let points: Vec<String> = points
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        self.add(format_args!(
            "<polyline class=\"{class}\" fill=\"none\" points=\"{}\"/>",
            points.join(" ")
        ));
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _written = writeln!(self.elements, "{element}");
    }

    /// The whole document.
    pub(super) fn document(self, width: f64, height: f64) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
             height=\"{height:.0}\" role=\"img\">\n<style>{STYLE}</style>\n\
             <rect class=\"paper\" width=\"{width:.0}\" height=\"{height:.0}\"/>\n{}</svg>\n",
            self.elements
        )
    }
}

/// Text from outside as text of XML. Control characters, which XML cannot hold, are left out.
fn escaped(text: &str) -> String {
    let mut all = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => all.push_str("&amp;"),
            '<' => all.push_str("&lt;"),
            '>' => all.push_str("&gt;"),
            '"' => all.push_str("&quot;"),
            '\n' | '\t' => all.push(' '),
            '\u{fffe}' | '\u{ffff}' => {}
            other if other.is_control() => {}
            other => all.push(other),
        }
    }
    all
}
