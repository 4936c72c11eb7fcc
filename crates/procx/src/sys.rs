//! What differs between platforms.

#[cfg_attr(target_os = "linux", path = "sys/linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "sys/other.rs")]
mod imp;

pub(crate) use imp::{Ends, Leader, Waker, grow, is_alone, limit, spawn};
