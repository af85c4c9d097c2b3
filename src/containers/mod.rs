//! Container engines, for those who need one: what is asked of any, one that speaks the Docker API, one in memory on
//! the virtual clock, and a Podman of one's own, with what is true of it and a proxy before it.

pub(crate) mod docker_api;
pub(crate) mod engine;
pub(crate) mod engine_proxy;
pub(crate) mod image;
pub(crate) mod memory;
pub(crate) mod podman_truth;
pub(crate) mod private_podman;
pub(crate) mod relay;
