//! Reports: one model, drawn in many forms.

pub mod model;
