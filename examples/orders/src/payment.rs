//! The payment provider, as this service sees it.

pub(crate) mod stub;

use serde::{Deserialize, Serialize};

/// What the provider is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Charge {
    /// The order's, and no other's: what the provider's books are compared by.
    pub(crate) reference: String,
    pub(crate) customer: String,
    pub(crate) cents: u32,
    /// What for, in words for the customer.
    pub(crate) description: String,
}

/// What the provider says it has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) id: String,
    pub(crate) reference: String,
    pub(crate) cents: u32,
}
