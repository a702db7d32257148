// Written by `python -m hero_supervisor.rpc.emit.rust`; do not edit.

//! What the methods take and answer.

#![allow(unused_imports)] // each file has the same

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

mod actors;
mod acts;
mod batches;
mod common;
mod identity;
mod jobs;
mod lists;
mod objects;
mod queues;
mod service;
mod subscriptions;

pub use actors::*;
pub use acts::*;
pub use batches::*;
pub use common::*;
pub use identity::*;
pub use jobs::*;
pub use lists::*;
pub use objects::*;
pub use queues::*;
pub use service::*;
pub use subscriptions::*;
