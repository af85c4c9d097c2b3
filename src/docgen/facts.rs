//! What tables are drawn from.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use crate::core::diagnostic::Diagnostics;
use crate::engine::features;
use crate::engine::features::FeatureError;
use crate::profile::{Choice, Profiles};
use crate::results::kill_matrix::KillMatrix;
use crate::spec::{Registry, RequirementId, ScenarioTags, carried};
use crate::suites::SUITES;

use super::Drawn;

/// Where this repository keeps what its binary carries: documents with a lock of released ids, and features.
const HOME: [&str; 2] = ["spec", "features"];
/// The kill matrix, below `spec`.
const KILLS: &str = "kill-matrix.json";

/// What tables are drawn from, read when it is first asked for.
pub struct Facts {
    registry: Registry,
    at_home: bool,
    profiles: Choice,
    scenarios: OnceCell<Vec<ScenarioTags>>,
    drawn: RefCell<BTreeMap<String, Rc<Drawn>>>,
}

impl Facts {
    /// What this binary carries.
    pub fn embedded() -> Self {
        Self::of(Registry::embedded().clone(), false)
    }

    /// What this binary carries; in its own repository, what stands there now.
    ///
    /// # Errors
    /// Everything that is wrong with the documents there.
    pub fn here() -> Result<Self, Diagnostics> {
        let at_home = is_home(Path::new(""));
        let registry = match at_home {
            true => Registry::from_folder(Path::new(HOME[0])),
            false => Registry::read_embedded(),
        };
        let registry = registry.map_err(|wrong| Diagnostics::new("the specification cannot be read", wrong))?;
        Ok(Self::of(registry, at_home))
    }

    fn of(registry: Registry, at_home: bool) -> Self {
        Self { registry, at_home, profiles: Choice::Spec, scenarios: OnceCell::new(), drawn: RefCell::default() }
    }

    /// The same with other profiles where a marker names none; before anything is drawn.
    #[must_use]
    pub fn with_profiles(self, profiles: Choice) -> Self {
        Self { profiles, ..self }
    }

    /// Whether the current folder is this repository's.
    pub fn at_home(&self) -> bool {
        self.at_home
    }

    /// The requirements.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The scenarios.
    ///
    /// # Errors
    /// Everything that is wrong with the features.
    pub fn read_scenarios(&self) -> Result<&[ScenarioTags], Vec<FeatureError>> {
        if self.scenarios.get().is_none() {
            let written = if self.at_home { features::read_folder(SUITES, Path::new(HOME[1])) } else { features::read(SUITES, &[]) }?;
            let _ = self.scenarios.set(features::tags(&written));
        }
        Ok(self.scenarios.get().expect("it was just read"))
    }

    /// What a marker asks for: drawn once, however many documents ask for it.
    pub(crate) fn drawn(&self, marker: &str, draw: impl FnOnce() -> Result<Drawn, String>) -> Result<Rc<Drawn>, String> {
        if let Some(drawn) = self.drawn.borrow().get(marker) {
            return Ok(Rc::clone(drawn));
        }
        let drawn = Rc::new(draw()?);
        self.drawn.borrow_mut().insert(marker.to_owned(), Rc::clone(&drawn));
        Ok(drawn)
    }

    /// The stored kill matrix.
    pub(crate) fn kill_matrix(&self) -> Result<KillMatrix, String> {
        const AGAIN: &str = "`passmuster faults run --write spec` writes it";
        let text = match self.at_home {
            true => std::fs::read_to_string(Path::new(HOME[0]).join(KILLS)).map_err(|error| format!("spec/{KILLS}: {error}: {AGAIN}"))?,
            false => carried(KILLS).ok_or_else(|| format!("there is no spec/{KILLS}: {AGAIN}"))?.to_owned(),
        };
        serde_json::from_str(&text).map_err(|error| format!("spec/{KILLS}: {error}: {AGAIN}"))
    }

    /// The scenarios, for a table.
    pub(crate) fn scenarios(&self) -> Result<&[ScenarioTags], String> {
        self.read_scenarios().map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }

    /// The scenarios of a requirement.
    pub(crate) fn scenarios_of(&self, id: &RequirementId) -> Result<usize, String> {
        Ok(self.scenarios()?.iter().filter(|scenario| scenario.tags.iter().any(|tag| tag == id.as_str())).count())
    }

    /// The profiles that a marker asks for, else those of the whole build.
    pub(crate) fn profiles(&self, asked: Option<&Choice>) -> Result<Profiles, String> {
        Profiles::load(asked.unwrap_or(&self.profiles)).map_err(|errors| errors.in_a_line())
    }
}

/// Whether a folder is this repository's.
fn is_home(folder: &Path) -> bool {
    folder.join(HOME[0]).join("ids.lock").is_file() && folder.join(HOME[1]).is_dir()
}
