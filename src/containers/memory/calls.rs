//! What is asked of the engine in memory, carried out or not.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::{CHANGE, CREATE, LOOK, MemoryContainer, MemoryEngine, PING, START};
use crate::containers::engine::{
    ContainerEngine, ContainerInfo, ContainerRelay, ContainerSpec, ContainerStatus, EngineError, EngineEvent, RelayError,
};
use crate::trace::ContainerFact;

/// The engine in memory as supervisors hold it.
#[derive(Clone)]
pub(crate) struct SharedMemoryEngine(pub(crate) Arc<MemoryEngine>);

#[async_trait]
impl ContainerEngine for SharedMemoryEngine {
    async fn create(&self, spec: &ContainerSpec) -> Result<String, EngineError> {
        let engine = &self.0;
        let make = async || match engine.lock().containers.values().any(|other| other.spec.name == spec.name) {
            true => Err(EngineError::NameTaken),
            false => Ok(()),
        };
        engine
            .pass("create", CREATE, async || {
                make().await?;
                Ok(engine.make(spec))
            })
            .await
    }

    async fn start(&self, id: &str) -> Result<(), EngineError> {
        let engine = &self.0;
        engine
            .pass("start", START, async || {
                let (id, status, spec) = engine.found(id)?;
                if status == ContainerStatus::Created {
                    engine.run(&id, &spec).await;
                }
                Ok(())
            })
            .await
    }

    async fn inspect(&self, id: &str) -> Result<ContainerInfo, EngineError> {
        let engine = &self.0;
        engine
            .pass("inspect", LOOK, async || {
                let (id, status, spec) = engine.found(id)?;
                Ok(ContainerInfo { id, name: spec.name, status, labels: spec.labels })
            })
            .await
    }

    async fn list(&self) -> Result<Vec<ContainerInfo>, EngineError> {
        let engine = &self.0;
        let info = |(id, container): (&String, &MemoryContainer)| ContainerInfo {
            id: id.clone(),
            name: container.spec.name.clone(),
            status: container.status,
            labels: container.spec.labels.clone(),
        };
        engine.pass("list", LOOK, async || Ok(engine.lock().containers.iter().map(info).collect())).await
    }

    fn events(&self) -> mpsc::UnboundedReceiver<EngineEvent> {
        let (to, from) = mpsc::unbounded_channel();
        self.0.lock().listeners.push(to);
        from
    }

    async fn kill(&self, id: &str, signal: &'static str) -> Result<(), EngineError> {
        let engine = &self.0;
        engine
            .pass("kill", CHANGE, async || {
                let (id, status, _) = engine.found(id)?;
                match status {
                    ContainerStatus::Running | ContainerStatus::Frozen => {
                        engine.fact(ContainerFact::Signalled { container: id.clone(), signal: signal.to_owned() });
                        if let Ok(pid) = engine.agent(&id) {
                            engine.world.signal(pid, signal);
                        }
                        Ok(())
                    }
                    _ => Err(EngineError::Failed("can only kill running containers".into())),
                }
            })
            .await
    }

    async fn freeze(&self, id: &str) -> Result<(), EngineError> {
        let engine = &self.0;
        engine
            .pass("freeze", CHANGE, async || match engine.found(id)? {
                (id, ContainerStatus::Running, _) => {
                    engine.set_frozen(&id, true);
                    Ok(())
                }
                _ => Err(EngineError::Failed("container is not running".into())),
            })
            .await
    }

    async fn thaw(&self, id: &str) -> Result<(), EngineError> {
        let engine = &self.0;
        engine
            .pass("thaw", CHANGE, async || match engine.found(id)? {
                (id, ContainerStatus::Frozen, _) => {
                    engine.set_frozen(&id, false);
                    Ok(())
                }
                _ => Err(EngineError::Failed("container is not paused".into())),
            })
            .await
    }

    async fn execute(&self, id: &str) -> Result<(), EngineError> {
        let engine = &self.0;
        engine
            .pass("execute", CHANGE, async || {
                let (id, _, _) = engine.found(id)?;
                let agent = engine.agent(&id).map_err(|_| EngineError::Failed("container is not running".into()))?;
                let pid = engine.world.run_beside(agent);
                if let Some(container) = engine.lock().containers.get_mut(&id) {
                    container.executed.push(pid);
                }
                engine.fact(ContainerFact::Executed { container: id, pid });
                Ok(())
            })
            .await
    }

    async fn remove(&self, id: &str) -> Result<(), EngineError> {
        let engine = &self.0;
        engine
            .pass("remove", CHANGE, async || {
                let (id, status, _) = engine.found(id)?;
                if status == ContainerStatus::Frozen {
                    return Err(EngineError::Failed("container is paused".into()));
                }
                engine.end_all(&id).await;
                engine.forget(&id);
                Ok(())
            })
            .await
    }
}

#[async_trait]
impl ContainerRelay for SharedMemoryEngine {
    async fn ready(&self, container: &str) -> Result<(), RelayError> {
        let engine = &self.0;
        let mut pid = engine.lock().containers.get(container).map(|container| container.pid.subscribe()).ok_or(RelayError::Gone)?;
        loop {
            if pid.borrow_and_update().is_some() {
                return engine.agent(container).map(|_| ());
            }
            let over = {
                let state = engine.lock();
                state.containers.get(container).is_none_or(|container| container.status == ContainerStatus::Exited)
            };
            if over {
                return Err(RelayError::Gone);
            }
            // The agent may exit before it is up, which changes no pid.
            let _ = tokio::time::timeout(PING, pid.changed()).await;
        }
    }

    async fn send(&self, container: &str, message: &str) -> Result<(), RelayError> {
        let pid = self.0.agent(container)?;
        self.0.world.type_text(pid, message).await.map_err(|_| RelayError::Gone)
    }

    async fn ping(&self, container: &str) -> Result<(), RelayError> {
        let engine = &self.0;
        *engine.lock().pings.entry(container.to_owned()).or_default() += 1;
        tokio::time::sleep(PING).await;
        let pid = engine.agent(container)?;
        let answers = !engine.world.is_stopped(pid) && !engine.lock().busy.contains(&pid);
        if answers { Ok(()) } else { std::future::pending().await }
    }

    async fn hang_up(&self, container: &str) {
        if let Ok(pid) = self.0.agent(container) {
            self.0.world.hang_up(pid);
        }
    }

    fn transcript(&self, file: &Path) -> Option<String> {
        let pid = self.0.lock().transcripts.get(file).copied()?;
        self.0.world.screen(pid)
    }

    fn written(&self, file: &Path) -> u64 {
        let pid = self.0.lock().transcripts.get(file).copied();
        pid.map_or(0, |pid| self.0.world.drawn(pid))
    }
}
