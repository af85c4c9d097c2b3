//! Has the crate built anew when a document or a feature is added: `include_dir!` alone only notices edits.

fn main() {
    for folder in ["spec", "features", "fixtures/agents"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
