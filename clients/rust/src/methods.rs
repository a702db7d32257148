//! How a trait of methods becomes calls: `methods!` writes each of them as a request with parameters by name.

use jsonrpsee_core::client::{ClientT, Error as RpcError};
use jsonrpsee_core::traits::ToRpcParams;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use crate::Result;

/// Whatever can make calls: every client of jsonrpsee.
pub trait Caller: ClientT + Sync {}

impl<C: ClientT + Sync> Caller for C {}

/// Writes a trait. A method is `name(parameter: type, ...; options: type) -> result;`: `options` is a struct whose
/// fields are parameters, too. `as "a.name"` behind the name is the name on the wire, if it is another.
macro_rules! methods {
    ($(#[$about:meta])* $trait:ident {
        $($(#[$doc:meta])* $name:ident $(as $wire:literal)?
            ($($param:ident: $kind:ty),* $(; $options:ident: $all:ty)?) -> $result:ty;)*
    }) => {
        $(#[$about])*
        pub trait $trait: $crate::Caller {
            $($(#[$doc])*
            fn $name(
                &self $(, $param: $kind)* $(, $options: $all)?
            ) -> impl Future<Output = $crate::Result<$result>> + Send {
                let given = $crate::methods::Given::default();
                $(let given = given.and(stringify!($param), &$param);)*
                $(let given = given.all($options);)?
                $crate::methods::ask(self, [$($wire,)? stringify!($name)][0], given)
            })*
        }

        impl<C: $crate::Caller> $trait for C {}
    };
}
pub(crate) use methods;

/// Parameters by name; those that are `None` are left out.
pub(crate) struct Given(serde_json::Result<Map<String, Value>>);

impl Default for Given {
    fn default() -> Self {
        Self(Ok(Map::new()))
    }
}

impl Given {
    pub(crate) fn and(self, name: &str, value: &impl Serialize) -> Self {
        Self(self.0.and_then(|mut map| {
            let value = serde_json::to_value(value)?;
            if !value.is_null() {
                map.insert(name.trim_start_matches("r#").to_owned(), value);
            }
            Ok(map)
        }))
    }

    /// Adds each field of a struct.
    pub(crate) fn all(self, options: &impl Serialize) -> Self {
        Self(self.0.and_then(|mut map| {
            if let Value::Object(fields) = serde_json::to_value(options)? {
                map.extend(fields);
            }
            Ok(map)
        }))
    }
}

impl ToRpcParams for Given {
    fn to_rpc_params(self) -> serde_json::Result<Option<Box<RawValue>>> {
        to_raw_value(&self.0?).map(Some)
    }
}

/// Makes a call.
pub(crate) async fn ask<C, R>(client: &C, method: &str, given: Given) -> Result<R>
where
    C: Caller + ?Sized,
    R: DeserializeOwned,
{
    client.request(method, given).await.map_err(|failed: RpcError| crate::Error::of_call(method, failed))
}
