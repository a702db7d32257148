//! The connections to a service: HTTP, which is one request per call, and sockets, which carry subscriptions, too.

use std::path::Path;
use std::time::Duration;

use jsonrpsee_client_transport::ws::WsHandshakeError;
use jsonrpsee_core::client::{Client, ClientBuilder, Error as RpcError};
use jsonrpsee_http_client::transport::HttpBackend;
use jsonrpsee_http_client::{
    HeaderMap, HeaderValue, HttpClient, HttpClientBuilder, HttpRequest, RpcLogger, RpcService,
};
use jsonrpsee_ws_client::{PingConfig, WsClientBuilder};
use tower::util::{MapResponse, MapResponseLayer};
use tower::{Service, ServiceBuilder};
use url::Url;

use crate::builder::HeroClientBuilder;
use crate::error::chain;
use crate::{Error, Result, unix};

/// Longest time until there is a connection, and until it has authenticated.
pub(crate) const CONNECT: Duration = Duration::from_secs(10);
/// A call waits for as long as its job runs; a program that wants less drops the future.
const ANSWER: Duration = Duration::from_secs(10 * 365 * 86_400);
/// Notifications that wait to be read. Beyond that, a subscription goes on from the store.
const MOST_KEPT: usize = 10_000;
/// A host that has gone without a word is noticed after twice this time.
const ALIVE: Duration = Duration::from_secs(30);

type Answer = <HttpBackend as Service<HttpRequest>>::Response;
/// A client of jsonrpsee that reads the errors in answers whose HTTP status is one.
pub(crate) type Http = HttpClient<RpcLogger<RpcService<MapResponse<HttpBackend, fn(Answer) -> Answer>>>>;

/// Makes a client for HTTP; nothing is connected yet.
pub(crate) fn http(url: &Url, token: Option<&str>, options: &HeroClientBuilder) -> Result<Http> {
    let mut headers = HeaderMap::new();
    if let Some(token) = token {
        let bearer = HeaderValue::from_str(&format!("Bearer {token}"));
        let mut bearer =
            bearer.map_err(|_| Error::Unusable("the token has characters that no header may have".into()))?;
        bearer.set_sensitive(true);
        headers.insert("authorization", bearer);
    }
    HttpClientBuilder::new()
        .set_headers(headers)
        .max_request_size(u32::MAX)
        .max_response_size(options.max_message_bytes)
        .request_timeout(ANSWER)
        .connect_timeout(CONNECT)
        .set_keep_alive(Some(ALIVE))
        .set_keep_alive_interval(Some(ALIVE / 3))
        .set_keep_alive_retries(Some(3))
        .set_http_middleware(ServiceBuilder::new().layer(MapResponseLayer::new(readable as fn(Answer) -> Answer)))
        .build(url)
        .map_err(|e| Error::Unusable(format!("{url}: {}", chain(&e))))
}

/// jsonrpsee reads no body behind a status of 400 or more; the service has its errors there.
fn readable(mut answer: Answer) -> Answer {
    if answer.headers().get("content-type").is_some_and(|kind| kind == "application/json") {
        *answer.status_mut() = Default::default();
    }
    answer
}

/// Connects a WebSocket or a Unix socket.
pub(crate) async fn socket(url: &Url, options: &HeroClientBuilder) -> Result<Client> {
    if url.scheme() == "unix" {
        let connecting = tokio::time::timeout(CONNECT, unix::connect(Path::new(url.path()), options.max_message_bytes));
        let (sender, receiver) = match connecting.await {
            Ok(connected) => connected.map_err(|e| unreachable(url, e.to_string()))?,
            Err(late) => return Err(unreachable(url, late.to_string())),
        };
        return Ok(ClientBuilder::new()
            .request_timeout(ANSWER)
            .max_buffer_capacity_per_subscription(MOST_KEPT)
            .build_with_tokio(sender, receiver));
    }
    let ping = PingConfig::new().ping_interval(ALIVE).inactive_limit(ALIVE * 2).max_failures(1);
    WsClientBuilder::new()
        .max_request_size(u32::MAX)
        .max_response_size(options.max_message_bytes)
        .max_frame_size(options.max_message_bytes)
        .request_timeout(ANSWER)
        .connection_timeout(CONNECT)
        .max_buffer_capacity_per_subscription(MOST_KEPT)
        .enable_ws_ping(ping)
        .build(url)
        .await
        .map_err(|failed| match failed {
            RpcError::Transport(cause) => match cause.downcast_ref() {
                // Not the path, host or origin that the service serves; it will not be in a minute either.
                Some(WsHandshakeError::Rejected { status_code: status @ 400..500 }) => {
                    Error::Unexpected(format!("{url} refuses a WebSocket with HTTP {status}"))
                }
                _ => unreachable(url, chain(cause.as_ref())),
            },
            other => unreachable(url, chain(&other)),
        })
}

pub(crate) fn unreachable(url: &Url, cause: String) -> Error {
    Error::Unreachable { url: url.to_string(), cause }
}
