#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod attempt;
mod body;
mod buffer;
mod builder;
mod circuit;
mod client;
mod describe;
mod disposition;
mod error;
mod hedge;
mod hosts;
mod observe;
mod operation;
mod pace;
mod race;
mod random;
mod reading;
mod redact;
mod redirect;
mod request;
mod response;
mod response_body;
mod resume;
mod retry_after;

pub use reqwest;
pub use underpin_retry::{Budget, Jitter, Retry};

pub use crate::{
    body::Body,
    builder::Builder,
    client::Client,
    disposition::Disposition,
    error::{Error, Kind, Result},
    hedge::Hedge,
    request::Request,
    response::Response,
    response_body::ResponseBody,
};
