//! The naive evaluator's own catalogue of actions.

use serde_json::Value;

/// One action of the Service Authorization Reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueAction {
    /// `ecr:PutImage`, in the catalogue's spelling.
    pub action: String,
    /// `Write`, or a compound such as `Permissions management, Write`.
    pub access_level: String,
    /// `repository`, `registry`, or none.
    pub resource_types: Vec<String>,
    /// The condition keys that the reference lists for this action, such as `aws:RequestTag/${TagKey}`.
    pub condition_keys: Vec<String>,
}

impl CatalogueAction {
    /// The service prefix.
    pub fn service(&self) -> &str {
        self.action.split(':').next().unwrap_or_default()
    }

    /// Whether its requests name only the literal `*`.
    pub fn without_resource_type(&self) -> bool {
        self.resource_types.is_empty()
    }
}

/// Reads `[{"action", "access_level", "resource_types": […], "condition_keys": […]}]`.
///
/// # Errors
/// An entry of another shape.
pub fn catalogue(value: &Value) -> Result<Vec<CatalogueAction>, String> {
    let entries = value.as_array().ok_or("the catalogue is not a list")?;
    entries.iter().map(entry).collect()
}

fn entry(value: &Value) -> Result<CatalogueAction, String> {
    let text = |key: &str| value[key].as_str().map(str::to_owned).ok_or_else(|| format!("no text `{key}` in {value}"));
    let list = |key: &str| {
        let items = value[key].as_array().ok_or_else(|| format!("no list `{key}` in {value}"))?;
        items
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(|| format!("no text in `{key}` of {value}")))
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(CatalogueAction {
        action: text("action")?,
        access_level: text("access_level")?,
        resource_types: list("resource_types")?,
        condition_keys: list("condition_keys")?,
    })
}
