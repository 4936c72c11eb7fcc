//! The connection is cut at every byte of the request and of the response.

use std::iter;

use testkit::full_or;
use underpin_httpx::{Client, Error, Request};

use crate::resilience::httpx::{
    answer, answered, quick,
    server::{Seen, Server, Step, Turn},
    tell,
};

const BODY: &str = "charge 42 to customer 7";
const ANSWER: &str = "\"charged, with receipt 1729\"";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Get,
    Put,
    Post,
    PostWithKey,
}

const KINDS: [Kind; 4] = [Kind::Get, Kind::Put, Kind::Post, Kind::PostWithKey];

impl Kind {
    fn request(self, client: &Client, url: &str) -> Request {
        match self {
            Kind::Get => client.get(url),
            Kind::Put => client.put(url).body(BODY),
            Kind::Post => client.post(url).body(BODY),
            Kind::PostWithKey => client.post(url).body(BODY).idempotent(),
        }
    }

    /// It may be sent again after nobody knows what.
    fn is_safe(self) -> bool {
        self != Kind::Post
    }

    fn body(self) -> &'static str {
        if self == Kind::Get { "" } else { BODY }
    }
}

#[derive(Debug, Clone, Copy)]
enum Cut {
    Fin,
    Reset,
}

const CUTS: [Cut; 2] = [Cut::Fin, Cut::Reset];

impl Cut {
    fn step(self) -> Step {
        match self {
            Cut::Fin => Step::Fin,
            Cut::Reset => Step::Reset,
        }
    }
}

/// What must be so however an exchange was cut in its first attempt.
fn judge(kind: Kind, outcome: &Result<Vec<u8>, Error>, seen: &[Seen]) -> Result<(), String> {
    if let Ok(body) = outcome
        && body != ANSWER.as_bytes()
    {
        return Err(format!("a truncated body is no answer: {:?}", String::from_utf8_lossy(body)));
    }
    if let Some(other) =
        seen.iter().find(|seen| seen.body().is_some_and(|body| body != kind.body().as_bytes()))
    {
        return Err(format!("another body: {other:?}"));
    }
    if seen.iter().any(|other| other.is_complete() && other.key() != seen[0].key())
        && kind == Kind::PostWithKey
    {
        let complete: Vec<_> =
            seen.iter().filter(|seen| seen.is_complete()).map(Seen::key).collect();
        if complete.iter().any(|key| key.is_none() || *key != complete[0]) {
            return Err(format!("keys differ: {complete:?}"));
        }
    }
    match (kind.is_safe(), outcome) {
        (true, Err(error)) => Err(format!("not retried: {error}")),
        (false, Err(_)) if seen.len() == 1 => Ok(()),
        (false, _) if seen.len() > 1 => Err(format!("sent {} times", seen.len())),
        _ => Ok(()),
    }
}

async fn fetch(request: Request) -> Result<Vec<u8>, Error> {
    Ok(request.bytes().await?.to_vec())
}

/// Every byte in a full run, and both ends.
fn positions(end: usize) -> impl Iterator<Item = usize> {
    (0..end).step_by(full_or(1, 5)).chain(iter::once(end))
}

async fn request_length(client: &Client, kind: Kind) -> usize {
    let server = Server::start(|_| answered(200, "", ANSWER)).await;
    kind.request(client, &server.url("/charges")).send().await.expect("an answer");
    server.seen()[0].raw.len()
}

#[tokio::test]
async fn no_cut_of_a_request_doubles_a_post_or_fails_what_is_idempotent() {
    let client = quick().build().expect("a client");
    let (mut cases, mut complaints) = (0, Vec::new());
    for kind in KINDS {
        let length = request_length(&client, kind).await;
        for (cut, is_reused) in CUTS.into_iter().flat_map(|cut| [(cut, false), (cut, true)]) {
            for at in positions(length) {
                let first = usize::from(is_reused);
                let server = Server::start(move |turn: Turn| {
                    if turn.order == first {
                        vec![Step::Read(at), cut.step()]
                    } else {
                        answered(200, "", ANSWER)
                    }
                })
                .await;
                let url = server.url("/charges");
                if is_reused {
                    client.get(&url).bytes().await.expect("a connection to be used again");
                }
                let outcome = fetch(kind.request(&client, &url)).await;
                let seen = server.seen();
                assert!(
                    !is_reused || seen[first].nth == 1,
                    "the connection was not used again: {kind:?} {seen:?}"
                );
                if let Err(complaint) = judge(kind, &outcome, &seen[first..]) {
                    complaints.push(format!(
                        "{kind:?} cut by {cut:?} after {at} of {length} bytes, reused: {is_reused}: {complaint}"
                    ));
                }
                cases += 1;
            }
        }
    }
    tell(&format!("{cases} cuts of requests"));
    assert!(complaints.is_empty(), "{} of {cases}:\n{}", complaints.len(), complaints.join("\n"));
}

fn chunked() -> Vec<u8> {
    let mut whole = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for chunk in ANSWER.as_bytes().chunks(10) {
        whole.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
        whole.extend(chunk);
        whole.extend(b"\r\n");
    }
    whole.extend(b"0\r\n\r\n");
    whole
}

#[tokio::test]
async fn no_cut_of_a_response_is_taken_for_its_end() {
    let client = quick().build().expect("a client");
    let (mut cases, mut complaints) = (0, Vec::new());
    for whole in [answer(200, "", ANSWER), chunked()] {
        for (kind, cut) in KINDS.into_iter().flat_map(|kind| CUTS.map(|cut| (kind, cut))) {
            for at in positions(whole.len() - 1) {
                let answer = whole.clone();
                let server = Server::start(move |turn: Turn| {
                    if turn.order == 0 {
                        vec![Step::READ, Step::send(&answer[..at]), cut.step()]
                    } else {
                        vec![Step::READ, Step::send(answer.clone())]
                    }
                })
                .await;
                let outcome = fetch(kind.request(&client, &server.url("/charges"))).await;
                let mut verdict = judge(kind, &outcome, &server.seen());
                if kind == Kind::Post && outcome.is_ok() {
                    verdict = Err("half an answer was enough".to_owned());
                }
                if let Err(complaint) = verdict {
                    let length = whole.len();
                    complaints.push(format!(
                        "{kind:?} cut by {cut:?} after {at} of {length} bytes of the response: {complaint}"
                    ));
                }
                cases += 1;
            }
        }
    }
    tell(&format!("{cases} cuts of responses"));
    assert!(complaints.is_empty(), "{} of {cases}:\n{}", complaints.len(), complaints.join("\n"));
}

/// `send` has returned by then, so it is the reader who must hear of it.
#[tokio::test]
async fn a_cut_body_is_an_error_for_whoever_reads_it() {
    let client = quick().build().expect("a client");
    for whole in [answer(200, "", ANSWER), chunked()] {
        let head = whole.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head") + 4;
        for at in head..whole.len() {
            let answer = whole.clone();
            let server =
                Server::start(move |_| vec![Step::READ, Step::send(&answer[..at]), Step::Fin])
                    .await;
            let response = client.post(server.url("/charges")).body(BODY).send().await;
            let body = response.expect("a head").bytes().await;
            assert!(body.is_err(), "cut after {at} of {}: {body:?}", whole.len());
            assert_eq!(server.seen().len(), 1);
        }
    }
}

/// The race of RFC 9112, section 9.5: the server closes just when the client begins.
#[tokio::test]
async fn a_connection_that_closes_while_idle_doubles_no_post() {
    let client = quick().build().expect("a client");
    let posts = full_or(2_000, 200);
    for cut in CUTS {
        let server = Server::start(move |_| {
            let mut steps = answered(200, "", ANSWER);
            steps.push(cut.step());
            steps
        })
        .await;
        let url = server.url("/charges");
        let mut failed = 0;
        for nth in 0..posts {
            let outcome = client.post(&url).body(format!("charge {nth}")).bytes().await;
            failed += usize::from(outcome.is_err());
        }
        let mut bodies: Vec<_> = server.complete().iter().filter_map(Seen::body).collect();
        let complete = bodies.len();
        bodies.sort();
        bodies.dedup();
        assert_eq!(bodies.len(), complete, "a POST was doubled");
        assert!(complete >= posts - failed, "a success that the server never saw");
        tell(&format!(
            "{posts} POSTs on connections that close by {cut:?}: {failed} may have been lost"
        ));
    }
}
