//! The vocabulary of the suite `resumption`.

pub mod act_record;
pub mod act_store;
pub mod check_store;
pub mod kept;

pub use act_store::IDS;
pub use kept::StoreState;
