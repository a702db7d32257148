//! The options of a client.

use std::time::Duration;

use url::Url;

use crate::client::HeroClient;
use crate::{Error, Result};

/// Makes a [`HeroClient`].
#[derive(Clone, Debug)]
pub struct HeroClientBuilder {
    pub(crate) token: Option<String>,
    pub(crate) patience: Duration,
    pub(crate) max_message_bytes: u32,
}

impl Default for HeroClientBuilder {
    fn default() -> Self {
        Self { token: None, patience: Duration::from_secs(60), max_message_bytes: 64 << 20 }
    }
}

impl HeroClientBuilder {
    /// A bearer token. Without one, the client has the rights of a client without a token; on a Unix socket, those of
    /// its user.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into()).filter(|token| !token.is_empty());
        self
    }

    /// For how long a call waits for a connection, and is repeated if that is safe; by default a minute.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Most bytes of a request and of an answer, by default 64 MiB. The service has a limit of its own.
    #[must_use]
    pub fn max_message_bytes(mut self, max_bytes: u32) -> Self {
        self.max_message_bytes = max_bytes;
        self
    }

    /// Makes the client; it connects with the first call.
    ///
    /// The URL is `http://HOST:PORT`, `ws://HOST:PORT`, `unix:///PATH`, or with the feature `tls` one of `https` and
    /// `wss`.
    ///
    /// # Errors
    /// [`Error::Unusable`]: the URL cannot be used.
    pub fn build(self, url: &str) -> Result<HeroClient> {
        let parsed = Url::parse(url).map_err(|e| Error::Unusable(format!("{url}: {e}")))?;
        HeroClient::made(parsed, self)
    }
}
