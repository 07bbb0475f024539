//! The right to publish and play: names, keys, and the callbacks.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use frameloom_rtmp::Secret;

use crate::callback::{Answer, CallbackClient};
use crate::counters::Reason;
use crate::deadline::within;
use crate::relay::StreamName;
use crate::relay::name::is_part;
use crate::visitor::{Action, Visitor, parameters};
use crate::warnings::{Warning, Warnings};
use crate::{Result, ServerConfig};

/// The answer to a visitor: the name to go on under.
pub(crate) type AccessVerdict = std::result::Result<StreamName, Reason>;

/// A verdict that takes its time.
pub(crate) type PendingDecision = Pin<Box<dyn Future<Output = AccessVerdict> + Send>>;

/// A verdict, or the way to it.
pub(crate) enum Decision {
    Now(AccessVerdict),
    Later(PendingDecision),
}

/// Decides who may publish and play.
pub(crate) struct Access {
    publish_key: Option<Secret>,
    play_key: Option<Secret>,
    on_publish: Option<Arc<CallbackClient>>,
    on_play: Option<Arc<CallbackClient>>,
    time_out: Duration,
    warnings: Arc<Warnings>,
}

impl Access {
    /// # Errors
    ///
    /// [`Error::RootCertificates`](crate::Error::RootCertificates) where an `https` callback can't
    /// be asked.
    pub(crate) fn new(config: &ServerConfig, warnings: Arc<Warnings>) -> Result<Self> {
        let asker = |callback: &Option<crate::Callback>| {
            callback
                .as_ref()
                .map(|callback| CallbackClient::new(callback).map(Arc::new))
                .transpose()
        };
        Ok(Access {
            publish_key: config.publish_key.clone(),
            play_key: config.play_key.clone(),
            on_publish: asker(&config.on_publish)?,
            on_play: asker(&config.on_play)?,
            time_out: config.timeouts.callback,
            warnings,
        })
    }

    /// Decides on a visitor, at once unless a callback is to be asked.
    pub(crate) fn decide(&self, visitor: Visitor) -> Decision {
        let Some(stream) = StreamName::new(&visitor.app, &visitor.name) else {
            return Decision::Now(Err(Reason::BadName));
        };
        let (key, reason, asker) = match visitor.action {
            Action::Publish => (&self.publish_key, Reason::PublishKey, &self.on_publish),
            Action::Play => (&self.play_key, Reason::PlayKey, &self.on_play),
        };
        let needs_key = visitor.action == Action::Publish || !visitor.has_token;
        if let Some(key) = key.as_ref().filter(|_| needs_key)
            && !visitor.queries.iter().any(|query| has_key(query.expose(), key.expose()))
        {
            return Decision::Now(Err(reason));
        }
        let Some(asker) = asker.clone() else {
            return Decision::Now(Ok(stream));
        };
        // What is asked about is the stream that it will be, and not how the client has split it: a
        // callback that knows a name must not miss it.
        let (app, name) = (stream.app.to_string(), stream.name.to_string());
        let visitor = Visitor { app, name, ..visitor };
        let (time_out, warnings) = (self.time_out, Arc::clone(&self.warnings));
        Decision::Later(Box::pin(async move {
            let word = visitor.action.word();
            let answer = within(time_out, asker.ask(visitor)).await;
            let answer = answer.unwrap_or_else(|| Err(format!("no answer within {time_out:?}")));
            match answer {
                Ok(Answer::Yes) => Ok(stream),
                Ok(Answer::YesAs(name)) if is_part(&name) => {
                    Ok(StreamName { app: stream.app, name: name.into() })
                }
                Ok(Answer::YesAs(_) | Answer::No) => Err(Reason::Callback),
                Err(cause) => {
                    let callback = asker.callback();
                    warnings.warn(Warning::Callback, || {
                        format!("the on_{word} callback {callback} failed: {cause}")
                    });
                    Err(Reason::Callback)
                }
            }
        }))
    }
}

fn has_key(query: &str, key: &str) -> bool {
    // Every one is compared, so that it takes the same time whichever fits.
    parameters(query)
        .filter(|(name, _)| name == "key")
        .fold(false, |found, (_, value)| found | equal(value.as_bytes(), key.as_bytes()))
}

/// Compares in a time that depends on the lengths alone.
pub(crate) fn equal(given: &[u8], key: &[u8]) -> bool {
    let mut difference = given.len() ^ key.len();
    for (index, byte) in given.iter().enumerate() {
        let other = key.get(index % key.len().max(1)).copied().unwrap_or(0);
        difference |= std::hint::black_box(usize::from(byte ^ other));
    }
    difference == 0
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn visitor(name: &str, queries: [&str; 2]) -> Visitor {
        Visitor {
            action: Action::Publish,
            app: "live".to_owned(),
            name: name.to_owned(),
            queries: queries.map(Secret::from),
            address: SocketAddr::from(([127, 0, 0, 1], 1)),
            client_id: 1,
            client: "".into(),
            tc_url: Secret::default(),
            has_token: false,
        }
    }

    fn decide(key: &str, visitor: Visitor) -> AccessVerdict {
        let publish_key = Some(Secret::from(key));
        let config = ServerConfig { publish_key, ..ServerConfig::default() };
        let access = Access::new(&config, Arc::default()).unwrap();
        match access.decide(visitor) {
            Decision::Now(verdict) => verdict,
            Decision::Later(_) => panic!("there is no callback"),
        }
    }

    #[test]
    fn a_key_may_stand_in_either_query() {
        let accepted = Ok(StreamName::new("live", "camera").unwrap());
        assert_eq!(decide("s&=%", visitor("camera", ["a=1&key=s%26%3d%", ""])), accepted);
        assert_eq!(decide("secret", visitor("camera", ["key=no", "key=secret"])), accepted);
        for queries in [["", ""], ["key=", "KEY=secret"], ["key=secre", "key=secrett"]] {
            assert_eq!(decide("secret", visitor("camera", queries)), Err(Reason::PublishKey));
        }
        assert_eq!(decide("", visitor("camera", ["", ""])), Err(Reason::PublishKey));
        assert_eq!(decide("", visitor("camera", ["key=", ""])), accepted);
    }

    #[test]
    fn a_name_is_the_path_that_a_client_asks_for() {
        let expected = Ok(StreamName::new("live/room", "camera").unwrap());
        for (app, name) in [("live", "room/camera"), ("live/room", "camera")] {
            let visitor = Visitor { app: app.to_owned(), ..visitor(name, ["key=k", ""]) };
            assert_eq!(decide("k", visitor), expected);
        }
        for name in ["..", "a\nb", "a\u{202E}b"] {
            assert_eq!(decide("k", visitor(name, ["key=k", ""])), Err(Reason::BadName), "{name:?}");
        }
    }
}
