//! One HTTP/1.1 exchange, on a connection of its own: nothing is pooled, retried, redirected or sent to a proxy.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::process::{ANSWER_LIMIT, is_too_long, too_long};
use crate::sut::CallError;

/// Sends JSON and reads the whole answer. The caller sets the time limit.
///
/// # Errors
/// As [`send`] and [`read`].
pub(crate) async fn exchange(method: Method, url: &str, body: Vec<u8>) -> Result<(StatusCode, Bytes), CallError> {
    let response = send(method, url, &[], body).await?;
    let status = response.status();
    Ok((status, read(url, response).await?))
}

/// Sends a request, of JSON where its headers do not say otherwise, and waits for the head of the answer.
///
/// # Errors
/// `Broken` where there is no connection, it breaks, or a header is none; `Malformed` where the answer is no HTTP.
pub(crate) async fn send(method: Method, url: &str, headers: &[(String, String)], body: Vec<u8>) -> Result<Response<Incoming>, CallError> {
    let (uri, address) = parse(url)?;
    let stream = TcpStream::connect(&address).await.map_err(|error| broken(url, &error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(url, &error))?;
    // Ends by itself once the answer is read or this future is dropped: the sender goes with it.
    tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method)
        .uri(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header(HOST, uri.authority().expect("parsed").as_str())
        .header(CONTENT_TYPE, "application/json")
        .header(ACCEPT, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| broken(url, &error))?;
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| broken(url, &error))?;
        request.headers_mut().insert(name, HeaderValue::from_str(value).map_err(|error| broken(url, &error))?);
    }
    sender.send_request(request).await.map_err(|error| unanswered(url, &error))
}

/// Reads the whole body of an answer, of at most [`ANSWER_LIMIT`].
///
/// # Errors
/// `Broken` where the connection breaks, `Malformed` where it is too long.
pub(crate) async fn read(url: &str, response: Response<Incoming>) -> Result<Bytes, CallError> {
    let body =
        Limited::new(response.into_body(), ANSWER_LIMIT).collect().await.map_err(|error| match error.downcast_ref::<hyper::Error>() {
            Some(error) => unanswered(url, error),
            None if error.is::<LengthLimitError>() => too_long(),
            None => broken(url, error.as_ref()),
        })?;
    let body = body.to_bytes();
    if is_too_long(&body) { Err(too_long()) } else { Ok(body) }
}

/// Takes a URL apart: the whole of it, and the `host:port` to connect to.
///
/// # Errors
/// `Broken`, where it is no `http://host…` URL.
pub(crate) fn parse(url: &str) -> Result<(Uri, String), CallError> {
    let wrong = || CallError::Broken { what: format!("`{url}` is not a URL of the form http://host:port/path") };
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(wrong)?;
    let address = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80));
    Ok((uri, address))
}

fn unanswered(url: &str, error: &hyper::Error) -> CallError {
    match error.is_parse() {
        true => CallError::Malformed { what: format!("what answers at {url} is not HTTP: {error}") },
        false => broken(url, error),
    }
}

fn broken(url: &str, error: &(dyn std::error::Error + 'static)) -> CallError {
    let mut what = format!("{url}: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        what.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    CallError::Broken { what }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// Answers one connection with these bytes, whatever is asked.
    async fn answer_once(answer: Vec<u8>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/rpc?x=1", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(&answer).await;
        });
        url
    }

    async fn get(answer: impl Into<Vec<u8>>) -> Result<(StatusCode, Bytes), CallError> {
        exchange(Method::GET, &answer_once(answer.into()).await, Vec::new()).await
    }

    #[tokio::test]
    async fn an_answer_comes_with_its_status() {
        let (status, body) = get("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno").await.unwrap();
        assert_eq!((status, &body[..]), (StatusCode::NOT_FOUND, &b"no"[..]));
    }

    #[tokio::test]
    async fn what_is_not_http_is_malformed_and_silence_is_broken() {
        assert!(matches!(get("SSH-2.0-OpenSSH\r\n").await, Err(CallError::Malformed { .. })));
        assert!(matches!(get("").await, Err(CallError::Broken { .. })));
        assert!(matches!(get("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await, Err(CallError::Broken { .. })));
    }

    #[tokio::test]
    async fn an_answer_that_is_too_long_is_refused() {
        let mut answer = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        answer.resize(ANSWER_LIMIT + 100, b'x');
        assert_eq!(get(answer).await.unwrap_err(), too_long());
    }

    #[test]
    fn only_plain_http_urls_are_taken() {
        assert_eq!(parse("http://127.0.0.1:81/x").unwrap().1, "127.0.0.1:81");
        for url in ["https://x/", "127.0.0.1:80", "ftp://x", "http://"] {
            assert!(parse(url).is_err(), "{url}");
        }
    }
}
