//! A headless Chromium, spoken to over a pipe by the DevTools protocol: one page at a time.

#![allow(dead_code)] // The tests and the bench each take the part that they need.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Only a broken browser takes this long for anything.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits, in a page, until what was done can be seen.
pub(crate) const FRAME: &str = "new Promise(done => requestAnimationFrame(() => setTimeout(done)))";

/// How a page is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    Light,
    Dark,
}

/// A browser with a page.
pub(crate) struct Chromium {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    /// What the page told that was no answer.
    told: Vec<Value>,
    asked: u64,
    session: String,
    _profile: tempfile::TempDir,
}

impl Chromium {
    /// Starts one that can reach nothing but files.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// Starts one that takes itself to be read aloud: then it also tells of what is not in view yet.
    pub(crate) fn for_a_screen_reader() -> Self {
        Self::with(&["--force-renderer-accessibility=screen-reader"])
    }

    fn with(further: &[&str]) -> Self {
        let profile = tempfile::tempdir().unwrap();
        // The protocol's descriptors are 3 and 4; a shell can give them to a program without an unsafe line here.
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec chromium \"$@\" 3<&0 4>&1 </dev/null >/dev/null", "sh"]);
        shell.args(["--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
        shell.args(["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        shell.args(["--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars", "--window-size=1200,900"]);
        shell.args(further).arg(format!("--user-data-dir={}", profile.path().display())).env("TMPDIR", profile.path());
        let mut child = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (tell, from) = channel();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while output.read_until(0, &mut message).is_ok_and(|length| length > 0) {
                message.pop();
                if tell.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let to = child.stdin.take().unwrap();
        let mut browser = Self { child, to, from, told: Vec::new(), asked: 0, session: String::new(), _profile: profile };
        let page = browser.call("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", json!({ "targetId": page, "flatten": true }));
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Network", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Opens a page; how long it took to load.
    pub(crate) fn open(&mut self, page: &Path) -> Duration {
        self.told.clear();
        let began = Instant::now();
        self.call("Page.navigate", json!({ "url": format!("file://{}", page.display()) }));
        while !self.told.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.next();
            self.told.push(event);
        }
        began.elapsed()
    }

    /// How wide the page is, in which theme.
    pub(crate) fn look(&mut self, width: u32, theme: Theme) {
        let scheme = if theme == Theme::Dark { "dark" } else { "light" };
        self.call("Emulation.setEmulatedMedia", json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] }));
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// What an expression comes to; of a promise, what it is resolved with.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// Presses a key; what it types, where it types something.
    pub(crate) fn press(&mut self, key: &str, text: Option<&str>) {
        for kind in ["keyDown", "keyUp"] {
            let code = if key == "Tab" { 9 } else { 0 };
            let mut event = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            if let (Some(text), "keyDown") = (text, kind) {
                event["text"] = text.into();
            }
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Where the page wanted to go, its own address first.
    pub(crate) fn requests(&self) -> Vec<&str> {
        let asked = self.told.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        asked.map(|event| event["params"]["request"]["url"].as_str().unwrap()).collect()
    }

    /// What the browser or a script complained of.
    pub(crate) fn complaints(&self) -> Vec<&Value> {
        let methods = ["Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"];
        self.told.iter().filter(|event| methods.iter().any(|method| event["method"] == *method)).collect()
    }

    /// How much processor time the page's own thread has taken since the page was opened.
    pub(crate) fn thread_time(&mut self) -> Duration {
        self.call("Performance.enable", json!({ "timeDomain": "threadTicks" }));
        let metrics = self.call("Performance.getMetrics", json!({}));
        let found = metrics["metrics"].as_array().unwrap().iter().find(|metric| metric["name"] == "ThreadTime");
        Duration::from_secs_f64(found.unwrap()["value"].as_f64().unwrap())
    }

    /// Everything that the page is for those who cannot see it.
    pub(crate) fn accessible(&mut self) -> Vec<Value> {
        self.call("Accessibility.enable", json!({}));
        self.call("Accessibility.getFullAXTree", json!({}))["nodes"].as_array().unwrap().clone()
    }

    /// Calls a method of the protocol.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let mut message = json!({ "id": self.asked, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = self.session.as_str().into();
        }
        self.to.write_all(message.to_string().as_bytes()).unwrap();
        self.to.write_all(&[0]).unwrap();
        loop {
            let mut answer = self.next();
            if answer["id"] == self.asked {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].take();
            }
            self.told.push(answer);
        }
    }

    fn next(&mut self) -> Value {
        self.from.recv_timeout(PATIENCE).expect("Chromium (the package `chromium`) is installed, and answers")
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // One that is killed leaves processes behind for a moment, and they write into its profile.
        let close = json!({ "id": self.asked + 1, "method": "Browser.close" }).to_string() + "\0";
        let asked = self.to.write_all(close.as_bytes());
        while asked.is_ok() && self.from.recv_timeout(PATIENCE).is_ok() {}
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
