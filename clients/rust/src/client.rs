//! The client: it connects, repeats what may be repeated, and makes a lost connection anew.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use jsonrpsee_core::client::{BatchResponse, Client, ClientT, Error as RpcError};
use jsonrpsee_core::params::{BatchRequestBuilder, ObjectParams};
use jsonrpsee_core::traits::ToRpcParams;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::sync::Mutex as AsyncMutex;
use url::Url;

use crate::api::{BatchesApi, IdentityApi, JobsApi};
use crate::builder::HeroClientBuilder;
use crate::error::too_large;
use crate::events::{Events, Topic};
use crate::link::{self, Http, unreachable};
use crate::repeat::{pause_of, prepared};
use crate::types::{Identity, JobFields, JobStatus};
use crate::{Error, Result, codes};

/// What [`HeroClient::job_output`] waits for in one call, in seconds.
const WAIT_S: f64 = 30.0;

/// A client of one service. A clone uses the same connection.
#[derive(Clone)]
pub struct HeroClient(Arc<Inner>);

struct Inner {
    url: Url,
    options: HeroClientBuilder,
    /// The token, and for HTTP the client that sends it.
    identity: Mutex<(Option<String>, Option<Http>)>,
    /// The connection that carries subscriptions, and all calls if the URL is that of a socket.
    socket: AsyncMutex<Option<Arc<Client>>>,
}

impl HeroClient {
    /// Makes a client without a token; see [`HeroClientBuilder::build`].
    ///
    /// # Errors
    /// [`Error::Unusable`]: the URL cannot be used.
    pub fn new(url: &str) -> Result<Self> {
        Self::builder().build(url)
    }

    /// Makes a client with options.
    pub fn builder() -> HeroClientBuilder {
        HeroClientBuilder::default()
    }

    pub(crate) fn made(url: Url, options: HeroClientBuilder) -> Result<Self> {
        let secure = cfg!(feature = "tls");
        let http = match url.scheme() {
            "http" => Some(link::http(&url, options.token.as_deref(), &options)?),
            "https" if secure => Some(link::http(&url, options.token.as_deref(), &options)?),
            "ws" | "unix" => None,
            "wss" if secure => None,
            "https" | "wss" => return Err(Error::Unusable(format!("{url} needs the feature `tls` of hero-client"))),
            _ => return Err(Error::Unusable(format!("{url}: a URL begins with http, https, ws, wss or unix"))),
        };
        let identity = Mutex::new((options.token.clone(), http));
        Ok(Self(Arc::new(Inner { url, options, identity, socket: AsyncMutex::new(None) })))
    }

    /// Speaks for the holder of another token from now on. Subscriptions that have begun stay those of the old one
    /// until their connection is lost.
    ///
    /// # Errors
    /// The token is refused; it stays in use, as it may be a token that is not known yet.
    pub async fn use_token(&self, token: &str) -> Result<Identity> {
        let http = match self.http() {
            Some(_) => Some(link::http(&self.0.url, Some(token), &self.0.options)?),
            None => None,
        };
        *self.0.identity.lock().unwrap_or_else(PoisonError::into_inner) = (Some(token.to_owned()), http);
        *self.0.socket.lock().await = None;
        self.whoami().await
    }

    /// Stores a job, starts it, and returns its id. It runs once, also when answers are lost.
    ///
    /// # Errors
    /// As [`JobsApi::create_job`] and [`JobsApi::start_job`].
    pub async fn submit_job(&self, job: &JobFields) -> Result<String> {
        let id = self.create_job(job).await?;
        let since = Instant::now();
        loop {
            match self.start_job(&id).await {
                Ok(_) => return Ok(id),
                // It was started before: the same job, or an earlier try.
                Err(e) if e.code() == codes::JOB_STATE => return Ok(id),
                Err(e) if !e.is_uncertain() || since.elapsed() >= self.0.options.patience => return Err(e),
                Err(_) if self.get_job_status(&id).await? != JobStatus::Created => return Ok(id),
                Err(_) => {}
            }
        }
    }

    /// Waits until a job has ended, and returns its output.
    ///
    /// # Errors
    /// [`codes::JOB_FAILED`]: it failed, timed out or was stopped.
    pub async fn job_output(&self, job_id: &str) -> Result<String> {
        let ids = [job_id.to_owned()];
        let options =
            crate::types::WaitJobsOptions { job_ids: Some(ids.to_vec()), timeout: Some(WAIT_S), ..Default::default() };
        while !self.wait_jobs(&options).await?.done {}
        Ok(self.get_job_output(job_id).await?.unwrap_or_default())
    }

    /// Follows a topic; what is given for it selects the events, `JobsWanted` those of jobs for example.
    ///
    /// # Errors
    /// The subscription is refused, or there is no connection for as long as the client is patient.
    pub async fn subscribe<T: Topic>(&self, wanted: T) -> Result<Events<T>> {
        Events::begun(self.clone(), wanted).await
    }

    pub(crate) fn http(&self) -> Option<Http> {
        self.0.identity.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// Whether a failed call may be tried again now; waits before it says yes.
    pub(crate) async fn goes_on(&self, since: Instant, tries: u32) -> bool {
        let pause = pause_of(tries);
        if since.elapsed() + pause >= self.0.options.patience {
            return false;
        }
        tokio::time::sleep(pause).await;
        true
    }

    /// The socket, made anew if it was lost, with the token as its first message.
    pub(crate) async fn socket(&self) -> Result<Arc<Client>> {
        let mut kept = self.0.socket.lock().await;
        if let Some(socket) = kept.as_ref().filter(|socket| socket.is_connected()) {
            return Ok(socket.clone());
        }
        let url = self.socket_url();
        let socket = link::socket(&url, &self.0.options).await?;
        let token = self.0.identity.lock().unwrap_or_else(PoisonError::into_inner).0.clone();
        if let Some(token) = token {
            let mut params = ObjectParams::new();
            params.insert("token", token).map_err(|e| Error::Unusable(e.to_string()))?;
            let answer = socket.request::<Box<RawValue>, _>("authenticate", params);
            let answered = tokio::time::timeout(link::CONNECT, answer).await;
            if let Err(failed) = answered.map_err(|late| unreachable(&url, late.to_string()))? {
                let failed = Error::of_call("authenticate", failed);
                // A connection that was lost here has carried nothing yet.
                return Err(if failed.is_uncertain() { unreachable(&url, failed.to_string()) } else { failed });
            }
        }
        Ok(kept.insert(Arc::new(socket)).clone())
    }

    fn socket_url(&self) -> Url {
        let text = self.0.url.as_str();
        // `set_scheme` refuses to turn http into ws.
        let socket = text.strip_prefix("http").map(|rest| format!("ws{rest}"));
        socket.and_then(|text| Url::parse(&text).ok()).unwrap_or_else(|| self.0.url.clone())
    }

    async fn once<R: DeserializeOwned>(&self, method: &str, params: Option<Box<RawValue>>) -> Result<R> {
        let given = Written(params);
        let answered = match self.http() {
            Some(http) => http.request(method, given).await,
            None => self.socket().await?.request(method, given).await,
        };
        answered.map_err(|failed| self.located(Error::of_call(method, failed)))
    }

    pub(crate) fn unreachable(&self, cause: String) -> Error {
        unreachable(&self.0.url, cause)
    }

    fn located(&self, error: Error) -> Error {
        match error {
            Error::Unreachable { cause, .. } => self.unreachable(cause),
            other => other,
        }
    }

    async fn repeated<R: DeserializeOwned>(&self, method: &str, params: Option<Box<RawValue>>) -> Result<R> {
        let (params, repeatable) = prepared(method, params).map_err(|e| Error::Unusable(e.to_string()))?;
        if params.as_ref().is_some_and(|raw| raw.get().len() > self.0.options.max_message_bytes as usize) {
            return Err(too_large("request", method));
        }
        let since = Instant::now();
        let mut tries = 0;
        loop {
            let failed = match self.once(method, params.clone()).await {
                Ok(result) => return Ok(result),
                Err(failed) => failed,
            };
            let again = match failed {
                Error::Unreachable { .. } => true,
                // The large answer may have been that of another call on the same socket; the second one is not.
                Error::TooLarge { .. } => repeatable && tries == 0 && self.http().is_none(),
                _ => repeatable && failed.is_uncertain(),
            };
            if !again || !self.goes_on(since, tries).await {
                return Err(failed);
            }
            tries += 1;
        }
    }
}

impl ClientT for HeroClient {
    /// Notifications are not repeated.
    async fn notification<Params>(&self, method: &str, params: Params) -> std::result::Result<(), RpcError>
    where
        Params: ToRpcParams + Send,
    {
        match self.http() {
            Some(http) => http.notification(method, params).await,
            None => self.socket().await?.notification(method, params).await,
        }
    }

    async fn request<R, Params>(&self, method: &str, params: Params) -> std::result::Result<R, RpcError>
    where
        R: DeserializeOwned,
        Params: ToRpcParams + Send,
    {
        Ok(self.repeated(method, params.to_rpc_params()?).await?)
    }

    /// Batches are not repeated.
    async fn batch_request<'a, R>(
        &self,
        batch: BatchRequestBuilder<'a>,
    ) -> std::result::Result<BatchResponse<'a, R>, RpcError>
    where
        R: DeserializeOwned + fmt::Debug + 'a,
    {
        match self.http() {
            Some(http) => http.batch_request(batch).await,
            None => self.socket().await?.batch_request(batch).await,
        }
    }
}

impl fmt::Debug for HeroClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HeroClient").field(&self.0.url.as_str()).finish()
    }
}

/// Parameters that are written already.
pub(crate) struct Written(pub(crate) Option<Box<RawValue>>);

impl ToRpcParams for Written {
    fn to_rpc_params(self) -> serde_json::Result<Option<Box<RawValue>>> {
        Ok(self.0)
    }
}
