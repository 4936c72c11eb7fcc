//! A server that is not who it should be is not asked twice, and hears nothing.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ServerConfig, ServerConnection,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};
use underpin_httpx::{Client, Disposition, Kind};

use crate::resilience::httpx::{
    answered, quick,
    server::{Server, Step},
};

/// Shakes hands, and reads what comes after it, if anything does.
struct Secure {
    address: SocketAddr,
    certificate: CertificateDer<'static>,
    connections: Arc<AtomicUsize>,
    /// Bytes of the client's, decrypted.
    heard: Arc<AtomicUsize>,
    accepting: AbortHandle,
}

impl Drop for Secure {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Secure {
    /// Its certificate says that it is this.
    async fn start(name: &str) -> Secure {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed([name.to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .expect("a configuration");
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (connections, heard) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let (counted, summed) = (Arc::clone(&connections), Arc::clone(&heard));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let _ = serve(stream, Arc::clone(&config), &summed).await;
            }
        })
        .abort_handle();
        Secure { address, certificate: cert.der().clone(), connections, heard, accepting }
    }
}

/// One after the other is enough.
async fn serve(
    mut stream: TcpStream,
    config: Arc<ServerConfig>,
    heard: &AtomicUsize,
) -> std::io::Result<()> {
    let mut tls = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut buffer = vec![0; 16_384];
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        let mut bytes = &buffer[..read];
        while !bytes.is_empty() {
            tls.read_tls(&mut bytes)?;
            let state = tls.process_new_packets().map_err(std::io::Error::other)?;
            let heard_now = state.plaintext_bytes_to_read();
            if heard_now > 0 {
                std::io::Read::read_exact(&mut tls.reader(), &mut vec![0; heard_now])?;
                heard.fetch_add(heard_now, Ordering::SeqCst);
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                std::io::Write::write_all(&mut tls.writer(), answer)?;
                tls.send_close_notify();
            }
        }
        while tls.wants_write() {
            let mut bytes = Vec::new();
            tls.write_tls(&mut bytes)?;
            stream.write_all(&bytes).await?;
        }
    }
}

async fn refused(client: &Client, server: &Secure, what: &str) {
    for method in ["GET", "POST"] {
        let before = server.connections.load(Ordering::SeqCst);
        let url = format!("https://{}/", server.address);
        let request = if method == "GET" {
            client.get(url)
        } else {
            client.post(url).body("a secret").idempotent()
        };
        let error = request.send().await.expect_err(what);
        assert_eq!(error.disposition(), Disposition::Final, "{what}: {error}");
        assert_eq!(error.kind(), Kind::Connect, "{what}: {error}");
        assert_eq!(error.attempts(), 1, "{what}: {error}");
        assert_eq!(server.connections.load(Ordering::SeqCst) - before, 1, "{what}");
        assert_eq!(server.heard.load(Ordering::SeqCst), 0, "{what}");
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_final() {
    let server = Secure::start("127.0.0.1").await;
    refused(&quick().build().expect("a client"), &server, "self-signed").await;
}

#[tokio::test]
async fn a_certificate_for_another_name_is_final() {
    let trusts = |server: &Secure| {
        let certificate =
            reqwest::Certificate::from_der(&server.certificate).expect("a certificate");
        quick().configure(|http| http.tls_certs_only([certificate])).build().expect("a client")
    };
    let other = Secure::start("example.com").await;
    refused(&trusts(&other), &other, "another name").await;
    // It is for that, and for nothing else.
    let right = Secure::start("127.0.0.1").await;
    let response = trusts(&right).get(format!("https://{}/", right.address)).send().await;
    assert_eq!(response.expect("a response").status(), 200);
}

/// Broken off, or no TLS at all: nothing was sent, so everything may be sent again.
#[tokio::test]
async fn a_handshake_that_breaks_off_is_tried_again() {
    let client = quick().build().expect("a client");
    for way in ["closed", "reset", "plain"] {
        let server = Server::start(move |_| match way {
            "closed" => vec![Step::Read(50), Step::Fin],
            "reset" => vec![Step::Read(50), Step::Reset],
            _ => {
                let mut steps = answered(400, "", "");
                steps[0] = Step::Read(50);
                steps
            }
        })
        .await;
        let url = format!("https://{}/", server.address());
        let error = client.post(url).body("a secret").send().await.expect_err("no TLS");
        assert_eq!(error.disposition(), Disposition::NotSent, "{way}: {error}");
        assert_eq!(error.attempts(), 4, "{way}: {error}");
        assert_eq!(server.connections(), 4, "{way}");
    }
}
