//! OR-7: an unanswered start is settled.

use super::{Occurrence, RuleOutcome};

/// OR-7: an unanswered start is settled.
pub(crate) fn settled(occurrence: &Occurrence) -> RuleOutcome {
    match occurrence {
        Occurrence::StartAsked { unsettled: Some(first), request, at, .. } => {
            let is_repetition = first.request.is_some() && first.request.as_deref() == *request;
            if is_repetition || first.looked {
                return RuleOutcome::Held;
            }
            let named = match (&first.request, request) {
                (None, _) => "the first had no request_id to repeat".to_owned(),
                (Some(first), None) => format!("the first had the request_id {first}, this one has none"),
                (Some(first), Some(second)) => format!("the first had the request_id {first}, this one has {second}"),
            };
            RuleOutcome::broken_of("OR-7", "", "a second worker is started beside one that may be running".to_owned())
                .did(format!("start_session for the same work: {named}"))
                .known("nobody knows what came of the first, and nobody looked in the list")
                .shown_by([first.asked, first.failed, *at])
        }
        Occurrence::StartLeft { start, at } if !start.looked => {
            let agent = start.agent.map_or_else(|| "an agent".to_owned(), |agent| agent.to_string());
            let place = start.cwd.as_deref().unwrap_or("somewhere");
            RuleOutcome::broken_of("OR-7", "", format!("an unanswered start of {agent} in {place} is never settled"))
                .did("neither the same request again nor a look in the list")
                .known("an agent may have been started")
                .shown_by([start.asked, start.failed, *at])
        }
        Occurrence::StartFound | Occurrence::StartLeft { .. } => RuleOutcome::Held,
        _ => RuleOutcome::NotApplicable,
    }
}
