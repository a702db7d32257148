//! Subscriptions, which go on after the last event when their connection was lost.

use std::time::Instant;

use futures_util::Stream;
use futures_util::stream::unfold;
use jsonrpsee_core::client::{Subscription, SubscriptionClientT};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::client::HeroClient;
use crate::methods::Given;
use crate::{Error, Result};

/// What selects the events of a topic: `JobsWanted`, `LogWanted`, `ActorsWanted`, `MetricsWanted` or `AuditWanted`.
pub trait Topic: Serialize {
    /// The topic of `hero_subscribe`.
    const NAME: &'static str;
    /// Its events, and what is said of the subscription itself.
    type Message: DeserializeOwned;
}

/// The events of a subscription. Dropping it ends the subscription.
pub struct Events<T: Topic> {
    client: HeroClient,
    wanted: Map<String, Value>,
    current: Option<Subscription<Value>>,
    /// Whether the current subscription has sent something; if not, the next one begins after a pause.
    moved: bool,
    ended: bool,
    topic: std::marker::PhantomData<fn() -> T>,
}

impl<T: Topic> Events<T> {
    pub(crate) async fn begun(client: HeroClient, wanted: T) -> Result<Self> {
        let wanted = match serde_json::to_value(&wanted) {
            Ok(Value::Object(wanted)) => wanted,
            other => return Err(Error::Unusable(format!("a topic is selected by an object, not {other:?}"))),
        };
        let topic = std::marker::PhantomData;
        let mut events = Self { client, wanted, current: None, moved: true, ended: false, topic };
        events.begin().await?;
        Ok(events)
    }

    /// The next event; `None` after the end of a log, or after the service has refused to go on.
    ///
    /// After [`Error::Unreachable`] a further call tries again. Some events come twice after a lost connection, because
    /// several jobs can change in one step.
    pub async fn next(&mut self) -> Option<Result<T::Message>> {
        loop {
            if self.ended {
                return None;
            }
            let Some(current) = &mut self.current else {
                match self.begin().await {
                    Ok(()) => continue,
                    Err(failed) => {
                        self.ended = !matches!(failed, Error::Unreachable { .. });
                        return Some(Err(failed));
                    }
                }
            };
            match current.next().await {
                Some(Ok(message)) => return Some(self.taken(message)),
                Some(Err(e)) => return Some(Err(Error::Unexpected(format!("an event is no JSON: {e}")))),
                // The connection was lost, the service stops, or this program has read too slowly.
                None => self.current = None,
            }
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Result<T::Message>> {
        unfold(self, |mut events| async move { events.next().await.map(|message| (message, events)) })
    }

    fn taken(&mut self, message: Value) -> Result<T::Message> {
        self.moved = true;
        if let Some(cursor) = message.get("cursor").and_then(Value::as_str).filter(|cursor| !cursor.is_empty()) {
            self.wanted.insert("after".to_owned(), Value::from(cursor));
        }
        self.ended = T::NAME == "logs" && message.get("event").is_some_and(|event| event == "end");
        serde_json::from_value(message).map_err(|e| Error::Unexpected(format!("an event is not as described: {e}")))
    }

    /// Subscribes after the last event.
    async fn begin(&mut self) -> Result<()> {
        let since = Instant::now();
        let mut tries = 0;
        if !self.moved {
            self.client.goes_on(since, tries).await;
        }
        loop {
            let failed = match self.subscribed().await {
                Ok(subscription) => {
                    self.current = Some(subscription);
                    self.moved = false;
                    return Ok(());
                }
                Err(failed) => failed,
            };
            // A subscription that was lost with its connection has ended there.
            let again = matches!(failed, Error::Unreachable { .. }) || failed.is_uncertain();
            if !again || !self.client.goes_on(since, tries).await {
                return Err(match failed {
                    Error::Lost { cause, .. } => self.client.unreachable(cause),
                    other => other,
                });
            }
            tries += 1;
        }
    }

    async fn subscribed(&self) -> Result<Subscription<Value>> {
        let params = Given::default().and("topic", &T::NAME).and("params", &self.wanted);
        let socket = self.client.socket().await?;
        let begun = socket.subscribe("hero_subscribe", params, "hero_unsubscribe").await;
        begun.map_err(|failed| Error::of_call("hero_subscribe", failed))
    }
}
