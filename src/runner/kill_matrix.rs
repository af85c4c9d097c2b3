//! The proof that the harness can fail: the suites, run on each named fault, must fail on what it breaks, and on nothing else.

use std::collections::BTreeSet;

use crate::profile::Profiles;
use crate::reference::fault::FaultSpec;
use crate::reference::{FAULTS, Fault};
use crate::results::model::Verdict;
use crate::spec::RequirementId;

use super::features::FeatureError;
use super::{Options, Reference, Subject, prepare, run};

/// What the suites found of one fault.
#[derive(Debug)]
pub struct Kill {
    /// The fault.
    pub fault: &'static FaultSpec,
    /// What it breaks that nothing found.
    pub survived: Vec<RequirementId>,
    /// What was found that it neither breaks nor may break.
    pub wrong: Vec<RequirementId>,
    /// Everything that was found.
    pub found: BTreeSet<RequirementId>,
}

impl Kill {
    /// Whether exactly the right requirements failed.
    pub fn is_exact(&self) -> bool {
        self.survived.is_empty() && self.wrong.is_empty()
    }
}

/// Runs the suites on the faults named (none: on every one), in memory.
///
/// # Errors
/// What is wrong with the features.
pub fn kill_matrix(only: &[Fault], profiles: &Profiles, options: &Options) -> Result<Vec<Kill>, Vec<FeatureError>> {
    FAULTS
        .iter()
        .filter(|fault| only.is_empty() || only.contains(&fault.fault))
        .map(|fault| {
            let subject = Subject::Reference(Reference { faults: [fault.fault].into_iter().collect() });
            let planned = prepare(&subject, options)?;
            let report = run(&subject, planned, profiles, options, &mut |_| {}).report;
            let found: BTreeSet<RequirementId> = report
                .requirements
                .into_iter()
                .filter(|requirement| matches!(requirement.verdict, Verdict::Failed | Verdict::Warned))
                .map(|requirement| requirement.id)
                .collect();
            let ids = |ids: &[&str]| ids.iter().map(|id| id.parse().expect("the catalogue is tested")).collect::<BTreeSet<RequirementId>>();
            let (breaks, also) = (ids(fault.breaks), ids(fault.side_effects));
            Ok(Kill {
                fault,
                survived: breaks.difference(&found).cloned().collect(),
                wrong: found.iter().filter(|id| !breaks.contains(*id) && !also.contains(*id)).cloned().collect(),
                found,
            })
        })
        .collect()
}
