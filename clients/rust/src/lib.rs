//! A client of the Hero actor runtime: JSON-RPC over HTTP, WebSocket or a Unix socket, on jsonrpsee.
//!
//! [`HeroClient`] makes the calls, and makes its connection anew when it is lost. The methods of the service are those
//! of the traits in [`api`]; [`FamilyApi`] has the names of the newer Rust supervisor. The traits are implemented for
//! every client of jsonrpsee, [`HeroClient`] among them.
//!
//! ```no_run
//! use hero_client::{HeroClient, api::*, types::*};
//!
//! # async fn run() -> hero_client::Result<()> {
//! let client = HeroClient::new("unix:///run/hero/hero.ipc")?;
//! let output = client.run_job(&JobFields::new("me", "here", "40 + 2", ScriptType::Sal)).await?;
//! # Ok(()) }
//! ```

pub mod api;
mod builder;
mod client;
pub mod codes;
mod error;
mod events;
mod family;
mod link;
mod methods;
mod repeat;
mod rules;
pub mod types;
mod unix;

pub use builder::HeroClientBuilder;
pub use client::HeroClient;
pub use error::{Error, Refusal, Result};
pub use events::{Events, Topic};
pub use family::{FamilyApi, RunnerJob, RunnerJobResult, RunnerJobStatus, RunnerLogs};
pub use methods::Caller;
pub(crate) use methods::methods;
