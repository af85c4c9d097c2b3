//! How a store does: how many sessions, how often they are resumed, how long they take; each figure against its target.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::audit::{AuditEntry, Happened};
use super::finishing::seconds_between;
use super::record::StoreRecord;
use super::store::{Store, StoreError};
use crate::contract::SessionPhase;

/// A figure and what it is to be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// What is measured.
    pub name: &'static str,
    /// The value; none where there is nothing to measure.
    pub value: Option<f64>,
    /// Its unit.
    pub unit: &'static str,
    /// What it is to be.
    pub target: String,
    /// Whether it is.
    pub met: Option<bool>,
}

/// The figures of a store.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stats {
    /// How many sessions there are.
    pub sessions: usize,
    /// How many of them are not over.
    pub active: usize,
    /// What could not be read.
    pub skipped: usize,
    /// Sessions by agent.
    pub by_agent: BTreeMap<String, usize>,
    /// Sessions by phase.
    pub by_phase: BTreeMap<SessionPhase, usize>,
    /// The figures that have a target.
    pub figures: Vec<Figure>,
}

/// A target.
#[derive(Clone, Copy)]
enum FigureTarget {
    Over(f64),
    Under(f64),
}

impl Store {
    /// The store's figures: of the records that are there, and of what the audit log tells of those that were.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn stats(&self) -> Result<Stats, StoreError> {
        let listed = self.list(false, None)?;
        let audit = self.audit.entries();
        let durations = durations(&listed.sessions, &audit);
        let (resumed, delegations, succeeded, ended) = resumptions(&audit);
        let failing = listed.sessions.iter().filter(|record| record.error_count > 0).count();
        let figures = vec![
            figure("resume rate", share(resumed, delegations), "%", FigureTarget::Over(60.0)),
            figure("resume success rate", share(succeeded, ended), "%", FigureTarget::Over(80.0)),
            figure("session duration, median", quantile(&durations, 0.5), "s", FigureTarget::Under(300.0)),
            figure("session duration, p95", quantile(&durations, 0.95), "s", FigureTarget::Under(1_800.0)),
            figure("sessions with errors", share(failing, listed.sessions.len()), "%", FigureTarget::Under(10.0)),
            figure("on disk", Some(bytes_below(&self.root.path) as f64 / 1e6), "MB", FigureTarget::Under(100.0)),
        ];
        let mut stats = Stats {
            sessions: listed.sessions.len(),
            active: listed.sessions.iter().filter(|record| !record.phase.is_final()).count(),
            skipped: listed.skipped.len(),
            by_agent: BTreeMap::new(),
            by_phase: BTreeMap::new(),
            figures,
        };
        for record in listed.sessions {
            *stats.by_phase.entry(record.phase).or_default() += 1;
            *stats.by_agent.entry(record.agent_name).or_default() += 1;
        }
        Ok(stats)
    }
}

/// Delegations that resumed a session, all of them; resumed sessions that were completed, those that are over.
fn resumptions(audit: &[AuditEntry]) -> (usize, usize, usize, usize) {
    let mut resumed = BTreeMap::new();
    let (mut yes, mut all) = (0, 0);
    for entry in audit {
        match &entry.happened {
            Happened::Decided { resume, delegation, .. } => {
                all += usize::from(*delegation);
                yes += usize::from(*delegation && *resume);
                if *resume {
                    resumed.entry(entry.session_id.as_str()).or_insert(None);
                }
            }
            Happened::Finalized { outcome, .. } => {
                resumed.entry(entry.session_id.as_str()).and_modify(|ended| *ended = Some(*outcome));
            }
            _ => {}
        }
    }
    let ended: Vec<SessionPhase> = resumed.into_values().flatten().collect();
    (yes, all, ended.iter().filter(|outcome| **outcome == SessionPhase::Completed).count(), ended.len())
}

/// How long sessions took that are over, in seconds, sorted.
fn durations(records: &[StoreRecord], audit: &[AuditEntry]) -> Vec<f64> {
    let mut took: BTreeMap<&str, f64> = BTreeMap::new();
    for entry in audit {
        if let Happened::Finalized { duration_seconds, .. } = entry.happened {
            took.insert(&entry.session_id, duration_seconds);
        }
    }
    for record in records {
        if let Some(end) = record.finalized_at {
            took.insert(&record.agent_id, seconds_between(record.created_at, end));
        }
    }
    let mut took: Vec<f64> = took.into_values().collect();
    took.sort_by(f64::total_cmp);
    took
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| 100.0 * part as f64 / whole as f64)
}

/// The value that a share of the values (sorted) does not exceed.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let at = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied()
}

fn figure(name: &'static str, value: Option<f64>, unit: &'static str, target: FigureTarget) -> Figure {
    let (words, met) = match target {
        FigureTarget::Over(than) => (format!("> {than}"), value.map(|value| value > than)),
        FigureTarget::Under(than) => (format!("< {than}"), value.map(|value| value < than)),
    };
    Figure { name, value, unit, target: format!("{words} {unit}"), met }
}

/// The bytes of the files below a folder, links not followed.
fn bytes_below(folder: &Path) -> u64 {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)))
        .map(|(path, file)| if file.is_dir() { bytes_below(&path) } else { file.len() })
        .sum()
}
