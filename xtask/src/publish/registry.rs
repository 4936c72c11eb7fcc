//! A sparse registry on loopback: enough of the protocol for `cargo publish`, `cargo info` and `cargo build`, with the two
//! nuisances of the real one, an index that lags and a limit on uploads.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::publish::{
    date,
    http::{Answer, Request, Server},
};

/// How the registry misbehaves.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Temper {
    /// From an upload to its line in the index.
    pub(crate) delay: Duration,
    /// So many uploads are refused with 429, from the second on: the first one goes through.
    pub(crate) throttle: u32,
    /// What a refusal asks the publisher to wait.
    pub(crate) retry_after: Duration,
}

/// A running registry. Dropping it stops the server; what was published stays in its folder.
#[derive(Debug)]
pub(crate) struct Registry {
    server: Server,
    shelf: Arc<Shelf>,
}

/// The folder: `index/NAME` has a line of JSON for each version, `crates/NAME-VERSION.crate` is its tarball.
#[derive(Debug)]
struct Shelf {
    dir: PathBuf,
    temper: Temper,
    desk: Mutex<Desk>,
}

/// What this run of the registry remembers.
#[derive(Debug, Default)]
struct Desk {
    /// Uploads asked for, refused ones included.
    asked: u32,
    accepted: Vec<String>,
    /// When a version of this run shows in the index; those of earlier runs always do.
    visible: HashMap<(String, String), Instant>,
}

impl Temper {
    /// An index that lags by `delay` seconds, and `throttle` uploads refused.
    pub(crate) fn harsh(delay: u64, throttle: u32) -> Temper {
        let delay = Duration::from_secs(delay);
        // As with the real one, the index has caught up by the time that an upload is welcome again.
        let retry_after = delay + Duration::from_secs(2);
        Temper { delay, throttle, retry_after }
    }
}

impl Registry {
    /// Serves the folder `dir`, with whatever an earlier run published into it.
    pub(crate) fn open(dir: &Path, temper: Temper) -> Result<Registry> {
        let shelf = Arc::new(Shelf::open(dir, temper)?);
        let answers = Arc::clone(&shelf);
        let server = Server::start(move |request| answers.answer(request))?;
        Ok(Registry { server, shelf })
    }

    /// What cargo calls the index.
    pub(crate) fn index(&self) -> String {
        format!("sparse+http://{}/index/", self.server.address())
    }

    /// The uploads this run accepted, `name@version` in their order.
    pub(crate) fn accepted(&self) -> Vec<String> {
        self.shelf.desk().accepted.clone()
    }
}

impl Shelf {
    fn open(dir: &Path, temper: Temper) -> Result<Shelf> {
        for folder in ["index", "crates"] {
            fs::create_dir_all(dir.join(folder))?;
        }
        Ok(Shelf { dir: dir.to_owned(), temper, desk: Mutex::default() })
    }

    fn answer(&self, request: &Request) -> Result<Answer> {
        let path: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        match (request.method.as_str(), &path[..]) {
            ("GET", ["index", "config.json"]) => {
                let base = format!("http://{}", request.host);
                let config = json!({ "dl": format!("{base}/dl"), "api": base });
                Ok(Answer::ok(config.to_string()))
            }
            ("GET", ["index", .., name]) if is_plain(name) => {
                let shows = |version: &str| self.desk().shows(name, version);
                let lines: String = self
                    .index(name)?
                    .into_iter()
                    .filter(|(version, _)| shows(version))
                    .map(|(_, line)| line + "\n")
                    .collect();
                Ok(Answer::found(Some(lines.into_bytes()).filter(|lines| !lines.is_empty())))
            }
            ("GET", ["dl", name, version, "download"]) if is_plain(name) && is_plain(version) => {
                Ok(Answer::found(read_if_there(&self.tarball(name, version))?))
            }
            ("PUT", ["api", "v1", "crates", "new"]) => self.publish(&request.body),
            _ => Ok(Answer::found(None)),
        }
    }

    /// The body of an upload is a length and JSON, then a length and the tarball.
    fn publish(&self, body: &[u8]) -> Result<Answer> {
        let (json, rest) = chunk(body)?;
        let (tarball, _) = chunk(rest)?;
        let upload: Value = serde_json::from_slice(json)?;
        let text = |key: &str| upload[key].as_str().filter(|text| is_plain(text));
        let (name, version) =
            text("name").zip(text("vers")).context("the upload has no name or version")?;

        let mut desk = self.desk();
        desk.asked += 1;
        if (2..2 + self.temper.throttle).contains(&desk.asked) {
            let date = date::format(SystemTime::now() + self.temper.retry_after);
            let detail = format!(
                "You have published too many new crates in a short period of time. Please try again after {date}"
            );
            return Ok(Answer::refused("429 Too Many Requests", &detail));
        }
        if self.index(name)?.iter().any(|(known, _)| known == version) {
            return Ok(Answer::refused(
                "400 Bad Request",
                &format!("crate version `{version}` is already uploaded"),
            ));
        }
        // The index last: a version is there once its line is.
        fs::write(self.tarball(name, version), tarball)?;
        let mut index =
            File::options().create(true).append(true).open(self.dir.join("index").join(name))?;
        index.write_all(format!("{}\n", index_line(&upload, tarball)).as_bytes())?;
        desk.visible
            .insert((name.to_owned(), version.to_owned()), Instant::now() + self.temper.delay);
        desk.accepted.push(format!("{name}@{version}"));
        let warnings =
            json!({ "warnings": { "invalid_categories": [], "invalid_badges": [], "other": [] } });
        Ok(Answer::ok(warnings.to_string()))
    }

    /// Each version of `name` with its line.
    fn index(&self, name: &str) -> Result<Vec<(String, String)>> {
        let file = read_if_there(&self.dir.join("index").join(name))?.unwrap_or_default();
        let lines = String::from_utf8(file)?;
        lines
            .lines()
            .map(|line| {
                let entry: Value = serde_json::from_str(line)?;
                Ok((entry["vers"].as_str().unwrap_or_default().to_owned(), line.to_owned()))
            })
            .collect()
    }

    fn tarball(&self, name: &str, version: &str) -> PathBuf {
        self.dir.join("crates").join(format!("{name}-{version}.crate"))
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    fn shows(&self, name: &str, version: &str) -> bool {
        let from = self.visible.get(&(name.to_owned(), version.to_owned()));
        from.is_none_or(|from| *from <= Instant::now())
    }
}

/// A length in four bytes, little end first, then so many bytes.
fn chunk(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>().context("the upload is cut off")?;
    rest.split_at_checked(u32::from_le_bytes(*length).try_into()?).context("the upload is cut off")
}

/// The index names three things of an upload differently.
fn index_line(upload: &Value, tarball: &[u8]) -> Value {
    let dependencies: Vec<Value> = upload["deps"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|dependency| {
            let mut line = dependency.clone();
            line["req"] = dependency["version_req"].clone();
            if let Some(alias) = dependency["explicit_name_in_toml"].as_str() {
                line["name"] = alias.into();
                line["package"] = dependency["name"].clone();
            }
            line
        })
        .collect();
    json!({
        "v": 2,
        "name": upload["name"],
        "vers": upload["vers"],
        "deps": dependencies,
        "features": {},
        "features2": upload["features"],
        "links": upload["links"],
        "rust_version": upload["rust_version"],
        "cksum": format!("{:x}", Sha256::digest(tarball)),
        "yanked": false,
    })
}

/// Names and versions become file names: nothing else gets through.
fn is_plain(text: &str) -> bool {
    !text.starts_with('.')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte))
}

fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use xshell::{Shell, TempDir};

    use super::*;

    fn open(temper: Temper) -> (TempDir, Shelf) {
        let dir = Shell::new().and_then(|sh| sh.create_temp_dir()).expect("a temp folder");
        let shelf = Shelf::open(dir.path(), temper).expect("a folder");
        (dir, shelf)
    }

    /// The status and the body of an answer.
    fn ask(shelf: &Shelf, method: &str, path: &str, body: Vec<u8>) -> (&'static str, String) {
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            host: "it:1".to_owned(),
            body,
        };
        let answer = shelf.answer(&request).expect("an answer");
        (answer.status, String::from_utf8(answer.body).expect("text"))
    }

    fn get(shelf: &Shelf, path: &str) -> (&'static str, String) {
        ask(shelf, "GET", path, Vec::new())
    }

    fn put(shelf: &Shelf, version: &str) -> (&'static str, String) {
        let json = json!({
            "name": "it",
            "vers": version,
            "deps": [{ "name": "serde", "version_req": "^1", "explicit_name_in_toml": "alias" }],
            "features": { "f": ["dep:alias"] },
        });
        let chunk = |text: &str| {
            let length = u32::try_from(text.len()).expect("a short text");
            [&length.to_le_bytes()[..], text.as_bytes()].concat()
        };
        let body = [chunk(&json.to_string()), chunk("tarball")].concat();
        ask(shelf, "PUT", "/api/v1/crates/new", body)
    }

    #[test]
    fn an_upload_shows_in_the_index_and_can_be_downloaded() {
        let (dir, shelf) = open(Temper::default());
        assert_eq!(get(&shelf, "/index/2/it").0, "404 Not Found");
        assert_eq!(put(&shelf, "1.0.0").0, "200 OK");
        let (status, line) = get(&shelf, "/index/2/it");
        assert_eq!(status, "200 OK");
        let line: Value = serde_json::from_str(&line).expect("one line of JSON");
        assert_eq!(line["cksum"], format!("{:x}", Sha256::digest("tarball")));
        assert_eq!(line["features2"]["f"][0], "dep:alias");
        let dependency = &line["deps"][0];
        assert_eq!(dependency["name"], "alias");
        assert_eq!(dependency["package"], "serde");
        assert_eq!(dependency["req"], "^1");
        assert_eq!(get(&shelf, "/dl/it/1.0.0/download"), ("200 OK", "tarball".to_owned()));
        assert_eq!(get(&shelf, "/dl/it/1.0.1/download").0, "404 Not Found");

        let shelf = Shelf::open(dir.path(), Temper::default()).expect("the folder again");
        assert_eq!(get(&shelf, "/index/2/it").0, "200 OK", "what was published outlives the run");
        assert!(shelf.desk().accepted.is_empty());
    }

    #[test]
    fn a_version_is_taken_once() {
        let (_dir, shelf) = open(Temper::default());
        put(&shelf, "1.0.0");
        let (status, reason) = put(&shelf, "1.0.0");
        assert!(status.starts_with("400") && reason.contains("already uploaded"), "{reason}");
        assert_eq!(shelf.desk().accepted, ["it@1.0.0"]);
    }

    #[test]
    fn refusals_begin_with_the_second_upload_and_carry_a_date() {
        let retry_after = Duration::from_secs(600);
        let (_dir, shelf) = open(Temper { throttle: 2, retry_after, ..Temper::default() });
        assert_eq!(put(&shelf, "1.0.0").0, "200 OK");
        for _ in 0..2 {
            let (status, reason) = put(&shelf, "1.0.1");
            assert_eq!(status, "429 Too Many Requests");
            let (_, date) = reason.split_once("try again after ").expect("a date");
            let date = date::parse(date).expect("a date");
            let wait = date.duration_since(SystemTime::now()).expect("in the future");
            assert!((590..=600).contains(&wait.as_secs()), "{wait:?}");
        }
        assert_eq!(put(&shelf, "1.0.1").0, "200 OK");
    }

    #[test]
    fn a_lagging_index_does_not_show_an_upload_yet() {
        let (_dir, shelf) = open(Temper { delay: Duration::from_secs(3600), ..Temper::default() });
        assert_eq!(put(&shelf, "1.0.0").0, "200 OK");
        assert_eq!(get(&shelf, "/index/2/it").0, "404 Not Found");
    }

    #[test]
    fn no_path_leads_out_of_the_folder() {
        let (_dir, shelf) = open(Temper::default());
        for path in
            ["/index/..", "/dl/../secret/download", "/dl/it/..%2f/download", "/dl/./x/download"]
        {
            assert_eq!(get(&shelf, path).0, "404 Not Found", "{path}");
        }
        assert!(get(&shelf, "/index/config.json").1.contains("http://it:1/dl"));
    }
}
