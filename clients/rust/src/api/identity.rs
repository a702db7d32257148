// Written by `python -m hero_supervisor.rpc.emit.rust`; do not edit.

use super::methods;
use crate::types::*;

methods! {
    /// The methods of identity.
    IdentityApi {
        /// Return a nonce to sign; it is good for one attempt to authenticate within one minute. Scope: none.
        fetch_nonce(pubkey: &str) -> String;

        /// Authenticate this connection by a bearer token, or by a public key and a signed nonce. Returns what
        /// whoami returns if you give a token, and true if you give a signature. Scope: none.
        authenticate(; options: &AuthenticateOptions) -> IdentityOrBool;

        /// Return whom this connection speaks for. Scope: read.
        whoami() -> Identity;
    }
}
