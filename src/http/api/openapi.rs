//! The description of the API port as others' tools read it: `OpenAPI` 3.1, made of what each path says of itself where it
//! is added, and of the types that are really read and written.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::routes::Needs;

/// Makes the schema of a type.
type Type = fn(&mut SchemaGenerator) -> Schema;

/// One method of one path.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    id: &'static str,
    summary: &'static str,
    /// Query parameters: name, whether it must be given, meaning.
    parameters: Vec<(&'static str, bool, &'static str)>,
    /// Meaning of each part of the path in braces, and what it may be if that is fixed.
    parts: Vec<(&'static str, &'static str, &'static [&'static str])>,
    headers: Vec<(&'static str, &'static str)>,
    body: Option<Type>,
    answers: Vec<Answer>,
    /// Filled in when it is added.
    place: Option<Place>,
}

#[derive(Debug, Clone)]
struct Answer {
    status: u16,
    meaning: &'static str,
    content: Content,
}

#[derive(Debug, Clone, Copy)]
enum Content {
    Json(Type),
    Text,
    Page,
    Nothing,
    Problem,
}

#[derive(Debug, Clone)]
struct Place {
    method: &'static str,
    path: String,
    needs: Needs,
}

impl Operation {
    /// `summary`: what it is for, without a full stop at the end.
    pub(super) fn new(id: &'static str, summary: &'static str) -> Self {
        Self {
            id,
            summary,
            parameters: Vec::new(),
            parts: Vec::new(),
            headers: Vec::new(),
            body: None,
            answers: Vec::new(),
            place: None,
        }
    }

    /// A query parameter that may be left out.
    pub(super) fn may(mut self, name: &'static str, meaning: &'static str) -> Self {
        self.parameters.push((name, false, meaning));
        self
    }

    /// A query parameter that must be given.
    pub(super) fn must(mut self, name: &'static str, meaning: &'static str) -> Self {
        self.parameters.push((name, true, meaning));
        self
    }

    /// A part of its path.
    pub(super) fn part(self, name: &'static str, meaning: &'static str) -> Self {
        self.part_of(name, meaning, &[])
    }

    /// A part of its path that is one of some words.
    pub(super) fn part_of(
        mut self,
        name: &'static str,
        meaning: &'static str,
        words: &'static [&'static str],
    ) -> Self {
        self.parts.push((name, meaning, words));
        self
    }

    /// A header that must be sent.
    pub(super) fn header(mut self, name: &'static str, meaning: &'static str) -> Self {
        self.headers.push((name, meaning));
        self
    }

    /// Takes a document of this type.
    pub(super) fn takes<T: JsonSchema>(mut self) -> Self {
        self.body = Some(SchemaGenerator::subschema_for::<T>);
        self
    }

    /// Answers with a document of this type.
    pub(super) fn gives<T: JsonSchema>(self, status: u16, meaning: &'static str) -> Self {
        let content = Content::Json(SchemaGenerator::subschema_for::<T>);
        self.answer(status, meaning, content)
    }

    /// Refuses with a document of this type: its dialect knows one of its own.
    pub(super) fn fails<T: JsonSchema>(self, status: u16, meaning: &'static str) -> Self {
        self.gives::<T>(status, meaning)
    }

    /// Answers with plain text.
    pub(super) fn says(self, status: u16, meaning: &'static str) -> Self {
        self.answer(status, meaning, Content::Text)
    }

    /// Answers with a page for people.
    pub(super) fn shows(self, status: u16, meaning: &'static str) -> Self {
        self.answer(status, meaning, Content::Page)
    }

    /// Answers with nothing but the status.
    pub(super) fn done(self, status: u16, meaning: &'static str) -> Self {
        self.answer(status, meaning, Content::Nothing)
    }

    /// Refuses with a problem.
    pub(super) fn refuses(self, status: u16, meaning: &'static str) -> Self {
        self.answer(status, meaning, Content::Problem)
    }

    fn answer(mut self, status: u16, meaning: &'static str, content: Content) -> Self {
        self.answers.push(Answer {
            status,
            meaning,
            content,
        });
        self
    }

    /// Where it is, and what it needs.
    pub(super) fn at(mut self, method: &'static str, path: String, needs: Needs) -> Self {
        self.place = Some(Place {
            method,
            path,
            needs,
        });
        self
    }
}

/// The whole document.
pub(super) fn document<'a>(operations: impl IntoIterator<Item = &'a Operation>) -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
        .into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations {
        let Some(place) = &operation.place else {
            continue;
        };
        let path = paths.entry(place.path.clone()).or_insert_with(|| json!({}));
        path[place.method] = operation.in_words(place, &mut generator);
    }
    let mut schemas = generator.take_definitions(true);
    schemas.insert("Problem".to_owned(), problem());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Recant",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "What others ask Recant about releases, and what they report to it",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer",
                    "description": "A token of the settings, or one of Kubernetes with the audience `recant`"},
                "password": {"type": "http", "scheme": "basic",
                    "description": "The same token as a password; the user may be anything"},
                "certificate": {"type": "mutualTLS",
                    "description": "A certificate signed by the authorities of `api.tls.clientCaFile`"},
                "signature": {"type": "apiKey", "in": "header", "name": "X-Recant-Signature",
                    "description": "`sha256=` and the hexadecimal HMAC-SHA256, by the key of `api.markerKey`, of X-Recant-Timestamp, a dot and the body"},
            },
        },
    })
}

/// RFC 9457, with what two dialects read beside it.
fn problem() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "What happened, to what, and what to do next"},
            "message": {"type": "string", "description": "The same, for clients of Kayenta"},
            "data": {"description": "What the caller's own dialect reads beside it"},
        },
    })
}

impl Operation {
    fn in_words(&self, place: &Place, generator: &mut SchemaGenerator) -> Value {
        let mut answers = Map::new();
        for answer in &self.answers {
            let Answer {
                status,
                meaning,
                content,
            } = answer;
            let mut words = json!({"description": meaning});
            let (kind, schema) = match content {
                Content::Json(schema) => ("application/json", json!(schema(generator))),
                Content::Text => ("text/plain", json!({"type": "string"})),
                Content::Page => ("text/html", json!({"type": "string"})),
                Content::Problem => problem_content(),
                Content::Nothing => ("", Value::Null),
            };
            if !kind.is_empty() {
                words["content"] = json!({kind: {"schema": schema}});
            }
            answers.insert(status.to_string(), words);
        }
        let (security, refusals): (Value, &[(&str, &str)]) = match place.needs.scope {
            Some(scope) => {
                let scopes = [scope.word()];
                let security =
                    json!([{"token": scopes}, {"password": scopes}, {"certificate": scopes}]);
                (
                    security,
                    &[
                        ("401", "Nobody is known by what was sent, or nothing was"),
                        ("403", "Who asks does not have the scope"),
                        (
                            "429",
                            "Too many requests of this caller: try again (503 where the dialect wants that)",
                        ),
                    ],
                )
            }
            None => (
                json!([{"signature": []}]),
                &[
                    ("401", "The signature is missing, wrong, or too old"),
                    ("403", "There is no key in the settings"),
                    ("429", "Too many requests: try again"),
                ],
            ),
        };
        for (status, meaning) in refusals {
            let (kind, schema) = problem_content();
            answers.entry((*status).to_owned()).or_insert_with(
                || json!({"description": meaning, "content": {kind: {"schema": schema}}}),
            );
        }
        let mut words = json!({
            "operationId": self.id,
            "summary": self.summary,
            "security": security,
            "responses": answers,
        });
        if let Some(scope) = place.needs.scope {
            words["x-recant-scope"] = json!(scope.word());
        }
        let parameters = self.all_parameters();
        if !parameters.is_empty() {
            words["parameters"] = Value::Array(parameters);
        }
        if let Some(body) = self.body {
            let schema = body(generator);
            words["requestBody"] =
                json!({"required": true, "content": {"application/json": {"schema": schema}}});
        }
        words
    }

    fn all_parameters(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for (name, meaning, words) in &self.parts {
            let mut schema = json!({"type": "string"});
            if !words.is_empty() {
                schema["enum"] = json!(words);
            }
            all.push(json!({"name": name, "in": "path", "required": true, "description": meaning, "schema": schema}));
        }
        for (name, must, meaning) in &self.parameters {
            all.push(
                json!({"name": name, "in": "query", "required": must, "description": meaning,
                "schema": {"type": "string"}}),
            );
        }
        for (name, meaning) in &self.headers {
            all.push(
                json!({"name": name, "in": "header", "required": true, "description": meaning,
                "schema": {"type": "string"}}),
            );
        }
        all
    }
}

fn problem_content() -> (&'static str, Value) {
    (
        "application/problem+json",
        json!({"$ref": "#/components/schemas/Problem"}),
    )
}
