//! Asks an HTTP server who may publish and play, the way nginx-rtmp's `on_publish` and `on_play`
//! do: a form is posted; a status of 2xx says yes, 3xx with a `Location` says yes under another
//! name, and anything else says no.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, USER_AGENT};
use axum::http::uri::{Authority, Scheme};
use axum::http::{HeaderValue, Method, Request, Response, Uri};
use frameloom_rtmp::{Secret, percent_decode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio_rustls::rustls::crypto::ring;
use tower_service::Service;

use crate::visitor::{Action, Visitor, parameters};
use crate::{Error, Result};

/// The address of a callback. `Debug` and `Display` show neither its user nor its query.
#[derive(Clone, PartialEq, Eq)]
pub struct Callback {
    /// With its query, without a user.
    uri: Uri,
    user: Option<Secret>,
}

impl Callback {
    /// Reads an `http://` or `https://` URL. A user and password in it are sent by HTTP's basic
    /// authentication.
    ///
    /// # Errors
    ///
    /// [`Error::CallbackUrl`] where it is none.
    ///
    /// ```
    /// use frameloom_server::Callback;
    ///
    /// let callback = Callback::parse("http://me:secret@auth.example/publish?token=1")?;
    /// assert_eq!(callback.to_string(), "http://auth.example/publish");
    /// assert!(Callback::parse("ftp://auth.example/").is_err());
    /// # Ok::<(), frameloom_server::Error>(())
    /// ```
    pub fn parse(url: &str) -> Result<Callback> {
        let uri: Uri = url.parse().map_err(|_| Error::CallbackUrl("it can't be read as a URL"))?;
        let mut parts = uri.into_parts();
        if parts.scheme != Some(Scheme::HTTP) && parts.scheme != Some(Scheme::HTTPS) {
            return Err(Error::CallbackUrl("it doesn't start with http:// or https://"));
        }
        let mut user = None;
        if let Some(authority) = &parts.authority
            && let Some((name, host)) = authority.as_str().rsplit_once('@')
        {
            user = Some(Secret::from(percent_decode(name)));
            let host = Authority::try_from(host);
            parts.authority = Some(host.map_err(|_| Error::CallbackUrl("it has no host"))?);
        }
        let uri = Uri::from_parts(parts).map_err(|_| Error::CallbackUrl("it has no host"))?;
        if uri.host().is_none_or(str::is_empty) {
            return Err(Error::CallbackUrl("it has no host"));
        }
        Ok(Callback { uri, user })
    }

    fn is_https(&self) -> bool {
        self.uri.scheme() == Some(&Scheme::HTTPS)
    }
}

impl fmt::Display for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let host = self.uri.authority().map_or("", Authority::as_str);
        write!(f, "{scheme}://{host}{}", self.uri.path())
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Callback({self})")
    }
}

/// What a callback says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    /// Yes, under this name.
    YesAs(String),
    No,
}

/// Asks one callback.
pub(crate) struct CallbackClient {
    callback: Callback,
    client: AnyClient,
}

enum AnyClient {
    Http(Client<HttpConnector<Resolver>, Body>),
    Https(Client<HttpsConnector<HttpConnector<Resolver>>, Body>),
}

/// Names that are looked up at once. A look-up can't be ended: one that hangs keeps its thread.
const LOOKUPS: usize = 4;

type Lookup = fn(&str) -> io::Result<Vec<SocketAddr>>;

/// Looks names up, few at once. Those that wait for their turn end with whoever asks.
#[derive(Clone)]
struct Resolver {
    turns: Arc<Semaphore>,
    lookup: Lookup,
}

impl Resolver {
    fn new(lookup: Lookup) -> Self {
        Resolver { turns: Arc::new(Semaphore::new(LOOKUPS)), lookup }
    }
}

fn look_up(host: &str) -> io::Result<Vec<SocketAddr>> {
    (host, 0).to_socket_addrs().map(Iterator::collect)
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (turns, lookup) = (Arc::clone(&self.turns), self.lookup);
        Box::pin(async move {
            let turn = turns.acquire_owned().await.map_err(io::Error::other)?;
            let found = spawn_blocking(move || {
                let found = lookup(name.as_str());
                drop(turn);
                found
            });
            found.await.map_err(io::Error::other)?.map(Vec::into_iter)
        })
    }
}

impl CallbackClient {
    /// # Errors
    ///
    /// [`Error::RootCertificates`] for `https` without any.
    pub(crate) fn new(callback: &Callback) -> Result<Self> {
        CallbackClient::with_lookup(callback, look_up)
    }

    fn with_lookup(callback: &Callback, lookup: Lookup) -> Result<Self> {
        let mut http = HttpConnector::new_with_resolver(Resolver::new(lookup));
        http.enforce_http(false);
        // A connection for each question: there are few, and none is left to go stale.
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_max_idle_per_host(0);
        let client = if callback.is_https() {
            let connector = HttpsConnectorBuilder::new()
                .with_provider_and_native_roots(ring::default_provider())
                .map_err(Error::RootCertificates)?
                .https_only()
                .enable_http1()
                .wrap_connector(http);
            AnyClient::Https(builder.build(connector))
        } else {
            AnyClient::Http(builder.build(http))
        };
        Ok(CallbackClient { callback: callback.clone(), client })
    }

    /// Asks about a visitor. Time-outs are the caller's.
    ///
    /// # Errors
    ///
    /// Why there is no answer, in words for the log.
    pub(crate) async fn ask(&self, visitor: Visitor) -> std::result::Result<Answer, String> {
        let request = self.request(&visitor).map_err(|error| error.to_string())?;
        let response = match &self.client {
            AnyClient::Http(client) => client.request(request).await,
            AnyClient::Https(client) => client.request(request).await,
        };
        response.map(|response| answer(&response)).map_err(|error| last_cause(&error))
    }

    pub(crate) fn callback(&self) -> &Callback {
        &self.callback
    }

    fn request(&self, visitor: &Visitor) -> axum::http::Result<Request<Body>> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.callback.uri.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(USER_AGENT, concat!("frameloom/", env!("CARGO_PKG_VERSION")));
        if let Some(user) = &self.callback.user {
            let text = format!("Basic {}", base64(user.expose().as_bytes()));
            let mut value = HeaderValue::try_from(text)?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request.body(Body::from(form(visitor)))
    }
}

/// The fields that nginx-rtmp sends, in its order, then those of the stream's own query.
fn form(visitor: &Visitor) -> String {
    let call = match visitor.action {
        Action::Publish => "publish",
        Action::Play => "play",
    };
    let address = visitor.address.ip().to_canonical().to_string();
    let client_id = visitor.client_id.to_string();
    let fixed = [
        ("app", visitor.app.as_str()),
        ("flashver", &visitor.client),
        ("swfurl", ""),
        ("tcurl", visitor.tc_url.expose()),
        ("pageurl", ""),
        ("addr", &address),
        ("clientid", &client_id),
        ("call", call),
        ("name", &visitor.name),
    ];
    let mut form = String::with_capacity(512);
    for (name, value) in fixed {
        field(&mut form, name, value);
    }
    let [query, _] = &visitor.queries;
    for (name, value) in parameters(query.expose()) {
        // Who asks must not be able to say who is asking.
        if !fixed.iter().any(|(fixed, _)| *fixed == name) {
            field(&mut form, &name, &value);
        }
    }
    form
}

fn field(form: &mut String, name: &str, value: &str) {
    if !form.is_empty() {
        form.push('&');
    }
    percent_encode(form, name);
    form.push('=');
    percent_encode(form, value);
}

fn percent_encode(out: &mut String, text: &str) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => {
                out.push('%');
                out.push(char::from(DIGITS[usize::from(byte >> 4)]));
                out.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
        }
    }
}

fn answer<B>(response: &Response<B>) -> Answer {
    if response.status().is_success() {
        return Answer::Yes;
    }
    if !response.status().is_redirection() {
        return Answer::No;
    }
    // nginx-rtmp's users write a bare name or an rtmp:// URL there.
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let path = location.map(|location| location.split(['?', '#']).next().unwrap_or_default());
    match path.and_then(|path| path.trim_end_matches('/').rsplit('/').next()) {
        Some(name) if !name.is_empty() => Answer::YesAs(percent_decode(name)),
        _ => Answer::No,
    }
}

/// The innermost cause: the others say that the request failed.
fn last_cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let mut three = [0; 3];
        three[..group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for index in 0..4 {
            if index <= group.len() {
                // Six bits are below 64.
                let digit = bits >> (18 - 6 * index) & 63;
                out.push(char::from(DIGITS[digit as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use axum::http::StatusCode;

    use super::*;

    fn visitor() -> Visitor {
        Visitor {
            action: Action::Publish,
            app: "live".to_owned(),
            name: "cam 1".to_owned(),
            queries: ["token=a%26b&name=other", "key=1"].map(Secret::from),
            address: SocketAddr::from(([127, 0, 0, 1], 5)),
            client_id: 7,
            client: "FMLE/3.0".into(),
            tc_url: "rtmp://localhost/live?key=1".into(),
            has_token: false,
        }
    }

    #[test]
    fn look_ups_that_hang_take_few_threads() {
        static BEGUN: AtomicUsize = AtomicUsize::new(0);
        static OVER: Mutex<()> = Mutex::new(());
        fn hang(_: &str) -> io::Result<Vec<SocketAddr>> {
            BEGUN.fetch_add(1, Ordering::SeqCst);
            drop(OVER.lock());
            Err(io::ErrorKind::NotFound.into())
        }
        let held = OVER.lock();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let callback = Callback::parse("http://nowhere.invalid/").unwrap();
        let asker = CallbackClient::with_lookup(&callback, hang).unwrap();
        runtime.block_on(async {
            let ask = || tokio::time::timeout(Duration::from_millis(200), asker.ask(visitor()));
            let all = futures_util::future::join_all((0..50).map(|_| ask())).await;
            for asked in all {
                assert!(asked.is_err());
            }
        });
        assert_eq!(BEGUN.load(Ordering::SeqCst), LOOKUPS);
        drop(held);
    }

    #[test]
    fn the_form_is_nginx_rtmps() {
        assert_eq!(
            form(&visitor()),
            "app=live&flashver=FMLE%2F3.0&swfurl=&tcurl=rtmp%3A%2F%2Flocalhost%2Flive%3Fkey%3D1\
             &pageurl=&addr=127.0.0.1&clientid=7&call=publish&name=cam%201&token=a%26b"
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        let callback = Callback::parse("https://u:pass@host:8443/a/b?token=hidden").unwrap();
        assert_eq!(
            format!("{callback} {callback:?}"),
            "https://host:8443/a/b Callback(https://host:8443/a/b)"
        );
        assert_eq!(callback.user.as_ref().map(Secret::expose), Some("u:pass"));
        assert_eq!(callback.uri.query(), Some("token=hidden"));
        for url in ["", "host/path", "rtmp://host/", "http:///x", "http://a b/"] {
            let error = Callback::parse(url).unwrap_err().to_string();
            assert!(error.contains("http:// or https:// URL"), "{error}");
        }
    }

    #[test]
    fn a_redirect_names_the_stream() {
        let answer = |status: u16, location: Option<&str>| {
            let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
            if let Some(location) = location {
                response = response.header(LOCATION, location);
            }
            super::answer(&response.body(()).unwrap())
        };
        assert_eq!(answer(204, None), Answer::Yes);
        assert_eq!(answer(302, Some("other")), Answer::YesAs("other".to_owned()));
        let url = "rtmp://host/live/other%201?x=/y";
        assert_eq!(answer(301, Some(url)), Answer::YesAs("other 1".to_owned()));
        for (status, location) in [(302, None), (302, Some("/")), (403, Some("x")), (500, None)] {
            assert_eq!(answer(status, location), Answer::No);
        }
    }

    #[test]
    fn base64_pads() {
        let texts = ["", "f", "fo", "foo", "foob"].map(|text| base64(text.as_bytes()));
        assert_eq!(texts, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]);
    }
}
