// Written by `python -m hero_supervisor.rpc.emit.rust`; do not edit.

use std::collections::BTreeMap;

use serde_json::Value;

use super::methods;
use crate::types::*;

methods! {
    /// The methods of objects.
    ObjectsApi {
        /// Return an object with the defaults of its type and a new SID; set_object then stores it. Scope: user.
        new_object(r#type: &str, context_id: Option<&str>) -> ObjectView;

        /// Store an object. It is refused if it does not fit its type, or was changed since the given version.
        /// Scope: user.
        set_object(r#type: &str, sid: &str, fields: &BTreeMap<String, Value>, version: Option<i64>, context_id: Option<&str>) -> ObjectWritten;

        /// Return an object. Scope: read.
        get_object(r#type: &str, sid: &str, context_id: Option<&str>) -> ObjectView;

        /// Delete an object and its history. Scope: user.
        delete_object(r#type: &str, sid: &str, version: Option<i64>, context_id: Option<&str>) -> ();

        /// Return one page of the SIDs of all objects of a type. Scope: read.
        list_objects(r#type: &str; options: &ListObjectsOptions) -> SidPage;

        /// Return one page of the SIDs of the objects that a query finds in indexed fields. Scope: read.
        find_objects(r#type: &str, query: &str; options: &FindObjectsOptions) -> SidPage;

        /// Return the last ten versions of an object, the newest first. Scope: read.
        get_object_history(r#type: &str, sid: &str, context_id: Option<&str>) -> Vec<ObjectView>;

        /// Return the types that a context has objects of; for an administrator without a context, those of all.
        /// Scope: read.
        list_object_types(context_id: Option<&str>) -> Vec<ObjectCount>;

        /// Return who may do what with the objects of a context; for its owner and its administrators. Scope: read.
        get_object_rights(context_id: Option<&str>) -> ObjectRightsView;

        /// Change who may do what with the objects of a context; for its owner and its administrators. Scope: user.
        change_object_rights(change: &str, to: &str, member: &str, context_id: Option<&str>) -> ObjectRightsView;
    }
}
