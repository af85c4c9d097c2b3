//! What faulty managers do besides what they were asked for. One that conforms does nothing of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::contract::SessionId;

use super::host::{End, Tamper};
use super::manager::Manager;
use super::session::Live;
use crate::fakes::native;
use crate::suites::manager::behavior::{ExtraAct, Occasion};

/// How many agents a manager launches that nobody asked for, at most.
const LAUNCHED_BESIDES: usize = 30;

impl Manager {
    pub(crate) async fn besides(self: &Arc<Self>, at: Occasion, live: &Arc<Live>) {
        for (when, act) in &self.behavior.besides {
            if *when == at {
                // Some acts end sessions, and ends are moments as well.
                Box::pin(self.act(*act, live)).await;
            }
        }
    }

    pub(crate) async fn act(self: &Arc<Self>, act: ExtraAct, live: &Arc<Live>) {
        match act {
            ExtraAct::Type(text) => self.type_in(live, text).await,
            ExtraAct::Strike(how) => self.strike(live, how).await,
            ExtraAct::Write(text) => self.tamper(live, Tamper::Append(text)).await,
            ExtraAct::Remove => self.tamper(live, Tamper::Remove).await,
            ExtraAct::InFolder(name, how) => {
                let path = live.record().cwd.join(name);
                // What is not there is not made.
                if self.host.read_file(&path).await.is_some() {
                    self.host.tamper(&path, how).await;
                }
            }
            ExtraAct::Forget => self.forget(live),
            ExtraAct::End => drop(self.end_live(live, "ended").await),
            ExtraAct::CallDead => {
                live.record().dead = true;
                self.save_or_say(live);
            }
            ExtraAct::ReadmitAfter(time) => {
                let (manager, live) = (self.clone(), live.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    manager.sessions().insert(live.id(), live.clone());
                });
            }
            ExtraAct::AnnounceEnd => self.announce_end(live, "not found"),
            ExtraAct::Launch(count) => {
                for _ in 0..count {
                    // What is launched exits, too: on real processes that would be a fork bomb.
                    if self.launched_besides.fetch_add(1, Ordering::Relaxed) >= LAUNCHED_BESIDES {
                        return;
                    }
                    let _ = self.launch(live).await;
                }
            }
            ExtraAct::Replace => {
                self.strike(live, End::Tree).await;
                let _ = self.launch(live).await;
            }
            ExtraAct::StrikeOthers(how) => {
                for other in self.others(&live.id()) {
                    self.strike(&other, how).await;
                }
            }
            ExtraAct::ForgetOthers => self.others(&live.id()).iter().for_each(|other| self.forget(other)),
            ExtraAct::Wait(time) => tokio::time::sleep(time).await,
        }
    }

    fn others(&self, id: &SessionId) -> Vec<Arc<Live>> {
        self.all().into_iter().filter(|other| other.id() != *id).collect()
    }

    pub(crate) async fn type_in(&self, live: &Live, text: &str) {
        let handle = live.record().handle.clone();
        if let Some(handle) = handle {
            let _ = self.host.deliver(&handle, text).await;
        }
    }

    async fn strike(&self, live: &Live, how: End) {
        let handle = live.record().handle.clone();
        if let Some(handle) = handle {
            let _ = self.host.end(&handle, how).await;
        }
    }

    /// Tampers with a session's file; while there is none, with one that looks like it.
    async fn tamper(&self, live: &Live, how: Tamper) {
        let record = live.record().clone();
        let made_up = || self.host.home().join(native::of(record.agent).root()).join(format!("{}.jsonl", record.id));
        let path = self.natives(live).await.into_iter().next().unwrap_or_else(made_up);
        self.host.tamper(&path, how).await;
    }
}
