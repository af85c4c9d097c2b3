use serde_json::{Map, Value};

use super::error::{ContractError, ErrorCode};

/// An operation's arguments, or its result: JSON by field name.
pub type Args = Map<String, Value>;

/// The JSON type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// A string.
    Text,
    /// An integer, of either sign.
    Integer,
    /// A number of seconds or the like.
    Number,
    /// A boolean.
    Boolean,
    /// An object.
    Object,
    /// Anything at all: opaque to the caller.
    Any,
    /// An array of strings.
    Texts,
    /// An array of objects with these fields.
    Objects(&'static [Field]),
}

/// One argument or result field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The field's name.
    pub name: &'static str,
    /// Its type.
    pub kind: FieldKind,
    /// Whether it must be there.
    pub required: bool,
}

/// What the contract says of one operation.
#[derive(Debug)]
pub struct OperationSpec {
    /// The operation's name; also its RPC method and MCP tool, and with `-` for `_` its CLI verb.
    pub name: &'static str,
    /// Its arguments.
    pub args: &'static [Field],
    /// Its result's fields.
    pub result: &'static [Field],
    /// The errors it may give, besides `timeout` and `internal`.
    pub errors: &'static [ErrorCode],
    /// Whether a manager may leave it out.
    pub optional: bool,
    /// What it does, in a few words, as documents and help show it.
    pub about: &'static str,
}

/// The operations of one kind of system.
pub type OperationTable = &'static [OperationSpec];

/// A suite that a manifest can claim, and the operations that it stands for.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    /// The suite's name.
    pub name: &'static str,
    /// The operations that its scenarios call.
    pub operations: OperationTable,
}

/// Every table of operations. Those of two tables may share a name.
pub const OPERATIONS: &[OperationTable] = &[SESSION_OPERATIONS, STORE_OPERATIONS, SUPERVISION_OPERATIONS];

const fn must(name: &'static str, kind: FieldKind) -> Field {
    Field { name, kind, required: true }
}

const fn may(name: &'static str, kind: FieldKind) -> Field {
    Field { name, kind, required: false }
}

const SESSION: Field = must("session_id", FieldKind::Text);

/// The operations of a session manager.
pub const SESSION_OPERATIONS: OperationTable = &[
    OperationSpec {
        name: "start_session",
        args: &[
            must("agent", FieldKind::Text),
            must("cwd", FieldKind::Text),
            may("message", FieldKind::Text),
            may("title", FieldKind::Text),
            may("timeout_s", FieldKind::Number),
            may("request_id", FieldKind::Text),
        ],
        result: &[SESSION, may("timeout_s", FieldKind::Number)],
        errors: &[ErrorCode::UnknownAgent, ErrorCode::InvalidArgument, ErrorCode::AgentFailed],
        optional: false,
        about: "start an agent in a directory; returns while its first turn is open",
    },
    OperationSpec {
        name: "list_sessions",
        args: &[],
        result: &[must(
            "sessions",
            FieldKind::Objects(&[
                SESSION,
                may("agent", FieldKind::Text),
                may("status", FieldKind::Text),
                may("title", FieldKind::Text),
                may("request_id", FieldKind::Text),
                may("cwd", FieldKind::Text),
            ]),
        )],
        errors: &[],
        optional: false,
        about: "every session the manager knows",
    },
    OperationSpec {
        name: "get_session_data",
        args: &[SESSION, may("tail_chars", FieldKind::Integer)],
        result: &[must("text", FieldKind::Text), may("truncated", FieldKind::Boolean), may("pending", FieldKind::Boolean)],
        errors: &[ErrorCode::SessionNotFound, ErrorCode::SessionPending, ErrorCode::SessionEnded, ErrorCode::InvalidArgument],
        optional: false,
        about: "a session's transcript, or its end",
    },
    OperationSpec {
        name: "send_message",
        args: &[SESSION, must("message", FieldKind::Text)],
        result: &[],
        errors: &[ErrorCode::SessionNotFound, ErrorCode::SessionEnded, ErrorCode::InvalidArgument],
        optional: false,
        about: "give a session's agent a message",
    },
    OperationSpec {
        name: "end_session",
        args: &[SESSION],
        result: &[],
        errors: &[ErrorCode::SessionNotFound, ErrorCode::SessionEnded],
        optional: false,
        about: "end a session: its agent's process and everything under it",
    },
    OperationSpec {
        name: "wait_events",
        args: &[may("after", FieldKind::Any), may("timeout_s", FieldKind::Number)],
        result: &[must("events", FieldKind::Objects(&[must("event", FieldKind::Text), SESSION])), must("cursor", FieldKind::Any)],
        errors: &[],
        optional: true,
        about: "announcements after a cursor; waits for the first",
    },
    OperationSpec {
        name: "capture_screen",
        args: &[SESSION],
        result: &[must("text", FieldKind::Text)],
        errors: &[ErrorCode::SessionNotFound],
        optional: true,
        about: "what the agent's terminal shows",
    },
];

/// The operations of a store of resumable sessions. The last two are hooks: they take what a hook finds on
/// its standard input, and have no errors.
pub const STORE_OPERATIONS: OperationTable = &[
    OperationSpec {
        name: "create_session",
        args: &[
            must("agent_name", FieldKind::Text),
            must("purpose", FieldKind::Text),
            may("metadata", FieldKind::Object),
            may("session_id", FieldKind::Text),
        ],
        result: &[SESSION],
        errors: &[ErrorCode::InvalidArgument, ErrorCode::AlreadyExists],
        optional: false,
        about: "make a session's record, in phase `initializing`",
    },
    OperationSpec {
        name: "update_state",
        args: &[SESSION, may("phase", FieldKind::Text), may("metadata", FieldKind::Object), may("error", FieldKind::Text)],
        result: &[],
        errors: &[ErrorCode::SessionNotFound, ErrorCode::InvalidArgument, ErrorCode::SessionEnded],
        optional: false,
        about: "move a session to a phase, add to its metadata, note an error",
    },
    OperationSpec {
        name: "should_resume",
        args: &[SESSION],
        result: &[must("resume", FieldKind::Boolean), must("reason", FieldKind::Text)],
        errors: &[],
        optional: false,
        about: "whether a session is to be resumed, and why or why not",
    },
    OperationSpec {
        name: "get_session",
        args: &[SESSION],
        result: &[must("session", FieldKind::Object)],
        errors: &[ErrorCode::SessionNotFound],
        optional: false,
        about: "a session's record",
    },
    OperationSpec {
        name: "list_sessions",
        args: &[may("active_only", FieldKind::Boolean), may("agent_name", FieldKind::Text)],
        result: &[
            must(
                "sessions",
                FieldKind::Objects(&[
                    SESSION,
                    must("agent_name", FieldKind::Text),
                    must("phase", FieldKind::Text),
                    may("created_at", FieldKind::Text),
                ]),
            ),
            may("skipped", FieldKind::Objects(&[must("name", FieldKind::Text), may("reason", FieldKind::Text)])),
        ],
        errors: &[],
        optional: false,
        about: "the sessions, oldest first; what cannot be read is named apart",
    },
    OperationSpec {
        name: "finalize_session",
        args: &[SESSION, must("outcome", FieldKind::Text), may("summary", FieldKind::Text)],
        result: &[],
        errors: &[ErrorCode::SessionNotFound, ErrorCode::InvalidArgument, ErrorCode::SessionEnded],
        optional: false,
        about: "end a session for good: completed, failed or abandoned",
    },
    OperationSpec {
        name: "cleanup_sessions",
        args: &[must("hours", FieldKind::Number)],
        result: &[must("removed", FieldKind::Integer)],
        errors: &[ErrorCode::InvalidArgument],
        optional: false,
        about: "remove the sessions that nothing happened to for so many hours",
    },
    OperationSpec {
        name: "pre_delegate",
        args: &[must("input", FieldKind::Any)],
        result: &[
            must("should_resume", FieldKind::Boolean),
            must("reason", FieldKind::Text),
            may("agent_id", FieldKind::Text),
            may("resume_metadata", FieldKind::Object),
            may("original_context", FieldKind::Any),
        ],
        errors: &[],
        optional: true,
        about: "hook, before work is delegated: whether a session is to be resumed",
    },
    OperationSpec {
        name: "subagent_stop",
        args: &[must("input", FieldKind::Any)],
        result: &[must("finalized", FieldKind::Boolean), may("outcome", FieldKind::Text), may("reason", FieldKind::Text)],
        errors: &[],
        optional: true,
        about: "hook, after an agent has stopped: ends its session for good",
    },
];

const FILE: Field = must("file", FieldKind::Text);
const REVISION: Field = must("revision", FieldKind::Text);

/// What a list of session files shows of each.
const LISTED: FieldKind = FieldKind::Objects(&[
    FILE,
    must("title", FieldKind::Text),
    must("status", FieldKind::Text),
    must("created", FieldKind::Text),
    must("last_updated", FieldKind::Text),
    must("current_task", FieldKind::Text),
]);

/// The operations of a tool for Markdown session files. A `file` is a file's name.
pub const SESSION_FILE_OPERATIONS: OperationTable = &[
    OperationSpec {
        name: "create_session",
        args: &[
            must("title", FieldKind::Text),
            must("current_task", FieldKind::Text),
            may("description", FieldKind::Text),
            may("context", FieldKind::Text),
            may("linear_issue", FieldKind::Text),
            may("linear_url", FieldKind::Text),
        ],
        result: &[FILE],
        errors: &[ErrorCode::InvalidArgument],
        optional: false,
        about: "begin a session: its file, filled from the arguments",
    },
    OperationSpec {
        name: "list_sessions",
        args: &[may("active_only", FieldKind::Boolean)],
        result: &[
            must("sessions", LISTED),
            may("skipped", FieldKind::Objects(&[must("name", FieldKind::Text), may("reason", FieldKind::Text)])),
        ],
        errors: &[],
        optional: false,
        about: "the sessions, the last written first; what cannot be read is named apart",
    },
    OperationSpec {
        name: "read_session",
        args: &[FILE],
        result: &[must("session", FieldKind::Object), must("sections", FieldKind::Object), REVISION],
        errors: &[ErrorCode::SessionNotFound, ErrorCode::InvalidArgument],
        optional: false,
        about: "what a session's file holds",
    },
    OperationSpec {
        name: "update_session",
        args: &[
            FILE,
            may("status", FieldKind::Text),
            may("current_task", FieldKind::Text),
            may("sections", FieldKind::Object),
            may("spawned_agents", FieldKind::Objects(&[])),
            may("ticked", FieldKind::Texts),
            may("revision", FieldKind::Text),
        ],
        result: &[REVISION],
        errors: &[ErrorCode::SessionNotFound, ErrorCode::InvalidArgument, ErrorCode::Conflict],
        optional: false,
        about: "change what is named, and `last_updated`",
    },
    OperationSpec {
        name: "append_log",
        args: &[FILE, must("who", FieldKind::Text), must("text", FieldKind::Text)],
        result: &[REVISION],
        errors: &[ErrorCode::SessionNotFound, ErrorCode::InvalidArgument],
        optional: false,
        about: "add an entry to the session log",
    },
    OperationSpec {
        name: "hand_off",
        args: &[
            FILE,
            must("current_state", FieldKind::Text),
            must("next_steps", FieldKind::Text),
            may("files_modified", FieldKind::Texts),
            may("to", FieldKind::Text),
        ],
        result: &[REVISION],
        errors: &[ErrorCode::SessionNotFound, ErrorCode::InvalidArgument, ErrorCode::NotReady],
        optional: false,
        about: "hand a session off: its state, its next steps, an entry, who takes over",
    },
    OperationSpec {
        name: "complete_session",
        args: &[FILE],
        result: &[must("checklist", FieldKind::Objects(&[must("item", FieldKind::Text), must("state", FieldKind::Text)]))],
        errors: &[ErrorCode::SessionNotFound, ErrorCode::InvalidArgument, ErrorCode::NotReady],
        optional: false,
        about: "complete a session: what is to be done before its file is deleted",
    },
    OperationSpec {
        name: "delete_session",
        args: &[FILE, may("confirmed", FieldKind::Texts)],
        result: &[],
        errors: &[ErrorCode::SessionNotFound, ErrorCode::InvalidArgument, ErrorCode::NotReady],
        optional: false,
        about: "delete a completed session's file that nothing names",
    },
    OperationSpec {
        name: "start_protocol",
        args: &[may("choice", FieldKind::Text), may("title", FieldKind::Text), may("current_task", FieldKind::Text)],
        result: &[
            must("decision", FieldKind::Text),
            may("sessions", LISTED),
            may("file", FieldKind::Text),
            may("sections", FieldKind::Object),
        ],
        errors: &[ErrorCode::SessionNotFound, ErrorCode::InvalidArgument],
        optional: false,
        about: "begin work: ask which active session to resume, resume it, or begin afresh",
    },
];

const STATE: Field = must("state", FieldKind::Text);

/// The operations of a supervisor of agents in containers. Those that a session manager has, too, keep their names.
pub const SUPERVISION_OPERATIONS: OperationTable = &[
    OperationSpec {
        name: "start_session",
        args: &[
            must("agent", FieldKind::Text),
            must("cwd", FieldKind::Text),
            must("role", FieldKind::Text),
            must("branch", FieldKind::Text),
            may("message", FieldKind::Text),
            may("title", FieldKind::Text),
            may("timeout_s", FieldKind::Number),
            may("request_id", FieldKind::Text),
            may("auto_restart", FieldKind::Boolean),
            may("session_id", FieldKind::Text),
        ],
        result: &[SESSION, may("container_id", FieldKind::Text), may("timeout_s", FieldKind::Number)],
        errors: &[
            ErrorCode::UnknownAgent,
            ErrorCode::InvalidArgument,
            ErrorCode::AgentFailed,
            ErrorCode::AlreadyExists,
            ErrorCode::BranchMismatch,
            ErrorCode::EngineUnavailable,
        ],
        optional: false,
        about: "start an agent in a container of its own, on a branch",
    },
    OperationSpec {
        name: "list_sessions",
        args: &[],
        result: &[
            must(
                "sessions",
                FieldKind::Objects(&[
                    SESSION,
                    must("role", FieldKind::Text),
                    STATE,
                    may("health", FieldKind::Text),
                    may("container_id", FieldKind::Text),
                    must("branch", FieldKind::Text),
                    may("started_at", FieldKind::Text),
                ]),
            ),
            may("skipped", FieldKind::Objects(&[must("path", FieldKind::Text), may("reason", FieldKind::Text)])),
        ],
        errors: &[],
        optional: false,
        about: "every session of the registry; what cannot be read is named apart",
    },
    OperationSpec {
        name: "inspect_session",
        args: &[SESSION],
        result: &[must("session", FieldKind::Object)],
        errors: &[ErrorCode::SessionNotFound],
        optional: false,
        about: "a session's record",
    },
    OperationSpec {
        name: "get_session_data",
        args: &[SESSION, may("tail_chars", FieldKind::Integer)],
        result: &[must("text", FieldKind::Text), may("truncated", FieldKind::Boolean), may("pending", FieldKind::Boolean)],
        errors: &[
            ErrorCode::SessionNotFound,
            ErrorCode::SessionPending,
            ErrorCode::SessionEnded,
            ErrorCode::InvalidArgument,
            ErrorCode::SessionPaused,
        ],
        optional: false,
        about: "a session's transcript, over all of its containers, or its end",
    },
    OperationSpec {
        name: "send_message",
        args: &[SESSION, must("message", FieldKind::Text)],
        result: &[],
        errors: &[
            ErrorCode::SessionNotFound,
            ErrorCode::SessionEnded,
            ErrorCode::InvalidArgument,
            ErrorCode::SessionPaused,
            ErrorCode::BranchMismatch,
        ],
        optional: false,
        about: "give a session's agent a message",
    },
    OperationSpec {
        name: "pause_session",
        args: &[SESSION],
        result: &[STATE],
        errors: &[ErrorCode::SessionNotFound, ErrorCode::InvalidTransition, ErrorCode::EngineUnavailable],
        optional: false,
        about: "detach a session's input; its container and its agent go on",
    },
    OperationSpec {
        name: "resume_session",
        args: &[SESSION],
        result: &[STATE],
        errors: &[ErrorCode::SessionNotFound, ErrorCode::InvalidTransition, ErrorCode::EngineUnavailable, ErrorCode::BranchMismatch],
        optional: false,
        about: "attach a session's input again",
    },
    OperationSpec {
        name: "restart_session",
        args: &[SESSION],
        result: &[may("container_id", FieldKind::Text)],
        errors: &[ErrorCode::SessionNotFound, ErrorCode::BranchMismatch, ErrorCode::AgentFailed, ErrorCode::EngineUnavailable],
        optional: false,
        about: "stop a session's agent and start a new one, in a new container, in the same workspace",
    },
    OperationSpec {
        name: "stop_session",
        args: &[SESSION, may("grace_s", FieldKind::Number)],
        result: &[],
        errors: &[ErrorCode::SessionNotFound, ErrorCode::InvalidArgument, ErrorCode::EngineUnavailable],
        optional: false,
        about: "end the agent, then its container; stopped until `restart_session`",
    },
    OperationSpec {
        name: "set_auto_restart",
        args: &[SESSION, must("on", FieldKind::Boolean)],
        result: &[],
        errors: &[ErrorCode::SessionNotFound],
        optional: false,
        about: "whether a session is started again by itself after an end that nobody asked for",
    },
    OperationSpec {
        name: "check_health",
        args: &[may("session_id", FieldKind::Text)],
        result: &[must(
            "checks",
            FieldKind::Objects(&[
                SESSION,
                must("healthy", FieldKind::Boolean),
                must("failures", FieldKind::Integer),
                may("reason", FieldKind::Text),
            ]),
        )],
        errors: &[ErrorCode::SessionNotFound, ErrorCode::EngineUnavailable],
        optional: true,
        about: "look at once: is each session's agent alive, and does it answer?",
    },
    OperationSpec {
        name: "wait_events",
        args: &[may("after", FieldKind::Any), may("timeout_s", FieldKind::Number)],
        result: &[must("events", FieldKind::Objects(&[must("event", FieldKind::Text), SESSION])), must("cursor", FieldKind::Any)],
        errors: &[],
        optional: true,
        about: "announcements after a cursor; waits for the first",
    },
];

impl OperationSpec {
    /// The operation of that name in a table.
    pub fn find(table: OperationTable, name: &str) -> Option<&'static OperationSpec> {
        table.iter().find(|operation| operation.name == name)
    }

    /// The CLI verb: the name with `-` for `_`.
    pub fn verb(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Checks arguments as a manager must: absent equals null, a wrong type is `invalid_argument`, unknown extra
    /// arguments are ignored. Returns the known, present ones.
    ///
    /// # Errors
    /// `invalid_argument`, naming the argument, the type found and the type wanted.
    pub fn accept(&self, args: &Args) -> Result<Args, ContractError> {
        check(self.args, args).map_err(|why| ContractError::new(ErrorCode::InvalidArgument, why))
    }

    /// Checks a result as the harness must. Unknown extra fields are kept.
    ///
    /// # Errors
    /// Says which field is missing or of the wrong type.
    pub fn conforms(&self, result: &Args) -> Result<(), String> {
        check(self.result, result).map(|_| ())
    }
}

fn check(fields: &[Field], given: &Args) -> Result<Args, String> {
    let mut known = Args::new();
    for field in fields {
        match given.get(field.name) {
            None | Some(Value::Null) if field.required => return Err(format!("`{}` is missing", field.name)),
            None | Some(Value::Null) => {}
            Some(value) => {
                fits(field.kind, value).map_err(|why| format!("`{}` {why}", field.name))?;
                known.insert(field.name.to_owned(), value.clone());
            }
        }
    }
    Ok(known)
}

fn fits(kind: FieldKind, value: &Value) -> Result<(), String> {
    let (right, wanted) = match kind {
        FieldKind::Text => (value.is_string(), "a string"),
        FieldKind::Integer => (value.is_i64() || value.is_u64(), "an integer"),
        FieldKind::Number => (value.is_number(), "a number"),
        FieldKind::Boolean => (value.is_boolean(), "a boolean"),
        FieldKind::Object => (value.is_object(), "an object"),
        FieldKind::Any => (true, ""),
        FieldKind::Texts => (value.as_array().is_some_and(|items| items.iter().all(Value::is_string)), "an array of strings"),
        FieldKind::Objects(fields) => match value {
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    let Value::Object(item) = item else {
                        return Err(format!("[{at}] is {}, wanted an object", type_name(item)));
                    };
                    check(fields, item).map_err(|why| format!("[{at}]: {why}"))?;
                }
                (true, "")
            }
            _ => (false, "an array of objects"),
        },
    };
    if right { Ok(()) } else { Err(format!("is {}, wanted {wanted}", type_name(value))) }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Args {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn absent_and_null_are_the_same_and_extras_are_ignored() {
        let start = OperationSpec::find(SESSION_OPERATIONS, "start_session").unwrap();
        let args = start.accept(&object(json!({"agent":"codex","cwd":"/w","message":null,"colour":"red"}))).unwrap();
        assert_eq!(Value::Object(args), json!({"agent":"codex","cwd":"/w"}));
    }

    #[test]
    fn a_wrong_type_is_an_invalid_argument() {
        let get = OperationSpec::find(SESSION_OPERATIONS, "get_session_data").unwrap();
        let error = get.accept(&object(json!({"session_id":"s","tail_chars":"9"}))).unwrap_err();
        assert_eq!(error, ContractError::new(ErrorCode::InvalidArgument, "`tail_chars` is a string, wanted an integer"));
    }

    #[test]
    fn a_list_is_checked_item_by_item() {
        let list = OperationSpec::find(SESSION_OPERATIONS, "list_sessions").unwrap();
        let why = list.conforms(&object(json!({"sessions":[{"session_id":"a"},{"id":"b"}]}))).unwrap_err();
        assert_eq!(why, "`sessions` [1]: `session_id` is missing");
    }
}
