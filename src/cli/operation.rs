//! An operation of the contract's table as a subcommand, its arguments as flags.

use std::marker::PhantomData;

use clap::{Arg, ArgAction, ArgMatches, FromArgMatches, Subcommand};
use serde_json::{Value, json};

use crate::contract::{self, ContractError, Field, FieldKind, OperationSpec, OperationTable};

/// The operations that a command has as subcommands.
pub(crate) trait Operations {
    /// The table.
    const TABLE: OperationTable;
    /// Whether what is required may stand without its flag, in the table's order; verbs are then short as well.
    const BRIEF: bool;
}

/// One operation of a table and its arguments.
#[derive(Debug)]
pub(crate) struct AskedOperation<T> {
    /// The operation.
    pub spec: &'static OperationSpec,
    /// What it was given.
    pub args: contract::Args,
    table: PhantomData<T>,
}

impl<T: Operations> Subcommand for AskedOperation<T> {
    fn augment_subcommands(command: clap::Command) -> clap::Command {
        command.subcommands(T::TABLE.iter().map(|spec| {
            let about = spec.about[..1].to_uppercase() + &spec.about[1..];
            let verb = clap::Command::new(dashed(spec.name)).about(about);
            if !T::BRIEF {
                return verb.args(spec.args.iter().map(flag));
            }
            let verb = brief(spec).map_or(verb.clone(), |brief| verb.visible_alias(brief));
            let required = spec.args.iter().filter(|field| field.required);
            let flags = spec
                .args
                .iter()
                .map(|field| if field.required { flag(field).required(false).required_unless_present(bare(field)) } else { flag(field) });
            verb.args(flags.map(|flag| if flag.get_id() == "agent_name" { flag.visible_alias("agent") } else { flag })).args(
                required.enumerate().map(|(at, field)| {
                    valued(Arg::new(bare(field)), field).value_name(bare(field)).index(at + 1).conflicts_with(field.name)
                }),
            )
        }))
    }

    fn augment_subcommands_for_update(command: clap::Command) -> clap::Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        find::<T>(name).is_some()
    }
}

impl<T: Operations> FromArgMatches for AskedOperation<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let (verb, given) = matches.subcommand().ok_or_else(|| clap::Error::new(clap::error::ErrorKind::MissingSubcommand))?;
        let spec = find::<T>(verb).ok_or_else(|| clap::Error::new(clap::error::ErrorKind::InvalidSubcommand))?;
        let by_position = |field: &Field| given.try_get_one::<Value>(bare(field)).ok().flatten();
        let value = |field: &Field| given.get_one::<Value>(field.name).or_else(|| by_position(field)).cloned();
        let args = spec.args.iter().filter_map(|field| Some((field.name.to_owned(), value(field)?))).collect();
        Ok(Self { spec, args, table: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The operation of that verb.
fn find<T: Operations>(verb: &str) -> Option<&'static OperationSpec> {
    T::TABLE.iter().find(|spec| spec.verb() == verb)
}

/// The verb alone, of operations that are named after what they are done to: `get` for `get-session`; and what is checked.
fn brief(spec: &OperationSpec) -> Option<&'static str> {
    let named = ["_session", "_sessions", "_state"].iter().find_map(|of| spec.name.strip_suffix(of));
    named.or_else(|| spec.name.strip_prefix("check_"))
}

/// A name as the command line writes it. A few words, for as long as the process lives: clap wants static ones.
fn dashed(name: &str) -> &'static str {
    name.replace('_', "-").leak()
}

/// The name of a field's value where it stands without its flag.
fn bare(field: &Field) -> &'static str {
    field.name.to_uppercase().leak()
}

/// A field of the table, as a flag. Values may begin with a dash: messages do.
fn flag(field: &Field) -> Arg {
    let arg = Arg::new(field.name).long(dashed(field.name)).required(field.required).action(ArgAction::Set);
    valued(arg, field).allow_hyphen_values(true)
}

/// What a field's value is to be.
fn valued(arg: Arg, field: &Field) -> Arg {
    match (field.name, field.kind) {
        // What a person types is relative to where they are.
        ("cwd", _) => arg
            .value_name("DIR")
            .value_parser(|word: &str| std::path::absolute(word).map(|path| json!(path)).map_err(|error| error.to_string())),
        (_, FieldKind::Integer) => arg.value_name("N").value_parser(|word: &str| read(word, "an integer", |n| n.is_i64() || n.is_u64())),
        (_, FieldKind::Number) => arg.value_name("N").value_parser(|word: &str| read(word, "a number", Value::is_number)),
        (_, FieldKind::Boolean) => arg
            .value_name("BOOL")
            .num_args(0..=1)
            .default_missing_value("true")
            .value_parser(|word: &str| read(word, "true or false", Value::is_boolean)),
        (_, FieldKind::Object) => arg.value_name("JSON").value_parser(|word: &str| read(word, "a JSON object", Value::is_object)),
        _ => arg.value_name("TEXT").value_parser(|word: &str| Ok::<_, String>(Value::from(word))),
    }
}

fn read(word: &str, wanted: &str, fits: fn(&Value) -> bool) -> Result<Value, String> {
    serde_json::from_str(word).ok().filter(fits).ok_or_else(|| format!("wanted {wanted}"))
}

/// Prints what an operation answered: a line of JSON. An error goes to the standard error.
pub(crate) fn answered(answer: Result<Value, ContractError>) -> std::process::ExitCode {
    match answer {
        Ok(result) => {
            super::print(&format!("{result}\n"));
            std::process::ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}", json!({ "error": { "code": error.code.name(), "message": error.message } }));
            std::process::ExitCode::FAILURE
        }
    }
}
