//! `/version`: what runs here.

use axum::{Json, extract::State};
use serde::Serialize;

use super::Service;
use crate::settings::Settings;

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Version {
    service: String,
    #[serde(rename = "version")]
    number: &'static str,
    environment: &'static str,
}

impl Version {
    pub(crate) fn new(settings: &Settings) -> Version {
        Version {
            service: settings.otel_service_name.clone(),
            number: env!("CARGO_PKG_VERSION"),
            environment: settings.app_env.name(),
        }
    }
}

pub(super) async fn show(State(service): State<Service>) -> Json<Version> {
    Json(service.version)
}
