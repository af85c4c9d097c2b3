//! A server that is asked by HTTP requests: a method and a path, a query, headers, a body.

use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;
use form_urlencoded::Serializer;
use hyper::Method;
use serde_json::{Map, Value};
use tokio::net::TcpStream;

use super::http;
use super::rpc::link::Endpoint;
use super::transport::{Connected, Link, Raw, Route, WireCall};
use crate::sut::CallError;
use crate::sut::manifest::plain;

/// The parts of a request that a call passes along.
pub(crate) const QUERY: &str = "query";
/// Headers, by name.
pub(crate) const HEADERS: &str = "headers";
/// A JSON value.
pub(crate) const BODY: &str = "body";
/// Fields, encoded as those of an HTML form.
pub(crate) const FORM: &str = "form";

/// What a server answered a request.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpAnswer {
    /// The status, 100 to 599.
    pub status: u16,
    /// The body: read as JSON where it is JSON, else as text; nothing where it is empty.
    pub value: Value,
}

/// A system that is reached by HTTP requests, each on a connection of its own.
#[derive(Debug, Clone)]
pub struct HttpRoute {
    /// Where every path begins.
    pub base: String,
    /// What every request carries.
    pub headers: Vec<(String, String)>,
}

impl HttpRoute {
    /// The URL of a path, with its query.
    pub(crate) fn url(&self, path: &str, query: Option<&Map<String, Value>>) -> String {
        let url = format!("{}{path}", self.base.trim_end_matches('/'));
        let fields = query.map(encoded).filter(|fields| !fields.is_empty());
        match fields {
            Some(fields) if url.contains('?') => format!("{url}&{fields}"),
            Some(fields) => format!("{url}?{fields}"),
            None => url,
        }
    }
}

#[async_trait(?Send)]
impl Route for HttpRoute {
    async fn connect(&self, to: &Connected) -> Result<Rc<dyn Link>, CallError> {
        let (_, address) = http::parse(&self.base)?;
        let knock = async {
            let opened = TcpStream::connect(&address).await;
            opened.map(drop).map_err(|error| CallError::Broken { what: error.to_string() })
        };
        to.within_handshake(&Endpoint::Http(self.base.clone()), knock).await?;
        Ok(Rc::new(HttpLink(self.clone())))
    }
}

/// The way to a server that is there.
struct HttpLink(HttpRoute);

#[async_trait(?Send)]
impl Link for HttpLink {
    async fn ask(&self, call: WireCall, _: Duration) -> Result<Raw, CallError> {
        let WireCall::Named { name, params } = call else { return Err(call.misplaced()) };
        let (method, path) = name.split_once(' ').unwrap_or(("GET", &name));
        let method =
            Method::from_bytes(method.as_bytes()).map_err(|_| CallError::Broken { what: format!("`{method}` is no method of HTTP") })?;
        let part = |key: &str| params.as_ref().and_then(|params| params.get(key)).filter(|part| !part.is_null());
        let fields = |key: &str| part(key).and_then(Value::as_object);
        let (kind, body) = match (fields(FORM), part(BODY)) {
            (Some(form), _) => ("application/x-www-form-urlencoded", encoded(form).into_bytes()),
            (None, body) => ("application/json", body.map(|body| body.to_string().into_bytes()).unwrap_or_default()),
        };
        let own = fields(HEADERS).into_iter().flatten().map(|(name, value)| (name.clone(), plain(value)));
        let kind = [("content-type".to_owned(), kind.to_owned())];
        let headers: Vec<(String, String)> = kind.into_iter().chain(self.0.headers.iter().cloned()).chain(own).collect();
        let url = self.0.url(path, fields(QUERY));
        let response = http::send(method, &url, &headers, body).await?;
        let status = response.status().as_u16();
        let body = http::read(&url, response).await?;
        let value = match body.trim_ascii() {
            b"" => Value::Null,
            body => serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned().into()),
        };
        Ok(Raw::Http(HttpAnswer { status, value }))
    }
}

/// Fields as a query or a form carries them; a list is its field several times.
fn encoded(fields: &Map<String, Value>) -> String {
    let mut serializer = Serializer::new(String::new());
    for (name, value) in fields {
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        serializer.extend_pairs(values.iter().map(|value| (name, plain(value))));
    }
    serializer.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_query_is_encoded_behind_the_path() {
        let route = HttpRoute { base: "http://127.0.0.1:1/api/".into(), headers: Vec::new() };
        let query = json!({ "q": "a b&c", "n": 5, "tag": ["x", "y"] });
        assert_eq!(route.url("/s", query.as_object()), "http://127.0.0.1:1/api/s?q=a+b%26c&n=5&tag=x&tag=y");
        assert_eq!(route.url("/s?a=1", json!({ "b": true }).as_object()), "http://127.0.0.1:1/api/s?a=1&b=true");
        assert_eq!(route.url("/s", json!({}).as_object()), "http://127.0.0.1:1/api/s");
    }
}
