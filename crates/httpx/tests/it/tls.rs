//! What TLS refuses, and what only breaks off.

use std::sync::Arc;

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;
use underpin_httpx::{Builder, Client, Disposition, Kind, Retry, reqwest};

use crate::millis;

/// Its own issuer, until 2126, for `localhost`.
const CERTIFICATE: &[u8] = include_bytes!("tls/certificate.der");
const KEY: &[u8] = include_bytes!("tls/key.der");

/// Answers every request with 200.
async fn server() -> String {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(KEY));
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(CERTIFICATE)], key)
        .expect("a certificate");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine").await;
            let _ = stream.shutdown().await;
        }
    });
    format!("https://localhost:{port}/")
}

fn builder() -> Builder {
    Client::builder().retry(Retry::fixed(millis(1))).configure(reqwest::ClientBuilder::no_proxy)
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_final() {
    let url = server().await;
    let error = builder().build().expect("a client").get(url).send().await.expect_err("unknown");
    assert_eq!((error.kind(), error.disposition()), (Kind::Connect, Disposition::Final));
    assert_eq!(error.attempts(), 1);
    assert!(error.to_string().ends_with(": the certificate was refused"), "{error}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_final() {
    let url = server().await.replace("localhost", "elsewhere.example");
    let port = url.rsplit(':').next().and_then(|rest| rest.trim_matches('/').parse().ok());
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port.expect("a port")));
    let http = builder().configure(|http| {
        let root = reqwest::Certificate::from_der(CERTIFICATE).expect("a certificate");
        http.tls_certs_only([root]).resolve("elsewhere.example", address)
    });
    let error = http.build().expect("a client").get(url).send().await.expect_err("another name");
    assert_eq!((error.kind(), error.disposition()), (Kind::Connect, Disposition::Final));
    assert_eq!(error.attempts(), 1);
}

#[tokio::test]
async fn a_handshake_that_breaks_off_was_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let http = builder().build().expect("a client");
    let url = format!("https://localhost:{port}/");
    let error = http.post(url).body("1").send().await.expect_err("closed");
    assert_eq!((error.kind(), error.disposition()), (Kind::Connect, Disposition::NotSent));
    assert_eq!(error.attempts(), 4);
}

#[tokio::test]
async fn a_certificate_of_ones_own_can_be_trusted() {
    let url = server().await;
    let http = builder().configure(|http| {
        http.tls_certs_only([reqwest::Certificate::from_der(CERTIFICATE).expect("a certificate")])
    });
    let text = http.build().expect("a client").get(url).text().await;
    assert_eq!(text.expect("an answer"), "fine");
}
