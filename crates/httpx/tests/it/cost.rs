//! What a request costs that succeeds at once.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use tokio::runtime::{Builder, Runtime};
use underpin_httpx::{Client, Hedge};

use crate::local;

/// Answers on one connection, from another thread, so that only the client is counted here.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).is_ok_and(|length| length > 0) {
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine";
                    stream.write_all(answer).expect("a connection");
                }
            });
        }
    });
    url
}

/// The least of many: the connection's own work falls into some of them.
fn allocations<F: Future>(runtime: &Runtime, request: impl Fn() -> F) -> u64 {
    let once = || {
        let counted = allocation_counter::measure(|| drop(runtime.block_on(request())));
        counted.count_total
    };
    (0..200).map(|_| once()).min().expect("some")
}

#[test]
fn a_request_that_succeeds_at_once_takes_three_allocations_more_than_reqwest() {
    let url = server();
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let http = Client::builder().configure(local).build().expect("a client");
    // The same client below, with one connection for both.
    let bare = http.inner();
    let below = allocations(&runtime, || async {
        let request = bare.get(&url).header("x-one", "1").header("x-two", "2");
        request.send().await.expect("a response").bytes().await.expect("a body")
    });
    let ours = |http: &Client| {
        allocations(&runtime, || async {
            let request = http.get(&url).header("x-one", "1").header("x-two", "2");
            request.bytes().await.expect("a body")
        })
    };
    let plain = ours(&http);
    assert!(plain <= below + 3, "{plain} and {below}");
    // Learning when to hedge costs nothing more, nor does waiting for it.
    let http = Client::builder().configure(local).hedge(Hedge::p95()).build().expect("a client");
    assert_eq!(ours(&http), plain);
}
