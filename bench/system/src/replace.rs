//! A file is replaced, by others of the same durability.

use std::{
    fs::File,
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use measure::{Contender, print, run as measure};
use underpin_fsx::{Durability, blocking::AtomicFile};

const BATCHES: usize = 31;
const BATCH: Duration = Duration::from_millis(20);

fn sized(dir: &Path, size: usize) {
    let content = vec![b'x'; size];
    let content = content.as_slice();
    let path = |name: &str| dir.join(name);
    let fsx = |durability| {
        let file = AtomicFile::at(path("fsx")).durability(durability);
        move || file.write(content).expect("it is written")
    };
    let figures = measure(
        vec![
            Contender::new("fsx, file and folder flushed", fsx(Durability::Full)),
            Contender::new("atomic-write-file, the same", || {
                let mut file = atomic_write_file::AtomicWriteFile::open(path("awf"))?;
                file.write_all(content)?;
                file.commit()?;
                io::Result::Ok(())
            }),
            Contender::new("tempfile and two flushes by hand", || {
                persist(dir, &path("tf"), content).and_then(|()| File::open(dir)?.sync_all())
            }),
            Contender::new("fsx, file flushed", fsx(Durability::Data)),
            Contender::new("tempfile and one flush by hand", || persist(dir, &path("tf"), content)),
            Contender::new("fsx, nothing flushed", fsx(Durability::None)),
        ],
        BATCHES,
        BATCH,
    );
    print(&format!("replace a file of {} KiB", size >> 10), &figures);
}

fn persist(dir: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

pub(crate) fn run(dir: &Path) -> io::Result<()> {
    sized(dir, 4 << 10);
    sized(dir, 1 << 20);
    Ok(())
}
