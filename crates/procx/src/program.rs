//! Where a program is, and how it is given to the system.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    fs, io,
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt as _, fs::PermissionsExt as _, process::CommandExt as _},
    },
    path::{Path, PathBuf},
    process::Command,
};

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
    let bad = |word: &OsString| word.as_bytes().contains(&0);
    let variables = cmd.env.iter().flat_map(|(name, value)| [Some(name), value.as_ref()]).flatten();
    let words = cmd.args.iter().map(|arg| &arg.value).chain([&cmd.program]).chain(variables);
    if cmd.program.is_empty() || words.into_iter().any(bad) {
        let detail = "a program needs a name, and no argument or variable may contain a NUL";
        return Err(Error::new(ErrorKind::Spawn, cmd, detail));
    }
    if let Some(cwd) = &cmd.cwd
        && !cwd.is_dir()
    {
        let detail = format!("the folder to run in does not exist: {}", cwd.display());
        return Err(Error::new(ErrorKind::CwdMissing, cmd, cmd.redactor.text(&detail)));
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
        return if path.exists() {
            Ok(path)
        } else {
            Err(Error::new(ErrorKind::NotFound, cmd, "there is no such file"))
        };
    }
    let path = cmd.env_of_child(OsStr::new("PATH"));
    let folders = path.as_deref().unwrap_or(OsStr::new(USUAL_PATH));
    // A relative folder would run whatever lies where the child happens to start.
    let folders = env::split_paths(folders).filter(|folder| folder.is_absolute());
    let candidates: Vec<PathBuf> =
        folders.map(|folder| folder.join(program)).filter(|path| path.is_file()).collect();
    let executable = candidates
        .iter()
        .find(|path| fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o111 != 0));
    // One that cannot be executed is found, too, and then cannot be started.
    executable
        .or(candidates.first())
        .cloned()
        .ok_or_else(|| Error::new(ErrorKind::NotFound, cmd, "not found in any folder of PATH"))
}
