//! The vocabulary of the suite `resumption`.

pub(crate) mod act_record;
pub(crate) mod act_store;
pub(crate) mod check_store;
pub(crate) mod kept;

pub(crate) use act_store::IDS;
pub(crate) use kept::StoreState;
