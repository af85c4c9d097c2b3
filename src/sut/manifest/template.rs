//! The templates of a manifest: strings with `{{ variables }}`, words of a command, values of a request.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};
use regex::Regex;
use serde_json::{Map, Value};

use crate::core::diagnostic::meant;

/// Variables by name. One that is not there is absent.
pub type Variables = Map<String, Value>;

fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        // An object, a list, true and false stand in a text as JSON.
        environment.set_formatter(|out, state, value| match value.kind() {
            ValueKind::Map | ValueKind::Seq | ValueKind::Bool => {
                let json = serde_json::to_string(value).map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
                Ok(out.write_str(&json)?)
            }
            _ => minijinja::escape_formatter(out, state, value),
        });
        environment.add_filter("sh", |text: String| format!("'{}'", text.replace('\'', r"'\''")));
        environment
    })
}

/// Whether every filter of a template is there, in every branch of it: the engine itself tells when it comes to one.
fn known_filters(source: &str) -> Result<(), String> {
    static TAGS: OnceLock<Regex> = OnceLock::new();
    static QUOTED: OnceLock<Regex> = OnceLock::new();
    static FILTER: OnceLock<Regex> = OnceLock::new();
    let regex = |pattern| Regex::new(pattern).expect("a fixed pattern");
    let tags = TAGS.get_or_init(|| regex(r"(?s)\{\{.*?\}\}|\{%.*?%\}"));
    let quoted = QUOTED.get_or_init(|| regex(r#""[^"]*"|'[^']*'"#));
    let filter = FILTER.get_or_init(|| regex(r"\|\s*([A-Za-z_][A-Za-z0-9_]*)|\{%-?\s*filter\s+([A-Za-z_][A-Za-z0-9_]*)"));
    for tag in tags.find_iter(source) {
        let bare = quoted.replace_all(tag.as_str(), "''");
        for found in filter.captures_iter(&bare) {
            let name = found.get(1).or(found.get(2)).map_or("", |name| name.as_str());
            // Whether there is one is asked of the engine: a filter that is there may still not take a text.
            let probe = environment().render_str(&format!("{{{{ '' | {name} }}}}"), ());
            if matches!(&probe, Err(error) if error.kind() == ErrorKind::UnknownFilter) {
                let meant = meant(name, FILTERS.into_iter()).map(|meant| format!("; {meant}")).unwrap_or_default();
                return Err(format!("there is no filter `{name}`{meant}; of use here are {}", FILTERS.join(", ")));
            }
        }
    }
    Ok(())
}

/// The filters that manifests have use for, of the many that the engine knows.
const FILTERS: [&str; 10] = ["sh", "urlencode", "default", "lower", "upper", "trim", "replace", "join", "length", "tojson"];

/// A string with variables in it, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    source: String,
    names: BTreeSet<String>,
    /// The variable that the whole string is, if it is one.
    whole: Option<String>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(source: &str) -> Result<Self, String> {
        let template = environment().template_from_str(source).map_err(|error| error.to_string())?;
        known_filters(source)?;
        let names: BTreeSet<String> = template.undeclared_variables(false).into_iter().collect();
        let inner = source.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).map(str::trim);
        let whole = inner.filter(|name| names.contains(*name)).map(str::to_owned);
        Ok(Self { source: source.to_owned(), names, whole })
    }

    /// What it was written as.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// The variables that it names.
    pub fn names(&self) -> &BTreeSet<String> {
        &self.names
    }

    /// Whether every variable that it names is there.
    pub fn is_filled(&self, variables: &Variables) -> bool {
        self.names.iter().all(|name| variables.get(name).is_some_and(|value| !value.is_null()))
    }

    /// The text.
    ///
    /// # Errors
    /// Where a variable is absent.
    pub fn text(&self, variables: &Variables) -> Result<String, String> {
        if let Some(Value::String(text)) = self.whole.as_ref().and_then(|name| variables.get(name)) {
            return Ok(text.clone());
        }
        let template = environment().template_from_str(&self.source).map_err(|error| error.to_string())?;
        let text = template.render(minijinja::value::Serde(variables)).map_err(|error| format!("`{}`: {error}", self.source))?;
        // The engine takes one newline off a template's end.
        Ok(if self.source.ends_with('\n') { text + "\n" } else { text })
    }

    /// The value: a string that is exactly one variable keeps that variable's type.
    ///
    /// # Errors
    /// Where a variable is absent.
    pub fn value(&self, variables: &Variables) -> Result<Value, String> {
        match self.whole.as_ref().and_then(|name| variables.get(name)) {
            Some(value) => Ok(value.clone()),
            None => self.text(variables).map(Value::String),
        }
    }
}

/// A word of a command, or a group of words that goes when a variable of it is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// One word. One that is exactly one absent variable goes, too.
    One(Template),
    /// An inner array.
    Group(Vec<Template>),
}

impl Word {
    /// The variables that it names.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Word::One(template) => template.names.iter().map(String::as_str).collect(),
            Word::Group(words) => words.iter().flat_map(|word| word.names.iter().map(String::as_str)).collect(),
        }
    }
}

/// A command, filled in.
///
/// # Errors
/// Where a variable is absent that the command cannot do without.
pub fn words(command: &[Word], variables: &Variables) -> Result<Vec<String>, String> {
    let mut filled = Vec::new();
    for word in command {
        match word {
            Word::One(template) if template.whole.is_some() && !template.is_filled(variables) => {}
            Word::One(template) => filled.push(template.text(variables)?),
            Word::Group(group) if !group.iter().all(|template| template.is_filled(variables)) => {}
            Word::Group(group) => {
                for template in group {
                    filled.push(template.text(variables)?);
                }
            }
        }
    }
    Ok(filled)
}

/// A JSON value whose strings are templates.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A string.
    Text(Template),
    /// An array.
    Array(Vec<Shape>),
    /// An object. A key whose value is exactly one absent variable goes.
    Object(Vec<(String, Shape)>),
    /// Anything else, as it is.
    Plain(Value),
}

impl Shape {
    /// Reads a value.
    ///
    /// # Errors
    /// What is wrong with a template in it.
    pub fn parse(value: &Value) -> Result<Self, String> {
        Ok(match value {
            Value::String(text) => Shape::Text(Template::parse(text)?),
            Value::Array(items) => Shape::Array(items.iter().map(Shape::parse).collect::<Result<_, _>>()?),
            Value::Object(fields) => {
                Shape::Object(fields.iter().map(|(key, value)| Ok((key.clone(), Shape::parse(value)?))).collect::<Result<_, String>>()?)
            }
            other => Shape::Plain(other.clone()),
        })
    }

    /// The variables that it names.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Shape::Text(template) => template.names.iter().map(String::as_str).collect(),
            Shape::Array(items) => items.iter().flat_map(Shape::names).collect(),
            Shape::Object(fields) => fields.iter().flat_map(|(_, value)| value.names()).collect(),
            Shape::Plain(_) => Vec::new(),
        }
    }

    /// Reads the variables back from a value that was filled in; false where it is another value. Strings in which a
    /// variable is only a part tell nothing.
    pub fn read(&self, value: &Value, into: &mut Variables) -> bool {
        match (self, value) {
            (Shape::Text(template), value) => match &template.whole {
                Some(name) => {
                    into.insert(name.clone(), value.clone());
                    true
                }
                None => !template.names.is_empty() || *value == template.source,
            },
            (Shape::Array(shapes), Value::Array(items)) => {
                shapes.len() == items.len() && shapes.iter().zip(items).all(|(shape, item)| shape.read(item, into))
            }
            (Shape::Object(shapes), Value::Object(fields)) => shapes.iter().all(|(key, shape)| match fields.get(key) {
                Some(value) => shape.read(value, into),
                None => matches!(shape, Shape::Text(template) if template.whole.is_some()),
            }),
            (Shape::Object(shapes), Value::Null) => {
                shapes.iter().all(|(_, shape)| matches!(shape, Shape::Text(template) if template.whole.is_some()))
            }
            (Shape::Plain(plain), value) => plain == value,
            (Shape::Array(_) | Shape::Object(_), _) => false,
        }
    }

    /// The value, filled in.
    ///
    /// # Errors
    /// Where a variable is absent that the value cannot do without.
    pub fn fill(&self, variables: &Variables) -> Result<Value, String> {
        Ok(match self {
            Shape::Text(template) => template.value(variables)?,
            Shape::Array(items) => Value::Array(items.iter().map(|item| item.fill(variables)).collect::<Result<_, _>>()?),
            Shape::Object(fields) => {
                let mut object = Map::new();
                for (key, value) in fields {
                    let absent = matches!(value, Shape::Text(template) if template.whole.is_some() && !template.is_filled(variables));
                    if !absent {
                        object.insert(key.clone(), value.fill(variables)?);
                    }
                }
                Value::Object(object)
            }
            Shape::Plain(value) => value.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn variables(value: Value) -> Variables {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_group_goes_with_its_variable_and_a_whole_variable_keeps_its_type() {
        let command = [
            Word::One(Template::parse("new").unwrap()),
            Word::Group(vec![Template::parse("--title").unwrap(), Template::parse("{{ title }}").unwrap()]),
            Word::One(Template::parse("{{ message }}").unwrap()),
        ];
        assert_eq!(words(&command, &variables(json!({"message": "{{ hi }}"}))).unwrap(), ["new", "{{ hi }}"]);
        assert_eq!(words(&command, &variables(json!({"title": "t"}))).unwrap(), ["new", "--title", "t"]);
        let shape = Shape::parse(&json!({"id": "{{ session_id }}", "n": "x{{ session_id }}", "gone": "{{ title }}"})).unwrap();
        assert_eq!(shape.fill(&variables(json!({"session_id": 7}))).unwrap(), json!({"id": 7, "n": "x7"}));
    }

    #[test]
    fn variables_are_read_back_from_what_was_filled_in() {
        let shape =
            Shape::parse(&json!({"id": "{{ session_id }}", "title": "{{ title }}", "input": [{"type": "text", "text": "{{ message }}"}]}));
        let (shape, mut read) = (shape.unwrap(), Variables::new());
        assert!(shape.read(&json!({"id": 7, "input": [{"type": "text", "text": "hi"}], "more": 1}), &mut read));
        assert_eq!(Value::Object(read), json!({"session_id": 7, "message": "hi"}));
        assert!(!shape.read(&json!({"id": 7, "input": [{"type": "image", "text": "hi"}]}), &mut Variables::new()));
        assert!(!shape.read(&json!([7]), &mut Variables::new()));
    }

    #[test]
    fn a_filter_that_there_is_not_is_found_in_every_branch() {
        let said = |source: &str| Template::parse(source).unwrap_err();
        assert!(said("{{ cwd | base64 }}").starts_with("there is no filter `base64`; of use here are sh, urlencode, default"));
        assert!(said("{% if title %}{{ title | uper }}{% endif %}").starts_with("there is no filter `uper`; did you mean `upper`?"));
        assert!(said("{{ message | replace('a', 'b') | shh }}").starts_with("there is no filter `shh`; of use here are sh"));
        for good in ["{{ cwd | default('a | b') }}", "{{ message | sh }}", "a | b", "{{ 'x | y' }}", "{{ title|upper|trim }}"] {
            assert!(Template::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn the_sh_filter_quotes() {
        let template = Template::parse("echo {{ message | sh }}").unwrap();
        assert_eq!(template.text(&variables(json!({"message": "it's"}))).unwrap(), r"echo 'it'\''s'");
    }

    #[test]
    fn what_is_no_text_stands_in_a_text_as_json() {
        let metadata = json!({"a": [1, 2.5, null, true, "it's \"x\""]});
        let variables = Variables::from_iter([("metadata".to_owned(), metadata), ("active_only".to_owned(), json!(true))]);
        let flag = Template::parse("--active-only={{ active_only }}").unwrap().text(&variables).unwrap();
        assert_eq!(flag, "--active-only=true");
        let text = Template::parse("--metadata={{ metadata }}").unwrap().text(&variables).unwrap();
        assert_eq!(text, r#"--metadata={"a":[1,2.5,null,true,"it's \"x\""]}"#);
    }
}
