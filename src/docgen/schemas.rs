//! The JSON Schemas of what people write and other programs read: one table, each made of the type that reads the file.
//!
//! They are of draft 7, the newest that editors of TOML and of JSON have in common.

use std::path::Path;
use std::{fs, io};

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

use crate::engine::suite::claims;
use crate::files::front_matter_schema;
use crate::profile;
use crate::results::baseline;
use crate::results::model::Report;
use crate::suites::SUITES;
use crate::sut::manifest;
use crate::trace::Record;

/// A schema that is published.
pub struct Published {
    /// Its name.
    pub name: &'static str,
    /// What it is of.
    pub about: &'static str,
    syntax: Syntax,
    made: fn(SchemaGenerator) -> Schema,
}

/// In what a file is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Syntax {
    /// JSON.
    Json,
    /// TOML, which has no null: what is optional is left out.
    Toml,
}

/// The schemas, in the order help shows them.
pub const SCHEMAS: &[Published] = &[
    Published { name: "manifest", about: "passmuster.toml", syntax: Syntax::Toml, made: of_manifests },
    Published {
        name: "baseline",
        about: "known failures (verify --baseline)",
        syntax: Syntax::Toml,
        made: made::<baseline::WrittenBaseline>,
    },
    Published { name: "profile", about: "agents' profiles (verify --profiles)", syntax: Syntax::Toml, made: made::<profile::File> },
    Published { name: "report", about: "a JSON report (verify --report json=)", syntax: Syntax::Json, made: made::<Report> },
    Published { name: "trace", about: "a line of a trace (trace check)", syntax: Syntax::Json, made: made::<Record> },
    Published {
        name: "session-file",
        about: "the front matter of a session file (files check)",
        syntax: Syntax::Json,
        made: |_| front_matter_schema(),
    },
];

fn made<T: JsonSchema>(generator: SchemaGenerator) -> Schema {
    generator.into_root_schema_for::<T>()
}

/// A manifest's schema offers the suites that can be claimed.
fn of_manifests(generator: SchemaGenerator) -> Schema {
    let mut schema = made::<manifest::RawManifest>(generator);
    manifest::offer_suites(&mut schema, &claims(SUITES));
    schema
}

impl Published {
    /// The schema of that name.
    pub fn find(name: &str) -> Option<&'static Published> {
        SCHEMAS.iter().find(|schema| schema.name == name)
    }

    /// Its file's name.
    pub fn file(&self) -> String {
        format!("{}.schema.json", self.name)
    }

    /// The schema.
    pub fn schema(&self) -> Schema {
        let settings = match self.syntax {
            Syntax::Json => SchemaSettings::draft07(),
            Syntax::Toml => SchemaSettings::draft07().with_transform(RecursiveTransform(without_null)),
        };
        (self.made)(settings.into_generator())
    }

    /// The schema as a file.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(&self.schema()).expect("a schema is JSON") + "\n"
    }
}

/// Writes every schema into a folder.
///
/// # Errors
/// Where one cannot be written.
pub fn write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    SCHEMAS.iter().try_for_each(|schema| fs::write(folder.join(schema.file()), schema.text()))
}

/// The schemas that a folder has not, or not as they are now.
pub fn stale(folder: &Path) -> impl Iterator<Item = &'static Published> {
    SCHEMAS.iter().filter(move |schema| fs::read_to_string(folder.join(schema.file())).ok().as_deref() != Some(&schema.text()))
}

/// Takes the null out that stands for what is absent.
fn without_null(schema: &mut Schema) {
    let is_null = |value: &Value| value == "null" || value["type"] == "null";
    for key in ["type", "anyOf"] {
        let Some(choices) = schema.get_mut(key).and_then(Value::as_array_mut) else { continue };
        choices.retain(|choice| !is_null(choice));
        if choices.len() == 1 {
            let only = choices.remove(0);
            schema.remove(key);
            match key {
                "type" => schema.insert("type".into(), only),
                _ => schema.insert("allOf".into(), vec![only].into()),
            };
        }
    }
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
}
