// Written by `python -m hero_supervisor.rpc.emit.rust`; do not edit.

use super::*;

/// What a connection may do; each scope includes those before it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantedScope {
    None,
    Read,
    User,
    Admin,
    /// A newer service said so.
    #[serde(untagged)]
    Other(String),
}

/// Whom a connection speaks for, and how it has authenticated: "token", "signature", "peer" or null. `peer` is null
/// over TCP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    pub name: Option<String>,
    pub scope: GrantedScope,
    pub by: Option<String>,
    pub peer: Option<Peer>,
}

/// The process at the other end of a Unix socket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    pub uid: i64,
    pub gid: i64,
    pub pid: i64,
}

/// The optional parameters of `authenticate`.
#[derive(Default, Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuthenticateOptions {
    /// A bearer token; or, before a signature, a public key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// By default the last one of this connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pubkey: Option<String>,
}

/// One of 2 types.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum IdentityOrBool {
    Identity(Identity),
    Bool(bool),
}
