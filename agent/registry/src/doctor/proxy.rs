//! The way through a proxy: a connection to it, and a tunnel behind it.

use std::io;
use std::net::{IpAddr, SocketAddr};

use data_encoding::BASE64;
use portolan_shared::process::ProxyUrl;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use super::examination::Examination;
use super::notes::Notes;
use crate::error::Fault;
use crate::http::Guard;

/// Bytes of a proxy's answer to `CONNECT`: given up beyond.
const HEAD_BYTES: usize = 8 * 1024;

impl Examination {
    /// The proxy on the way to the registry, if there is one.
    pub(super) fn proxy(&self) -> Option<&ProxyUrl> {
        let origin = &self.origin;
        self.access
            .proxy
            .proxy_for(origin.https, &origin.host, origin.port)
    }

    /// Connects to the proxy, and through it where the registry is spoken to over TLS.
    pub(super) async fn tcp_by_proxy(&mut self, proxy: &ProxyUrl, notes: &mut Notes) {
        let within = self.access.limits.connect;
        let connected = tokio::time::timeout(within, self.connect_to(proxy)).await;
        let unreachable = Err(Fault::ProxyUnreachable {
            proxy: proxy.to_string(),
        });
        let stream = match connected.unwrap_or(unreachable) {
            Ok(stream) => stream,
            Err(fault) => return notes.find(self.finding(fault)),
        };
        notes.see(format!("{proxy} connected"));
        if !self.origin.https {
            return;
        }
        let opened = tokio::time::timeout(within, self.tunnel(proxy, stream)).await;
        let silent = Err(Fault::ProxyRefused {
            proxy: proxy.to_string(),
            problem: "opens no tunnel in time",
        });
        match opened.unwrap_or(silent) {
            Ok(stream) => {
                notes.see(format!("it opened a tunnel to {}", self.name()));
                self.connection = Some(stream);
            }
            Err(fault) => notes.find(self.finding(fault)),
        }
    }

    async fn connect_to(&self, proxy: &ProxyUrl) -> Result<TcpStream, Fault> {
        let unreachable = || Fault::ProxyUnreachable {
            proxy: proxy.to_string(),
        };
        let addresses = match proxy.host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => {
                let found = self.access.resolver.resolve(&proxy.host).await;
                found.map_err(|_| unreachable())?
            }
        };
        let mut fault = unreachable();
        for address in addresses {
            if let Err(refusal) = Guard::check_proxy(address) {
                fault = Fault::Address {
                    address,
                    rule: refusal.rule,
                };
                continue;
            }
            match TcpStream::connect(SocketAddr::new(address, proxy.port)).await {
                Ok(stream) => return Ok(stream),
                Err(_) => fault = unreachable(),
            }
        }
        Err(fault)
    }

    /// `CONNECT` (RFC 9110, section 9.3.6).
    async fn tunnel(&self, proxy: &ProxyUrl, mut stream: TcpStream) -> Result<TcpStream, Fault> {
        let refused = |problem| Fault::ProxyRefused {
            proxy: proxy.to_string(),
            problem,
        };
        let target = self.name();
        let mut request = Zeroizing::new(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"));
        if let Some(login) = &proxy.login {
            let encoded = Zeroizing::new(BASE64.encode(login.expose().as_bytes()));
            request.push_str("Proxy-Authorization: Basic ");
            request.push_str(&encoded);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        let broken = |_: io::Error| refused("gives no answer that a proxy gives");
        stream.write_all(request.as_bytes()).await.map_err(broken)?;
        // Byte by byte: what comes behind the head belongs to the tunnel.
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() >= HEAD_BYTES {
                return Err(refused("gives no answer that a proxy gives"));
            }
            head.push(stream.read_u8().await.map_err(broken)?);
        }
        match status_of(&head) {
            Some(200..=299) => Ok(stream),
            Some(407) => Err(refused("wants a login, or another one")),
            Some(_) => Err(refused("does not let the connection through")),
            None => Err(refused("gives no answer that a proxy gives")),
        }
    }
}

/// The status of an answer's first line.
fn status_of(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let rest = line.strip_prefix("HTTP/1.")?;
    rest.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells() {
        for (head, status) in [
            (&b"HTTP/1.1 200 Connection established\r\n\r\n"[..], Some(200)),
            (
                b"HTTP/1.0 407 Proxy Authentication Required\r\nA: b\r\n\r\n",
                Some(407),
            ),
            (b"HTTP/1.1 200\r\n\r\n", Some(200)),
            (b"SSH-2.0-OpenSSH\r\n", None),
            (b"HTTP/1.1 ok\r\n", None),
            (b"\xff\r\n", None),
            (b"", None),
        ] {
            assert_eq!(status_of(head), status, "{head:?}");
        }
    }
}
