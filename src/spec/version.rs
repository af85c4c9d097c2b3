use std::fmt;
use std::str::FromStr;

use super::word::WordError;

/// A version of the specification: `1.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpecVersion {
    major: u16,
    minor: u16,
}

impl SpecVersion {
    /// Every version that this harness can judge by, oldest first.
    pub const ALL: [SpecVersion; 1] = [SpecVersion { major: 1, minor: 0 }];

    /// The first version.
    pub const FIRST: SpecVersion = Self::ALL[0];

    /// The newest version: what is judged by where no other is asked for.
    pub const NEWEST: SpecVersion = Self::ALL[Self::ALL.len() - 1];
}

impl fmt::Display for SpecVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{}", self.major, self.minor))
    }
}

impl FromStr for SpecVersion {
    type Err = WordError;

    /// Reads a version that this harness knows.
    ///
    /// # Errors
    /// Names the word found and the versions known.
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|version| version.to_string() == word).ok_or_else(|| WordError::Version(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_order_and_lead_back_to_themselves() {
        assert!(SpecVersion::ALL.is_sorted());
        for version in SpecVersion::ALL {
            assert_eq!(version.to_string().parse(), Ok(version));
        }
        assert_eq!("0.9".parse::<SpecVersion>().unwrap_err().to_string(), "`0.9` is no version of the spec: wanted 1.0");
        assert_eq!(crate::spec::VERSION, SpecVersion::NEWEST.to_string());
    }
}
