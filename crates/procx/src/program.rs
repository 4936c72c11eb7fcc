//! Where a program is, and how it is given to the system.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    fs, io,
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt as _, process::CommandExt as _},
    },
    path::{Path, PathBuf},
    process::Command,
};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::{
    cmd::Cmd,
    error::{Error, ErrorKind},
};

/// Where `execvp` looks when there is no `PATH`.
const USUAL_PATH: &str = "/bin:/usr/bin";

/// A program that is found, and all that it starts with.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) path: PathBuf,
    /// The program as it was named, and its arguments.
    pub(crate) argv: Vec<OsString>,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) cwd: Option<PathBuf>,
    /// Standard input, output and error.
    pub(crate) stdio: [OwnedFd; 3],
}

impl Image {
    /// For std, which starts it by `posix_spawn`: the program is a path, and there is nothing to run between fork and exec.
    ///
    /// Anything else makes std fork, which copies the page tables of the caller: some 60 ms for each GiB in use.
    pub(crate) fn command(&self) -> io::Result<Command> {
        let mut command = Command::new(&self.path);
        command.arg0(&self.argv[0]).args(&self.argv[1..]).env_clear();
        command.envs(self.env.iter().map(|(name, value)| (name, value))).process_group(0);
        if let Some(cwd) = &self.cwd {
            command.current_dir(cwd);
        }
        let [stdin, stdout, stderr] = &self.stdio;
        command.stdin(stdin.try_clone()?).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
        Ok(command)
    }
}

/// Finds it, and says what is wrong with it as far as that shows before it is started.
pub(crate) fn prepare(cmd: &Cmd, stdio: [OwnedFd; 3]) -> Result<Image, Error> {
    if let Some(wrong) = wrong_word(cmd) {
        return Err(Error::new(ErrorKind::Spawn, cmd, wrong));
    }
    if let Some(cwd) = &cmd.cwd {
        check_folder(cmd, cwd)?;
    }
    let args = cmd.args.iter().map(|arg| &arg.value);
    Ok(Image {
        path: find(cmd)?,
        argv: [&cmd.program].into_iter().chain(args).cloned().collect(),
        env: environment(cmd).into_iter().collect(),
        cwd: cmd.cwd.clone(),
        stdio,
    })
}

/// What no program can be given, or would be given as something else.
fn wrong_word(cmd: &Cmd) -> Option<&'static str> {
    let has_nul = |word: &OsString| word.as_bytes().contains(&0);
    let variables = cmd.env.iter().flat_map(|(name, value)| [Some(name), value.as_ref()]).flatten();
    let mut words = cmd.args.iter().map(|arg| &arg.value).chain([&cmd.program]).chain(variables);
    // `A=B` with the value `C` would be `A` with the value `B=C`.
    let is_name = |name: &OsString| !name.is_empty() && !name.as_bytes().contains(&b'=');
    let mut set = cmd.env.iter().filter(|(_, value)| value.is_some());
    if cmd.program.is_empty() {
        Some("a program needs a name")
    } else if words.any(has_nul) {
        Some("no argument or variable may contain a NUL")
    } else if set.any(|(name, _)| !is_name(name)) {
        Some("a variable needs a name, and no `=` in it")
    } else {
        None
    }
}

fn check_folder(cmd: &Cmd, folder: &Path) -> Result<(), Error> {
    let (kind, what, source) = match fs::metadata(folder) {
        Ok(found) if !found.is_dir() => (ErrorKind::CwdMissing, "is no folder", None),
        Ok(_) => match may_execute(folder) {
            Ok(()) => return Ok(()),
            Err(error) => (ErrorKind::Spawn, "cannot be entered", Some(error)),
        },
        Err(error) if is_absent(&error) => (ErrorKind::CwdMissing, "does not exist", None),
        Err(error) => (ErrorKind::Spawn, "cannot be entered", Some(error)),
    };
    let detail = format!("the folder to run in {what}: {}", cmd.redactor.os(folder.as_os_str()));
    let error = Error::new(kind, cmd, detail);
    Err(match source {
        Some(source) => error.with_source(source),
        None => error,
    })
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// As the child will be asked: not every bit of the mode is for everybody, and some file systems are mounted without.
fn may_execute(path: &Path) -> io::Result<()> {
    Ok(accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS)?)
}

fn environment(cmd: &Cmd) -> BTreeMap<OsString, OsString> {
    let mut variables: BTreeMap<OsString, OsString> = match &cmd.keep_env {
        None => env::vars_os().collect(),
        Some(names) => {
            names.iter().filter_map(|name| Some((name.clone(), env::var_os(name)?))).collect()
        }
    };
    for (name, value) in &cmd.env {
        match value {
            Some(value) => variables.insert(name.clone(), value.clone()),
            None => variables.remove(name),
        };
    }
    variables
}

fn find(cmd: &Cmd) -> Result<PathBuf, Error> {
    let program = Path::new(&cmd.program);
    if cmd.program.as_bytes().contains(&b'/') {
        let path = match &cmd.cwd {
            Some(cwd) => cwd.join(program),
            None => program.to_owned(),
        };
        // The child has changed its folder when it looks.
        let path = std::path::absolute(&path).unwrap_or(path);
        return match fs::metadata(&path) {
            Err(error) if is_absent(&error) => {
                Err(Error::new(ErrorKind::NotFound, cmd, "there is no such file"))
            }
            // What else is wrong with it, the system says when it is started.
            _ => Ok(path),
        };
    }
    let path = cmd.env_of_child(OsStr::new("PATH"));
    let folders = path.as_deref().unwrap_or(OsStr::new(USUAL_PATH));
    // A relative folder would run whatever lies where the child happens to start.
    let folders = env::split_paths(folders).filter(|folder| folder.is_absolute());
    let candidates: Vec<PathBuf> =
        folders.map(|folder| folder.join(program)).filter(|path| path.is_file()).collect();
    let executable = candidates.iter().find(|path| may_execute(path).is_ok());
    // One that cannot be executed is found, too, and then cannot be started.
    executable
        .or(candidates.first())
        .cloned()
        .ok_or_else(|| Error::new(ErrorKind::NotFound, cmd, "not found in any folder of PATH"))
}
