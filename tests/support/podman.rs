//! A Podman with a store of its own, and an image `agents` in it: a shell, this program, and as `codex` a stand-in whose turns end by
//! themselves.

#![allow(dead_code)] // Each test takes the part that it needs.

use std::fs::{self, File, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What `codex` is in the image.
const CODEX: &str = "#!/bin/sh\nexec passmuster agent codex --turn-ms 100 -- \"$@\"\n";

pub(crate) struct Podman {
    folder: PathBuf,
    service: Child,
}

impl Podman {
    /// Starts one in a folder below `place`.
    pub(crate) fn start(place: &Path) -> Self {
        let folder = place.join("engine");
        let at = |name: &str| folder.join(name);
        fs::create_dir_all(&folder).unwrap();
        let conf = format!(
            "[containers]\nnetns = \"none\"\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1000:1000\"]\n[engine]\nruntime = \"runc\"\n\
             cgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\nlock_type = \"file\"\nexit_command_delay = 1\ntmp_dir = {:?}\n",
            at("tmp")
        );
        fs::write(at("containers.conf"), conf).unwrap();
        let storage = format!("[storage]\ndriver = \"overlay\"\ngraphroot = {:?}\nrunroot = {:?}\n", at("root"), at("run"));
        fs::write(at("storage.conf"), storage).unwrap();
        // The socket listens before the service runs, which takes it over.
        let listener = UnixListener::bind(at("engine.sock")).unwrap();
        let log = File::create(at("service.log")).unwrap();
        // What it mounts goes with it.
        let service = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-c"])
            .arg("exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec podman system service --time 0")
            .envs([("CONTAINERS_CONF", at("containers.conf")), ("CONTAINERS_STORAGE_CONF", at("storage.conf"))])
            .envs([("XDG_RUNTIME_DIR", &folder), ("TMPDIR", &folder)])
            .stdin(OwnedFd::from(listener))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let podman = Self { folder, service };
        podman.import();
        podman
    }

    /// Its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("engine.sock")
    }

    /// What its program prints.
    pub(crate) fn say(&self, args: &[&str]) -> String {
        let output = self.command().args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The processes that hold its containers' terminals and pipes, by their command lines.
    pub(crate) fn monitors(&self) -> Vec<String> {
        let folder = self.folder.display().to_string();
        let lines = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
        let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
        lines.filter(|line| line.contains("conmon") && line.contains(&folder)).collect()
    }

    fn command(&self) -> Command {
        let mut command = Command::new("podman");
        command.args(["--remote", "--url"]).arg(format!("unix://{}", self.socket().display()));
        command
    }

    fn import(&self) {
        let tree = self.folder.join("tree");
        let inside = |path: &str| tree.join(path.trim_start_matches('/'));
        for folder in ["tmp", "root", "bin", "usr/local/bin"] {
            fs::create_dir_all(tree.join(folder)).unwrap();
        }
        for (program, to) in [("/bin/sh", "/bin/sh"), (env!("CARGO_BIN_EXE_passmuster"), "/usr/local/bin/passmuster")] {
            fs::copy(program, inside(to)).unwrap();
            let needed = String::from_utf8(Command::new("ldd").arg(program).output().unwrap().stdout).unwrap();
            for library in needed.split_whitespace().filter(|word| word.starts_with('/')) {
                fs::create_dir_all(inside(library).parent().unwrap()).unwrap();
                fs::copy(library, inside(library)).unwrap();
            }
        }
        fs::write(inside("/usr/local/bin/codex"), CODEX).unwrap();
        fs::set_permissions(inside("/usr/local/bin/codex"), Permissions::from_mode(0o755)).unwrap();
        let mut tar = Command::new("tar").arg("-C").arg(&tree).args(["-c", "."]).stdout(Stdio::piped()).spawn().unwrap();
        let imported = self
            .command()
            .args(["import", "--quiet", "--change", "ENV PATH=/usr/local/bin:/bin", "-", "localhost/agents:latest"])
            .stdin(tar.stdout.take().unwrap())
            .output()
            .unwrap();
        assert!(tar.wait().unwrap().success() && imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
        fs::remove_dir_all(tree).unwrap();
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        // A test that failed leaves containers.
        let _ = self.command().args(["rm", "--all", "--force", "--time", "0"]).output();
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}
