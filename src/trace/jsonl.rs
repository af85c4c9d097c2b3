//! Traces as JSON lines.

use std::io::{self, BufRead, Write};

use super::Record;

/// A line that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The file could not be read.
    #[error("line {line}: {source}")]
    Io {
        /// The line, from 1.
        line: usize,
        /// What the system said.
        source: io::Error,
    },
    /// The line is not a record.
    #[error("line {line}: not a trace record: {source}")]
    Json {
        /// The line, from 1.
        line: usize,
        /// What was wrong with it.
        source: serde_json::Error,
    },
}

/// Writes records, one a line.
///
/// # Errors
/// What the writer says.
pub fn write<'a>(mut out: impl Write, records: impl IntoIterator<Item = &'a Record>) -> io::Result<()> {
    for record in records {
        serde_json::to_writer(&mut out, record)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Reads records one by one; blank lines are passed over.
pub fn read(input: impl BufRead) -> impl Iterator<Item = Result<Record, LineError>> {
    input.lines().zip(1..).filter_map(|(text, line)| match text {
        Err(source) => Some(Err(LineError::Io { line, source })),
        Ok(text) if text.trim().is_empty() => None,
        Ok(text) => Some(serde_json::from_str(&text).map_err(|source| LineError::Json { line, source })),
    })
}
