// Written by `python -m hero_supervisor.rpc.emit.rust`; do not edit.

use super::*;

/// How many objects of a type a context has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectCount {
    pub context_id: String,
    pub r#type: String,
    pub count: i64,
}

/// Who may do what with the objects of a context, besides its owner. A member `group:NAME` is a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectRightsView {
    pub admin: Vec<String>,
    pub write: Vec<String>,
    pub read: Vec<String>,
    pub groups: BTreeMap<String, Vec<String>>,
}

/// One version of an object; `written_by` is null for the operator, `job_id` is empty if no job wrote it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectView {
    pub sid: String,
    pub r#type: String,
    pub version: i64,
    pub written_at: Option<String>,
    pub written_by: Option<String>,
    pub job_id: String,
    pub fields: BTreeMap<String, Value>,
}

/// The SID and the new version of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectWritten {
    pub sid: String,
    pub version: i64,
}

/// One page of SIDs; an empty cursor means that it is the last page. A page may be short without being the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SidPage {
    pub sids: Vec<String>,
    pub cursor: String,
}

/// The optional parameters of `list_objects`.
#[derive(Default, Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListObjectsOptions {
    /// Cursor of the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Most objects on the page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The context; by default that of the connection, or of its caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_id: Option<String>,
}

/// The optional parameters of `find_objects`.
#[derive(Default, Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FindObjectsOptions {
    /// Cursor of the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Most objects on the page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The context; by default that of the connection, or of its caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_id: Option<String>,
}
