// Written by `python -m hero_supervisor.rpc.emit.rust`; do not edit.

//! The methods of the service, as traits of every client of jsonrpsee.

use super::methods;

mod actors;
mod acts;
mod batches;
mod identity;
mod jobs;
mod lists;
mod objects;
mod queues;
mod service;
mod subscriptions;

pub use actors::ActorsApi;
pub use acts::ActsApi;
pub use batches::BatchesApi;
pub use identity::IdentityApi;
pub use jobs::JobsApi;
pub use lists::ListsApi;
pub use objects::ObjectsApi;
pub use queues::QueuesApi;
pub use service::ServiceApi;
pub use subscriptions::SubscriptionsApi;

/// All methods of the service.
pub trait HeroApi:
    ActorsApi
    + ActsApi
    + BatchesApi
    + IdentityApi
    + JobsApi
    + ListsApi
    + ObjectsApi
    + QueuesApi
    + ServiceApi
    + SubscriptionsApi
{
}

impl<C: super::Caller> HeroApi for C {}
