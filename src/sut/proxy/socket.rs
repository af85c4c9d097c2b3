use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use super::{ProxyEar, Side};

/// Stands between whoever connects to a socket and another socket, for as long as connections can be accepted.
pub(crate) fn between_sockets(listener: &UnixListener, to: &Path, ear: &ProxyEar) {
    for (connection, client) in (0..).zip(listener.incoming()) {
        let Ok(client) = client else { return };
        let (ear, to) = (ear.clone(), to.to_owned());
        std::thread::spawn(move || match UnixStream::connect(&to) {
            Ok(server) => between(connection, &client, &server, &ear),
            // The client sees a connection that is closed at once.
            Err(error) => ear.over(connection, format!("{}: {error}", to.display())),
        });
    }
}

fn between(connection: u64, client: &UnixStream, server: &UnixStream, ear: &ProxyEar) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            ear.pass(connection, Side::Client, client, server);
            let _ = server.shutdown(Shutdown::Write);
            let _ = client.shutdown(Shutdown::Read);
        });
        ear.pass(connection, Side::Server, server, client);
        // Who has nobody to answer any more is told nothing more: the server hung up, or the client did.
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    });
    ear.over(connection, "a connection was closed");
}
