use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use include_dir::{Dir, include_dir};

use crate::core::diagnostic::{Diagnostic, nearest};

use super::document;
use super::requirement::{Requirement, RequirementId};
use super::version::SpecVersion;

static DOCUMENTS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/spec");

/// Every requirement of a set of documents, by id.
#[derive(Debug, Clone)]
pub struct Registry {
    requirements: BTreeMap<RequirementId, Requirement>,
    duplicates: Vec<(RequirementId, String, usize)>,
}

impl Registry {
    /// The requirements of the documents that this binary carries.
    ///
    /// # Panics
    /// Where [`Registry::read_embedded`] finds something wrong: then the binary should not have been built.
    pub fn embedded() -> &'static Registry {
        static EMBEDDED: OnceLock<Registry> = OnceLock::new();
        EMBEDDED.get_or_init(|| {
            Registry::read_embedded().unwrap_or_else(|wrong| {
                let wrong: Vec<String> = wrong.iter().map(ToString::to_string).collect();
                panic!("this binary carries a broken specification:\n{}", wrong.join("\n"))
            })
        })
    }

    /// Reads the documents that this binary carries, for those who write them.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn read_embedded() -> Result<Self, Vec<Diagnostic>> {
        let mut documents = Vec::new();
        collect(&DOCUMENTS, &mut documents);
        documents.sort();
        Self::from_documents(&documents)
    }

    /// Reads the documents of a folder.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn from_folder(folder: &Path) -> Result<Self, Vec<Diagnostic>> {
        Self::from_documents(&documents_below(folder))
    }

    /// The requirements of one version of the spec.
    #[must_use]
    pub fn at(&self, version: SpecVersion) -> Self {
        let requirements = self.requirements.iter().filter(|(_, requirement)| requirement.is_in(version));
        Self { requirements: requirements.map(|(id, requirement)| (id.clone(), requirement.clone())).collect(), duplicates: Vec::new() }
    }

    /// Reads documents, given as path and text.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn from_documents(documents: &[(String, String)]) -> Result<Self, Vec<Diagnostic>> {
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

    /// The known id that is spelt most like a text, such as an unknown id.
    pub fn nearest(&self, text: &str) -> Option<&RequirementId> {
        let nearest = nearest(text, self.requirements.keys().map(RequirementId::as_str))?;
        self.requirements.keys().find(|known| known.as_str() == nearest)
    }

    /// Whether a text begins like an id: `LC-…` where there are ids in LC, in upper or lower case.
    pub(crate) fn looks_like_an_id(&self, text: &str) -> bool {
        let family = |text: &str| text.split_once('-').map(|(family, _)| family.to_ascii_uppercase());
        family(text).is_some_and(|found| self.requirements.keys().any(|known| family(known.as_str()).as_ref() == Some(&found)))
    }
}

/// A file of the folder `spec` that this binary carries.
pub fn carried(file: &str) -> Option<&'static str> {
    DOCUMENTS.get_file(file)?.contents_utf8()
}

/// The documents of a folder, in the order of their paths; what cannot be read is left out.
pub(crate) fn documents_below(folder: &Path) -> Vec<(String, String)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut documents = Vec::new();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.is_dir() {
            documents.extend(documents_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            documents.extend(std::fs::read_to_string(&path).ok().map(|text| (path.display().to_string(), text)));
        }
    }
    documents.sort();
    documents
}

fn collect(folder: &Dir<'_>, into: &mut Vec<(String, String)>) {
    for file in folder.files().filter(|file| file.path().extension().is_some_and(|e| e == "md")) {
        into.push((format!("spec/{}", file.path().display()), file.contents_utf8().unwrap_or_default().to_owned()));
    }
    for folder in folder.dirs() {
        collect(folder, into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_documents_are_those_of_the_folder() {
        fn below(folder: &Path, into: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                match entry.is_dir() {
                    true => below(&entry, into),
                    false if entry.extension().is_some_and(|extension| extension == "md") => {
                        into.push(std::fs::read_to_string(entry).unwrap());
                    }
                    false => {}
                }
            }
        }
        let mut on_disk = Vec::new();
        below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("spec"), &mut on_disk);
        let mut embedded = Vec::new();
        collect(&DOCUMENTS, &mut embedded);
        let mut embedded: Vec<String> = embedded.into_iter().map(|(_, text)| text).collect();
        on_disk.sort();
        embedded.sort();
        assert_eq!(embedded, on_disk);
    }

    #[test]
    fn an_unknown_id_has_a_nearest_one_or_none() {
        let registry = Registry::embedded();
        let nearest = |text: &str| registry.nearest(text).map(RequirementId::as_str);
        assert_eq!(nearest("LC-CLEAN-99"), Some("LC-CLEAN-9"));
        assert_eq!(nearest("lc-restrat-1"), Some("LC-RESTART-1"));
        assert_eq!(nearest("UTF-8"), None);
    }
}
