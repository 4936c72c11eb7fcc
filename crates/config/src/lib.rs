#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod config;
mod dotenv;
mod env;
mod exit;
mod file;
mod finding;
mod generate;
mod json;
mod kubernetes;
mod problem;
mod reader;
mod secret;
mod spec;
mod suggest;
mod value;

pub use crate::{
    config::{Config, Loaded, Source},
    env::Env,
    problem::{Problem, Problems},
    reader::Reader,
    secret::Secret,
    spec::{Empty, Field, Item, Nested, Spec, Unknown},
    value::{
        ByteSize, Form, Invalid, Listed, Measured, Ranged, Rules, Schemed, Url, Value, from_str,
        has_unit,
    },
};
#[cfg(feature = "derive")]
pub use underpin_config_derive::{Config, Value};
