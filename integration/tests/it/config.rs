//! Configuration under a million environments, and as programs that are not ours read what it writes.

mod canaries;
mod documents;
