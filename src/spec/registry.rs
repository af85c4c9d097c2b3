use std::collections::BTreeMap;
use std::sync::OnceLock;

use include_dir::{Dir, include_dir};

use super::document::{self, SpecError};
use super::requirement::{Requirement, RequirementId};

static DOCUMENTS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/spec");

/// Every requirement of a set of documents, by id.
#[derive(Debug, Clone)]
pub struct Registry {
    requirements: BTreeMap<RequirementId, Requirement>,
    duplicates: Vec<(RequirementId, String, usize)>,
}

impl Registry {
    /// The requirements of the documents that this binary carries.
    pub fn embedded() -> &'static Registry {
        static EMBEDDED: OnceLock<Registry> = OnceLock::new();
        EMBEDDED.get_or_init(|| {
            let mut documents = Vec::new();
            collect(&DOCUMENTS, &mut documents);
            documents.sort();
            Registry::from_documents(&documents).expect("the embedded documents are checked before they are built in")
        })
    }

    /// Reads documents, given as path and text.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn from_documents(documents: &[(String, String)]) -> Result<Self, Vec<SpecError>> {
        let mut registry = Self { requirements: BTreeMap::new(), duplicates: Vec::new() };
        let mut errors = Vec::new();
        for (file, text) in documents {
            match document::read(file, text) {
                Err(wrong) => errors.extend(wrong),
                Ok(requirements) => requirements.into_iter().for_each(|requirement| registry.add(requirement)),
            }
        }
        if errors.is_empty() { Ok(registry) } else { Err(errors) }
    }

    fn add(&mut self, requirement: Requirement) {
        if self.requirements.contains_key(&requirement.id) {
            self.duplicates.push((requirement.id, requirement.file, requirement.line));
        } else {
            self.requirements.insert(requirement.id.clone(), requirement);
        }
    }

    /// The requirement of that id.
    pub fn get(&self, id: &RequirementId) -> Option<&Requirement> {
        self.requirements.get(id)
    }

    /// Every requirement, in the natural order of ids.
    pub fn iter(&self) -> impl Iterator<Item = &Requirement> {
        self.requirements.values()
    }

    /// The requirements of a suite.
    pub fn suite<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Requirement> {
        self.iter().filter(move |requirement| requirement.suite == name)
    }

    /// Ids that were stated a second time: where.
    pub fn duplicates(&self) -> &[(RequirementId, String, usize)] {
        &self.duplicates
    }

    /// The known id that is spelt most like another one.
    pub fn nearest(&self, id: &RequirementId) -> Option<&RequirementId> {
        self.requirements
            .keys()
            .map(|known| (strsim::damerau_levenshtein(known.as_str(), id.as_str()), known))
            .filter(|(distance, _)| *distance <= 3)
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, known)| known)
    }
}

fn collect(folder: &Dir<'_>, into: &mut Vec<(String, String)>) {
    for file in folder.files().filter(|file| file.path().extension().is_some_and(|e| e == "md")) {
        into.push((format!("spec/{}", file.path().display()), file.contents_utf8().unwrap_or_default().to_owned()));
    }
    for folder in folder.dirs() {
        collect(folder, into);
    }
}
