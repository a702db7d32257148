//! The errors of a client: what the service refused, and what became of the connection.

use std::error::Error as StdError;

use hyper_util::client::legacy::Error as HyperError;
use jsonrpsee_core::client::Error as RpcError;
use jsonrpsee_core::http_helpers::HttpError;
use jsonrpsee_http_client::transport::Error as HttpFailure;
use jsonrpsee_http_client::types::ErrorObjectOwned;
use serde_json::{Map, Value};

use crate::codes;

/// A result of this client.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The service answered with an error.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The connection was lost after the call was sent. The call may have taken effect, and may not be repeated.
    #[error("the connection was lost before the answer to {method} came, it may have taken effect: {cause}")]
    Lost {
        /// The method that was called.
        method: String,
        /// What became of the connection.
        cause: String,
    },
    /// There was no connection for as long as the client is patient.
    #[error("{url} cannot be reached: {cause}")]
    Unreachable {
        /// Of the service.
        url: String,
        /// What the last try ended with.
        cause: String,
    },
    /// A request, or the answer to it, is larger than the client allows.
    #[error("the {what} of {method} is too large; HeroClientBuilder::max_message_bytes sets the limit")]
    TooLarge {
        /// `request` or `answer`.
        what: &'static str,
        /// The method that was called.
        method: String,
    },
    /// What answers is no service of this kind, or a newer one.
    #[error("{0}")]
    Unexpected(String),
    /// The URL or an option of the client cannot be used.
    #[error("{0}")]
    Unusable(String),
}

/// An error that the service has answered with.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message} (code {code}, {kind})")]
pub struct Refusal {
    /// One of [`codes`].
    pub code: i32,
    /// A stable word; of a failed job the kind of its failure.
    pub kind: String,
    /// A sentence for people.
    pub message: String,
    /// `hint`, and what belongs to the kind.
    pub data: Map<String, Value>,
}

impl Refusal {
    /// What to do about it; "" if nothing is said.
    pub fn hint(&self) -> &str {
        self.data.get("hint").and_then(Value::as_str).unwrap_or("")
    }

    /// The line of the script that failed.
    pub fn line(&self) -> Option<u64> {
        self.data.get("line").and_then(Value::as_u64)
    }
}

impl Error {
    /// The code of the service; 0 if it is no error of the service.
    pub fn code(&self) -> i32 {
        match self {
            Error::Refused(refusal) => refusal.code,
            _ => 0,
        }
    }

    /// A stable word: that of the service, or one of `connection_lost`, `unreachable`, `too_large`, `unexpected` and
    /// `unusable`.
    pub fn kind(&self) -> &str {
        match self {
            Error::Refused(refusal) => &refusal.kind,
            Error::Lost { .. } => "connection_lost",
            Error::Unreachable { .. } => "unreachable",
            Error::TooLarge { .. } => "too_large",
            Error::Unexpected(_) => "unexpected",
            Error::Unusable(_) => "unusable",
        }
    }

    /// What the service has said, if it refused the call.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Error::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Whether it says nothing of what became of the call: the answer is lost, or the service is in trouble.
    pub(crate) fn is_uncertain(&self) -> bool {
        matches!(self, Error::Lost { .. }) || [codes::STORE_UNAVAILABLE, codes::SHUTTING_DOWN].contains(&self.code())
    }

    /// Translates an error of jsonrpsee. Those that [`HeroClient`](crate::HeroClient) has made come out as they were.
    pub(crate) fn of_call(method: &str, failed: RpcError) -> Self {
        match failed {
            RpcError::Call(answered) => Error::Refused(Box::new(answered.into())),
            RpcError::Transport(cause) => match cause.downcast::<Error>() {
                Ok(own) => *own,
                Err(cause) => of_transport(method, cause.as_ref()),
            },
            RpcError::RestartNeeded(cause) => match cause.as_ref() {
                RpcError::Transport(cause) => of_transport(method, cause.as_ref()),
                other => lost(method, other),
            },
            RpcError::ParseError(e) => Error::Unexpected(format!("the answer to {method} is not as described: {e}")),
            RpcError::HttpNotImplemented => Error::Unusable(format!("{method} needs a WebSocket or a Unix socket")),
            RpcError::EmptyBatchRequest(e) => Error::Unusable(e.to_string()),
            other => lost(method, &other),
        }
    }
}

/// For calls that are made by the methods of jsonrpsee.
impl From<RpcError> for Error {
    fn from(failed: RpcError) -> Self {
        Error::of_call("a call", failed)
    }
}

/// jsonrpsee has an error type of its own, which carries ours to the caller.
impl From<Error> for RpcError {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => RpcError::Call((*refusal).into()),
            other => RpcError::Transport(Box::new(other)),
        }
    }
}

impl From<ErrorObjectOwned> for Refusal {
    fn from(answered: ErrorObjectOwned) -> Self {
        let data = answered.data().and_then(|raw| serde_json::from_str::<Map<String, Value>>(raw.get()).ok());
        let data = data.unwrap_or_default();
        let kind = data.get("kind").and_then(Value::as_str).unwrap_or("unknown").to_owned();
        Self { code: answered.code(), kind, message: answered.message().to_owned(), data }
    }
}

impl From<Refusal> for ErrorObjectOwned {
    fn from(refusal: Refusal) -> Self {
        ErrorObjectOwned::owned(refusal.code, refusal.message, Some(refusal.data))
    }
}

fn of_transport(method: &str, cause: &(dyn StdError + 'static)) -> Error {
    match cause.downcast_ref() {
        Some(HttpFailure::Rejected { status_code }) => {
            Error::Unexpected(format!("{method} was answered with HTTP {status_code}, and not in JSON-RPC"))
        }
        Some(HttpFailure::Http(HttpError::TooLarge)) => too_large("answer", method),
        Some(HttpFailure::Http(HttpError::Stream(stream))) => match stream.downcast_ref::<HyperError>() {
            Some(e) if e.is_connect() => Error::Unreachable { url: "the service".to_owned(), cause: chain(e) },
            _ => lost(method, stream.as_ref()),
        },
        // The transports have no common type for this; all of them say it with these words.
        None if chain(cause).to_lowercase().contains("too large") => too_large("answer", method),
        _ => lost(method, cause),
    }
}

pub(crate) fn too_large(what: &'static str, method: &str) -> Error {
    Error::TooLarge { what, method: method.to_owned() }
}

fn lost(method: &str, cause: &(dyn StdError + 'static)) -> Error {
    Error::Lost { method: method.to_owned(), cause: chain(cause) }
}

/// The texts of an error and of its causes, because hyper tells only the causes what happened.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut told = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !told.contains(&text) {
            told = format!("{told}: {text}");
        }
        next = cause.source();
    }
    told
}
