#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
compile_error!("underpin-fsx works through open folders, and knows how on Linux and macOS");

mod atomic;
mod error;
mod gate;
mod json;
mod jsonl;
mod lock;
mod metadata;
mod place;
mod random;
mod read;
mod stamp;
mod temp;
mod ticket;

pub mod blocking;

#[cfg(feature = "watch")]
mod follow;
#[cfg(feature = "tokio")]
mod front;
#[cfg(any(feature = "tokio", feature = "watch"))]
mod handoff;
#[cfg(feature = "tokio")]
mod stream;
#[cfg(feature = "watch")]
mod watch;

pub use crate::{
    atomic::{Durability, Written},
    error::{Error, ErrorKind, Result, State},
    jsonl::{Builder, Flush, Jsonl, Repair, Repaired},
    metadata::{Lost, Preserve},
    place::Symlink,
    read::{
        line::Line,
        stats::{BadLine, Reason, Stats},
    },
};
#[cfg(feature = "watch")]
pub use crate::{
    follow::{Follow, FollowBuilder, Followed, Start, Token},
    watch::{Change, Watch, WatchBuilder},
};
#[cfg(feature = "tokio")]
pub use crate::{
    front::{AtomicFile, read_json, read_json_or, sweep_stale, update_json, write, write_json},
    stream::{Reader, for_each_line, read_jsonl},
};
