//! The store of resumable sessions: what it forgets, resumes, lists and leaves lying about. RS-*.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::contract::SessionPhase;
use crate::engine::fault;
use crate::suites::store::behavior::{
    CONDITIONS, Condition, Existing, Odd, Reason, Rubbish, StoreBehavior, StoreRecord, check_id, enter, finish, idle, is_meant, note_error,
    redact, remember, told,
};

/// A named defect of the reference store.
pub(crate) type StoreFault = fault::Fault<StoreBehavior>;

/// The fault of that name.
///
/// # Errors
/// Names the nearest one.
pub(crate) fn named(name: &str) -> Result<&'static StoreFault, String> {
    fault::named(FAULTS.iter(), "a store", name)
}

/// A row of the table: name, title, what it breaks, what it changes.
const fn fault(name: &'static str, title: &'static str, breaks: &'static [&'static str], change: fn(&mut StoreBehavior)) -> StoreFault {
    StoreFault::new(name, title, breaks, change)
}

/// What shows only where a session that waits for approval is resumed.
const APPROVALS: &[&str] =
    &["RS-HOOK-1", "RS-HOOK-2", "RS-RESUME-3", "RS-RESUME-4", "RS-RESUME-5", "RS-RESUME-6", "RS-RESUME-7", "RS-DUR-5"];

/// The conditions without one.
macro_rules! without {
    ($reason:ident) => {{
        const WITHOUT: &[Condition] = &{
            let mut kept = [CONDITIONS[0]; CONDITIONS.len() - 1];
            let (mut from, mut to) = (0, 0);
            while from < CONDITIONS.len() {
                if CONDITIONS[from].0 as u8 != Reason::$reason as u8 {
                    kept[to] = CONDITIONS[from];
                    to += 1;
                }
                from += 1;
            }
            kept
        };
        WITHOUT
    }};
}

/// The conditions with one of them decided otherwise.
macro_rules! with {
    ($reason:ident, $applies:expr) => {{
        const WITH: &[Condition] = &{
            let mut all = [CONDITIONS[0]; CONDITIONS.len()];
            let mut at = 0;
            while at < CONDITIONS.len() {
                all[at] = CONDITIONS[at];
                if CONDITIONS[at].0 as u8 == Reason::$reason as u8 {
                    all[at].1 = $applies;
                }
                at += 1;
            }
            all
        };
        WITH
    }};
}

/// Every fault, in the order of the requirements that they break.
pub(crate) const FAULTS: &[StoreFault] = &[
    // ---- creation
    fault("recreate-wipes", "begins a session anew that is there already", &["RS-CREATE-3"], |s| s.existing = Existing::Wipe)
        .seen("seed 003: `create_session` writes whatever is there"),
    fault("recreate-succeeds", "says of a session that is there that it was created", &["RS-CREATE-3"], |s| s.existing = Existing::Keep),
    fault("ids-by-the-second", "gives the same id to all who create in one second", &["RS-CREATE-2"], |s| {
        s.new_id = |now| format!("agent-{}", now.strftime("%Y%m%d-%H%M%S"));
        s.existing = Existing::Keep;
    })
    .also(&["RS-CREATE-3", "RS-CLEAN-2", "RS-CLEAN-4", "RS-CLEAN-1"])
    .seen("ids of a timestamp alone"),
    fault("ids-are-paths", "takes any id for a path", &["RS-CREATE-4"], |s| s.check_id = |_| Ok(()))
        .also(&["RS-HOOK-4"])
        .seen("a session id that came from a model's output"),
    fault("hidden-ids", "takes ids that begin with a dot", &["RS-CREATE-4"], |s| {
        s.check_id = |id| if id.starts_with('.') && !id.contains('/') { Ok(()) } else { check_id(id) };
    }),
    fault("endless-ids", "takes ids of any length", &["RS-CREATE-4"], |s| {
        s.check_id = |id| check_id(&id.chars().take(128).collect::<String>());
    }),
    fault("begins-at-work", "creates sessions in phase `investigating`", &["RS-CREATE-1"], |s| {
        s.fresh = |record| record.phase = SessionPhase::Investigating;
    })
    .also(&["RS-PHASE-1", "RS-PHASE-2", "RS-FINAL-2", "RS-RESUME-7", "RS-DUR-3"]),
    fault("begins-ready", "creates sessions that are `resume_ready`", &["RS-CREATE-1"], |s| s.fresh = |record| record.resume_ready = true),
    fault("forgets-what-was-given", "creates sessions without their metadata", &["RS-CREATE-1"], |s| {
        s.fresh = |record| record.metadata.clear()
    })
    .also(&["RS-META-1", "RS-META-2", "RS-SEC-1", "RS-HOOK-1", "RS-HOOK-2"]),
    // ---- phases
    fault("any-phase", "takes a phase that nobody knows for `initializing`", &["RS-PHASE-1"], |s| {
        s.phase = |word| SessionPhase::from_name(word).or(Some(SessionPhase::Initializing));
    })
    .also(&["RS-PHASE-3"])
    .seen("string columns without a check"),
    fault("careless-case", "takes phases in any case", &["RS-PHASE-1"], |s| s.phase = |word| SessionPhase::from_name(&word.to_lowercase())),
    fault("half-an-update", "notes what came with a phase that it refuses", &["RS-PHASE-3"], |s| s.refuses_first = false)
        .seen("metadata merged before the phase is looked at"),
    fault("forgets-history", "keeps the last change alone", &["RS-PHASE-2"], |s| {
        s.remember = |record, to, now| {
            record.history.clear();
            remember(record, to, now);
        };
    })
    .also(&["RS-DUR-1", "RS-HOOK-1"]),
    fault("history-backwards", "puts the newest change first", &["RS-PHASE-2"], |s| {
        s.remember = |record, to, now| {
            remember(record, to, now);
            record.history.rotate_right(1);
        };
    })
    .also(&["RS-HOOK-1"]),
    fault("history-of-changes-alone", "does not note a phase that it is in already", &["RS-PHASE-2"], |s| {
        s.remember = |record, to, now| {
            if record.phase != to {
                remember(record, to, now);
            }
        };
    })
    .also(&["RS-DUR-1"]),
    fault("wrong-origin", "notes the new phase as the one before", &["RS-PHASE-2"], |s| {
        s.remember = |record, to, now| record.history.push(json!({ "from_phase": to, "to_phase": to, "timestamp": now }));
    })
    .also(&["RS-RESUME-7", "RS-DUR-3"]),
    fault("reopens", "updates a session that is over", &["RS-PHASE-4"], |s| s.is_over = |_| false)
        .seen("seed 003: a late hook reopens a finalized session"),
    fault("second-outcome", "finalizes a session that is over once more", &["RS-PHASE-4"], |s| s.is_finalized = |_| false),
    fault("over-and-not-ended", "moves to a final phase without finalizing", &["RS-PHASE-5"], |s| s.finishes = |_| false),
    fault("stays-ready", "leaves a session ready that goes on to execute", &["RS-PHASE-6"], |s| {
        s.enter = |record, phase| {
            let was_ready = record.resume_ready;
            enter(record, phase);
            record.resume_ready |= was_ready;
        };
    })
    .also(&["RS-RESUME-3", "RS-HOOK-1"])
    .seen("a flag that is set and never cleared"),
    fault("ready-at-approval-alone", "is ready at an approval and in no other phase", &["RS-PHASE-6", "RS-RESUME-1"], |s| {
        s.enter = |record, phase| {
            enter(record, phase);
            record.resume_ready = phase == SessionPhase::Approval;
        };
    }),
    fault("forgets-approvals", "is ready in every phase that can be resumed but an approval", &["RS-PHASE-6", "RS-RESUME-1"], |s| {
        s.enter = |record, phase| {
            enter(record, phase);
            record.resume_ready &= phase != SessionPhase::Approval;
        };
    })
    .also(APPROVALS),
    fault("updates-nobody", "says that it updated a session that it does not know", &["RS-PHASE-3"], |s| s.unknown_update = |_| Ok(())),
    // ---- metadata
    fault("replaces-metadata", "replaces all metadata with what an update names", &["RS-META-1"], |s| {
        s.merge = |known, given| {
            if !given.is_empty() {
                *known = given;
            }
        };
    })
    .also(&["RS-META-2", "RS-HOOK-1", "RS-DUR-1"])
    .seen("`state.metadata = metadata`"),
    fault("merges-deeply", "merges objects in metadata into one another", &["RS-META-1"], |s| {
        s.merge = |known, given| {
            for (key, value) in given {
                match (known.get_mut(&key), value) {
                    (Some(Value::Object(old)), Value::Object(new)) => old.extend(new),
                    (_, value) => drop(known.insert(key, value)),
                }
            }
        };
    }),
    fault("null-removes", "takes null for the removal of a key", &["RS-META-1", "RS-META-2"], |s| {
        s.merge = |known, given| {
            for (key, value) in given {
                if value.is_null() { drop(known.shift_remove(&key)) } else { drop(known.insert(key, value)) }
            }
        };
    }),
    fault("texts-alone", "keeps metadata as texts", &["RS-META-2"], |s| {
        s.merge = |known, given| {
            let text = |value: Value| if value.is_string() { value } else { value.to_string().into() };
            known.extend(given.into_iter().map(|(key, value)| (key, text(value))));
        };
    })
    .also(&["RS-META-1", "RS-DUR-5"]),
    fault("counts-in-floats", "keeps numbers as floating-point ones", &["RS-META-2"], |s| {
        s.merge = |known, given| {
            let float = |value: Value| value.as_f64().map_or(value, Value::from);
            known.extend(given.into_iter().map(|(key, value)| (key, float(value))));
        };
    }),
    fault("reads-texts", "takes texts for the JSON that they look like", &["RS-META-2"], |s| {
        s.merge = |known, given| {
            let read = |value: Value| value.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(value);
            known.extend(given.into_iter().map(|(key, value)| (key, read(value))));
        };
    })
    .seen("YAML and query strings: `7` is a number, whoever wrote it"),
    fault("empty-is-null", "keeps what is empty as null", &["RS-META-2"], |s| {
        s.merge = |known, given| {
            let is_empty = |value: &Value| *value == json!("") || *value == json!([]) || *value == json!({});
            known.extend(given.into_iter().map(|(key, value)| if is_empty(&value) { (key, Value::Null) } else { (key, value) }));
        };
    }),
    fault("one-line-texts", "keeps texts on one line", &["RS-META-2"], |s| {
        s.merge = |known, given| {
            let line = |value: Value| value.as_str().map(|text| text.replace('\n', " ").into()).unwrap_or(value);
            known.extend(given.into_iter().map(|(key, value)| (key, line(value))));
        };
    }),
    fault("ascii-alone", "puts question marks for letters that are not ASCII", &["RS-META-2"], |s| {
        s.merge = |known, given| {
            let plain = |text: &str| text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect::<String>();
            let kept = |value: Value| value.as_str().map(|text| plain(text).into()).unwrap_or(value);
            known.extend(given.into_iter().map(|(key, value)| (key, kept(value))));
        };
    }),
    fault("errors-uncounted", "keeps an error and does not count it", &["RS-ERR-1", "RS-RESUME-5"], |s| {
        s.note_error = |record, error| record.last_error = Some(error.to_owned());
    }),
    fault("first-error-kept", "keeps the first error instead of the last", &["RS-ERR-1"], |s| {
        s.note_error = |record, error| {
            let first = record.last_error.clone();
            note_error(record, error);
            record.last_error = first.or(record.last_error.take());
        };
    }),
    fault("phases-forgive", "counts errors anew in every phase", &["RS-ERR-1"], |s| {
        s.enter = |record, phase| {
            enter(record, phase);
            record.error_count = 0;
        };
    })
    .seen("retry counters that a state change resets"),
    // ---- secrets
    fault("stores-secrets", "stores metadata as it comes", &["RS-SEC-1"], |s| s.redact = |metadata| metadata)
        .seen("seed 003: no sanitising"),
    fault("secrets-below", "redacts at the top level alone", &["RS-SEC-1"], |s| {
        s.redact = |metadata| {
            let names: Vec<String> = metadata.keys().cloned().collect();
            let all = redact(metadata.clone());
            names
                .into_iter()
                .map(|name| (name.clone(), if metadata[&name].is_object() { &metadata } else { &all }[&name].clone()))
                .collect()
        };
    }),
    fault("redacts-by-syllable", "redacts whatever has `key` or `token` in its name", &["RS-SEC-1"], |s| {
        s.redact = |metadata| {
            let is_odd = |key: &str| key.contains("key") || key.contains("token");
            redact(metadata).into_iter().map(|(key, value)| if is_odd(&key) { (key, "[redacted]".into()) } else { (key, value) }).collect()
        };
    }),
    // ---- the decision
    fault("half-an-hour-inclusive", "resumes after exactly thirty minutes", &["RS-RESUME-4"], |s| {
        s.conditions = with!(Timeout, |record, limits, now| idle(record.last_updated, now) > limits.idle);
    })
    .seen("`>` where `>=` was meant"),
    fault("resumes-for-ever", "does not look at the time", &["RS-RESUME-4"], |s| s.conditions = without!(Timeout))
        .also(&["RS-RESUME-3", "RS-RESUME-7"]),
    fault("impatient", "gives a session up after 29 minutes", &["RS-RESUME-4"], |s| {
        s.conditions = with!(Timeout, |record, _, now| idle(record.last_updated, now) >= Duration::from_secs(29 * 60));
    }),
    fault("idle-since-creation", "counts the minutes since the session was created", &["RS-RESUME-4"], |s| {
        s.conditions = with!(Timeout, |record, limits, now| idle(record.created_at, now) >= limits.idle);
    }),
    fault("three-errors-allowed", "resumes with three errors", &["RS-RESUME-5"], |s| {
        s.conditions = with!(TooManyErrors, |record, limits, _| record.error_count > limits.errors);
    }),
    fault("two-errors-too-many", "does not resume with two errors", &["RS-RESUME-5"], |s| {
        s.conditions = with!(TooManyErrors, |record, limits, _| record.error_count + 1 >= limits.errors);
    }),
    fault("errors-do-not-matter", "resumes whatever failed", &["RS-RESUME-5"], |s| s.conditions = without!(TooManyErrors)),
    fault("future-resumes", "resumes what was last active in the future", &["RS-RESUME-6"], |s| s.conditions = without!(ClockSkew))
        .seen("`now - last_updated < limit` with a negative difference"),
    fault("no-clock-differs", "does not resume what lies a moment ahead", &["RS-RESUME-6"], |s| {
        s.conditions = with!(ClockSkew, |record, _, now| record.last_updated > now);
    })
    .also(&["RS-DUR-5"]),
    fault("readiness-ignored", "does not look at `resume_ready`", &["RS-RESUME-2"], |s| s.conditions = without!(NotReady))
        .also(&["RS-RESUME-3", "RS-HOOK-1"]),
    fault("phase-ignored", "trusts `resume_ready`, whatever the phase is", &["RS-RESUME-2"], |s| {
        s.conditions = without!(PhaseNotResumable)
    })
    .also(&["RS-RESUME-3"]),
    fault("finished-resumes", "knows no reason `finalized`", &["RS-FINAL-3"], |s| s.conditions = without!(Finalized))
        .also(&["RS-RESUME-3"]),
    fault("reasons-unordered", "looks at the time before anything else", &["RS-RESUME-3"], |s| {
        const REVERSED: &[Condition] = &[CONDITIONS[5], CONDITIONS[4], CONDITIONS[3], CONDITIONS[2], CONDITIONS[1], CONDITIONS[0]];
        s.conditions = REVERSED;
    })
    .also(&["RS-FINAL-3", "RS-HOOK-1"]),
    fault("decision-touches", "counts a decision as an activity", &["RS-RESUME-7"], |s| s.decided = Some(|_, _| {}))
        .seen("`last_updated` set by every save"),
    fault("decision-clears", "takes a session's readiness when it decides to resume it", &["RS-RESUME-7"], |s| {
        s.decided = Some(|record, _| record.resume_ready = false);
    })
    .also(&["RS-RESUME-1"]),
    fault("corrupt-is-an-error", "fails on a corrupt record where it is to decide", &["RS-RESUME-8"], |s| s.decides_on_corrupt = false)
        .also(&["RS-HOOK-4"])
        .seen("json.JSONDecodeError out of a hook"),
    fault("unknown-is-an-error", "fails on a session that it does not know where it is to decide", &["RS-RESUME-2"], |s| {
        s.decides_on_unknown = false;
    })
    .also(&["RS-RESUME-3"]),
    // ---- the end
    fault("any-outcome", "takes any phase for an outcome", &["RS-FINAL-2"], |s| s.outcome = SessionPhase::from_name),
    fault("careless-outcomes", "takes outcomes in any case", &["RS-FINAL-2"], |s| {
        s.outcome = |word| SessionPhase::from_name(&word.to_lowercase()).filter(|phase| phase.is_final());
    }),
    fault("anything-completes", "takes an outcome that nobody knows for `completed`", &["RS-FINAL-2"], |s| {
        s.outcome = |word| SessionPhase::from_name(word).filter(|phase| phase.is_final()).or(Some(SessionPhase::Completed));
    }),
    fault("no-summary-is-empty", "keeps an empty summary where there is none", &["RS-FINAL-1"], |s| {
        s.finish = |record, outcome, summary, now| finish(record, outcome, summary.or(Some("")), now);
    }),
    fault("duration-since-activity", "counts the duration from the last activity", &["RS-FINAL-1", "RS-PHASE-5"], |s| {
        s.finish = |record, outcome, summary, now| {
            let since = record.last_updated;
            finish(record, outcome, summary, now);
            record.duration_seconds = serde_json::Number::from_f64(idle(since, now).as_secs_f64());
        };
    }),
    fault("loses-the-summary", "does not keep the summary", &["RS-FINAL-1", "RS-HOOK-3"], |s| {
        s.finish = |record, outcome, _, now| finish(record, outcome, None, now);
    }),
    fault("over-and-ready", "leaves `resume_ready` set at the end", &["RS-FINAL-1", "RS-PHASE-5"], |s| {
        s.finish = |record, outcome, summary, now| {
            let was_ready = record.resume_ready;
            finish(record, outcome, summary, now);
            record.resume_ready = was_ready;
        };
    }),
    fault("end-without-history", "does not note the end in the history", &["RS-PHASE-2"], |s| {
        s.finish = |record, outcome, summary, now| {
            finish(record, outcome, summary, now);
            record.history.pop();
        };
    }),
    // ---- lists
    fault("one-spoils-all", "cannot list anything where one record is corrupt", &["RS-LIST-3"], |s| s.odd = Odd::Fail)
        .seen("seed 003's kind: one json.load in a loop without a try"),
    fault("lists-rubbish", "lists whatever lies in the root", &["RS-LIST-3"], |s| s.odd = Odd::Show),
    fault("failed-is-active", "takes failed sessions for active ones", &["RS-LIST-1"], |s| {
        s.is_active = |record| record.phase != SessionPhase::Completed;
    }),
    fault("ready-alone-is-active", "lists as active those alone that could be resumed", &["RS-LIST-1"], |s| {
        s.is_active = |record| record.resume_ready
    }),
    fault("agents-by-prefix", "lists the sessions of every agent whose name begins alike", &["RS-LIST-2"], |s| {
        s.is_of_agent = |record, agent| record.agent_name.starts_with(agent);
    })
    .seen("`ls | grep agent`"),
    fault("agents-in-any-case", "does not tell `Deploy` from `deploy`", &["RS-LIST-2"], |s| {
        s.is_of_agent = |record, agent| record.agent_name.eq_ignore_ascii_case(agent);
    }),
    fault("by-last-activity", "lists in the order of the last activity", &["RS-LIST-4"], |s| {
        s.order = |record| (record.last_updated, record.agent_id.clone());
    })
    .also(&["RS-LIST-1", "RS-HOOK-2"]),
    // ---- clean-up
    fault("cleans-by-birth", "removes what was created long ago, at work or not", &["RS-CLEAN-1", "RS-CLEAN-2"], |s| {
        s.cleaning.since = |record| record.created_at;
    })
    .seen("cleanup by the id's timestamp"),
    fault("active-stays-for-ever", "never removes a session that is not over", &["RS-CLEAN-1", "RS-CLEAN-2"], |s| {
        s.cleaning.since = |record| if record.phase.is_final() { record.last_updated } else { Timestamp::MAX };
    })
    .seen("sessions whose agent was killed pile up"),
    fault("cleans-by-minutes", "takes hours for minutes", &["RS-CLEAN-1", "RS-CLEAN-2"], |s| {
        s.cleaning.age = |hours| Duration::try_from_secs_f64(hours * 60.0).ok();
    })
    .also(&["RS-CLEAN-4"]),
    fault("any-hours", "takes negative hours for none", &["RS-CLEAN-5"], |s| {
        s.cleaning.age = |hours| Duration::try_from_secs_f64(hours.max(0.0) * 3_600.0).ok();
    }),
    fault("counts-what-it-saw", "counts what it looked at", &["RS-CLEAN-2"], |s| s.cleaning.count = |cleaned| cleaned.seen),
    fault("follows-links", "empties the folder that a link leads to", &["RS-CLEAN-3"], |s| s.cleaning.follows_links = true)
        .seen("shutil.rmtree on an unchecked entry"),
    fault("rubbish-stays", "never removes a corrupt record", &["RS-CLEAN-4"], |s| s.cleaning.rubbish = Rubbish::Stays),
    fault("rubbish-goes", "removes a corrupt record at once", &["RS-CLEAN-4"], |s| s.cleaning.rubbish = Rubbish::Goes),
    // ---- durability
    fault("loses-updates", "reads, changes and writes without a lock", &["RS-DUR-1"], |s| s.locks = false)
        .also(&["RS-DUR-2"])
        .seen("seed 003's original: 694 of 800 concurrent updates were lost"),
    fault("overwrites", "writes a record where it lies", &["RS-DUR-2", "RS-DUR-3"], |s| s.writing.whole = false)
        .also(&["RS-DUR-1"])
        .seen("`open(path, 'w')`, then a kill"),
    fault("everybody-may-read", "writes records that everybody may read", &["RS-DUR-4"], |s| s.writing.mode = 0o644)
        .seen("the umask's defaults"),
    fault("its-own-fields-alone", "drops the fields of other tools", &["RS-DUR-5"], |s| s.kept = |record| record.other.clear())
        .seen("a record through a struct without its unknown fields"),
    // ---- hooks
    fault("hooks-fail", "fails in a hook that cannot do what it is for", &["RS-HOOK-4"], |s| s.hooks.fail = true)
        .also(&["RS-HOOK-2", "RS-RESUME-8"])
        .seen("sys.exit(1) in a hook"),
    fault("any-status-completes", "takes every exit status for success", &["RS-HOOK-3"], |s| s.hooks.outcome = |_| SessionPhase::Completed),
    fault("no-status-fails", "takes an absent exit status for a failure", &["RS-HOOK-3"], |s| {
        s.hooks.outcome = |code| if *code == 0 { SessionPhase::Completed } else { SessionPhase::Failed };
    }),
    fault("hook-without-summary", "does not keep what a stopped agent says in the end", &["RS-HOOK-3"], |s| s.hooks.summary = |_| None),
    fault("any-task", "resumes any session of the agent, of whatever task", &["RS-HOOK-2"], |s| {
        s.hooks.is_meant = |record, input| input.get("agent_name").is_some_and(|agent| *agent == *record.agent_name);
    }),
    fault("any-agent", "resumes any session of the task, of whatever agent", &["RS-HOOK-2"], |s| {
        s.hooks.is_meant = |record, input| {
            let mut input = input.clone();
            input.insert("agent_name".to_owned(), record.agent_name.clone().into());
            is_meant(record, &input)
        };
    }),
    fault("oldest-resumed", "resumes the oldest session of a task", &["RS-HOOK-2"], |s| s.hooks.newest = false),
    fault("newest-or-nothing", "takes the newest session of a task, whether it can be resumed or not", &["RS-HOOK-2"], |s| {
        s.hooks.resumable_alone = false;
    }),
    fault("tells-nothing", "resumes without the session's history", &["RS-HOOK-1"], |s| {
        s.hooks.told = |record: &StoreRecord| {
            let mut known = told(record);
            known["history"] = json!([]);
            known
        };
    }),
    fault("context-lost", "does not give the delegation's own input back", &["RS-HOOK-1"], |s| s.hooks.context = |_| Value::Null),
];
