//! Where a program is, and how it is given to the system.

use std::{
    env,
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    cmd::Cmd,
    error::{Error, ErrorKind},
};

/// Where `execvp` looks when there is no `PATH`.
const USUAL_PATH: &str = "/bin:/usr/bin";

/// Makes a command of std that it starts with `posix_spawn`: with a path for a program and nothing to run between fork and exec.
///
/// Anything else, even a `PATH` that is set, makes std fork, which copies the page tables of the caller: 45 ms for each GiB in use.
pub(crate) fn prepare(cmd: &Cmd) -> Result<Command, Error> {
    let words = cmd.args.iter().map(|arg| &arg.value).chain([&cmd.program]);
    if cmd.program.is_empty() || words.into_iter().any(|word| word.as_bytes().contains(&0)) {
        let detail = "a program needs a name, and no argument may contain a NUL";
        return Err(Error::new(ErrorKind::Spawn, cmd, detail));
    }
    if let Some(cwd) = &cmd.cwd
        && !cwd.is_dir()
    {
        let detail = format!("the folder to run in does not exist: {}", cwd.display());
        return Err(Error::new(ErrorKind::CwdMissing, cmd, cmd.redactor.text(&detail)));
    }
    let mut command = Command::new(find(cmd)?);
    command.arg0(&cmd.program).args(cmd.args.iter().map(|arg| &arg.value));
    command.process_group(0);
    if let Some(cwd) = &cmd.cwd {
        command.current_dir(cwd);
    }
    if let Some(names) = &cmd.keep_env {
        command.env_clear();
        command.envs(names.iter().filter_map(|name| Some((name, env::var_os(name)?))));
    }
    for (name, value) in &cmd.env {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Ok(command)
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
