//! A pool in a folder of its own, and a host that writes down what it is asked.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use grantkeep_runtime::{
    Authority, CallError, Code, Failure, FileBody, Host, Key, Limits, Notice, Op, Pool, Settings,
    Target, Wanted, accept, refuse,
};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

pub struct World {
    pub pool: Pool,
    pub folder: TempDir,
}

/// The profiles that hold, each in a world of its own.
pub async fn worlds() -> Vec<World> {
    vec![world(Wanted::Best).await, world(Wanted::Landlock).await]
}

pub fn settings(folder: &TempDir, sandbox: Wanted) -> Settings {
    let this = std::env::current_exe().unwrap();
    let words = ["--exact", "--nocapture", "becomes_a_worker"];
    Settings {
        node: "node".into(),
        sandbox,
        confine: std::iter::once(this.into()).chain(words.map(Into::into)).collect(),
        folder: folder.path().join("runtime"),
        workers_max: 4,
        warm: 0,
        idle_max: Duration::from_mins(10),
        limits: Limits::default(),
    }
}

pub async fn world(sandbox: Wanted) -> World {
    world_with(sandbox, |_| {}).await
}

pub async fn world_with(sandbox: Wanted, change: impl FnOnce(&mut Settings)) -> World {
    let folder = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir()
        .unwrap();
    let mut settings = settings(&folder, sandbox);
    std::fs::create_dir_all(&settings.folder).unwrap();
    change(&mut settings);
    let pool = Pool::start(settings).await.unwrap();
    World { pool, folder }
}

/// A component with this body of `run`.
pub fn action(body: &str) -> Code {
    module(&format!(
        "export default {{ key: 'it', name: 'It', version: '0.0.1', type: 'action', props: {{}},\n\
         async run({{ steps, $ }}) {{\n{body}\n}} }};"
    ))
}

pub fn module(text: &str) -> Code {
    let files = vec![("index.mjs".into(), Bytes::copy_from_slice(text.as_bytes()))];
    Code { files, entry: "index.mjs".into(), ..Code::default() }
}

pub fn key(name: &str) -> Key {
    Key::new(["project", "development", name, "user"])
}

pub fn input() -> Map<String, Value> {
    let value = json!({
        "props": {}, "dynamicProps": null, "event": null, "steps": {}, "context": {}, "files": [],
    });
    value.as_object().unwrap().clone()
}

impl World {
    /// Runs the code once, under a key of that name, with a host of its own.
    pub async fn run(&self, name: &str, code: &Code) -> (Result<Value, Failure>, Arc<Recorder>) {
        let host = Arc::new(Recorder::default());
        let op = Op::run(input());
        (self.pool.perform(&key(name), code, op, Arc::clone(&host)).await, host)
    }

    pub async fn returned(&self, name: &str, code: &Code) -> Value {
        let (answer, _) = self.run(name, code).await;
        answer.unwrap_or_else(|it| panic!("{it}: {it:?}"))["ret"].clone()
    }

    pub async fn failed(&self, name: &str, code: &Code) -> Failure {
        self.run(name, code).await.0.unwrap_err()
    }

    /// The folders of the workers that there are.
    pub fn folders(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path().join("runtime/w")).unwrap();
        entries.map(|it| it.unwrap().path()).collect()
    }
}

#[derive(Default)]
pub struct Recorder {
    pub notices: Mutex<Vec<Notice>>,
    pub calls: Mutex<Vec<(String, Value)>>,
    pub targets: Mutex<Vec<Target>>,
    pub files: Mutex<Vec<(String, Vec<u8>)>>,
}

impl Recorder {
    pub fn logs(&self) -> Vec<String> {
        let notices = self.notices.lock().unwrap();
        let log = |it: &Notice| match it {
            Notice::Log(log) => Some(log.msg.clone()),
            _ => None,
        };
        notices.iter().filter_map(log).collect()
    }
}

impl Host for Recorder {
    fn notice(&self, notice: Notice) {
        self.notices.lock().unwrap().push(notice);
    }

    async fn call(&self, method: &str, params: Value) -> Result<Value, CallError> {
        self.calls.lock().unwrap().push((method.into(), params));
        match method {
            "db.set" => Err(CallError::new("Full", "no room")),
            _ => Ok(Value::Null),
        }
    }

    /// One host gives back what it gets; every other is refused.
    async fn connect(&self, target: Target, _: Arc<Authority>, mut stream: UnixStream) {
        let echoes = target.host == "echo.test";
        self.targets.lock().unwrap().push(target);
        if !echoes {
            let error = CallError::new("EgressRefused", "not allowed").with_code("EGRESS_REFUSED");
            drop(refuse(&mut stream, &error).await);
            return;
        }
        accept(&mut stream).await.unwrap();
        let mut bytes = vec![0; 1 << 16];
        while let Ok(read @ 1..) = stream.read(&mut bytes).await {
            if stream.write_all(&bytes[..read]).await.is_err() {
                return;
            }
        }
    }

    async fn file(&self, path: &str, bytes: u64, body: &mut FileBody) -> Result<(), CallError> {
        let mut content = Vec::new();
        body.read_to_end(&mut content).await.unwrap();
        assert_eq!(content.len() as u64, bytes);
        self.files.lock().unwrap().push((path.into(), content));
        Ok(())
    }
}
