//! What differs between platforms.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

#[cfg(target_os = "linux")]
use self::linux as imp;
#[cfg(not(target_os = "linux"))]
use self::other as imp;

pub(crate) use self::imp::{
    Ends, Leader, Waker, adopts, grow, hold, is_alone, reap_adopted, send, spawn,
};
#[cfg(target_os = "linux")]
pub(crate) use self::linux::starts_in_cgroups;
