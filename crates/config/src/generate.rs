//! Documents made from a [`Spec`](crate::Spec).

mod env_example;
mod json_schema;
mod markdown;
