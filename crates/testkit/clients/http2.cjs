// node:http2 over cleartext by prior knowledge. Not undici: at a GOAWAY of any kind its versions 6 and 7 destroy the socket under the streams
// that the server goes on to serve, and its version 8 sends again what was not begun.
"use strict";

const http2 = require("node:http2");
const { base, order, counts, state, fail, kindOf, nextOrder, check, pause, run } = require("./counts.cjs");

const SESSIONS = 2;
const STREAMS = 4;
const PAUSE_MS = 20;
const TIMEOUT_MS = 10_000;

// One request of an open session, to the end of its answer.
function request(session, what, headers, body, wanted, part, failed = () => {}) {
  counts.requests += 1;
  return new Promise((resolve) => {
    let status;
    let text = "";
    let ended = false;
    let sent = true;
    let kind = "reset";
    let stream;
    const broken = (error) => {
      if (ended) return;
      ended = true;
      failed();
      if (!sent) {
        counts.requests -= 1;
        return resolve();
      }
      const begun = status === undefined ? kind : "truncated";
      fail(kind === "timed out" ? kind : begun, `${what}: ${error}`);
      resolve();
    };
    try {
      stream = session.request(headers, { endStream: body === undefined });
    } catch (error) {
      return broken(error);
    }
    stream.setEncoding("utf8");
    stream.setTimeout(TIMEOUT_MS, () => {
      kind = "timed out";
      stream.close(http2.constants.NGHTTP2_CANCEL);
    });
    // What it is told when GOAWAY comes between this call and the sending, which is at the end of the turn: nothing was sent.
    stream.on("frameError", () => (sent = false));
    stream.on("response", (head) => (status = head[":status"]));
    stream.on("data", (piece) => (text += piece));
    stream.on("error", (error) => {
      if (kindOf(error) === "refused") kind = "refused";
      broken(error.message);
    });
    stream.on("aborted", () => broken("aborted"));
    stream.on("end", () => {
      if (ended || status === undefined) return;
      ended = true;
      if (status !== wanted) failed();
      check(what, status, text, wanted, part);
      resolve();
    });
    stream.on("close", () => broken(`closed with code ${stream.rstCode}`));
    if (body !== undefined) stream.end(body);
  });
}

async function loop(used) {
  let session;
  while (!state.stopping) {
    // After GOAWAY node closes the session: streams end, new ones are refused here and not sent.
    if (session === undefined || session.closed || session.destroyed) {
      session = http2.connect(base);
      // Its streams say it too.
      session.on("error", () => {});
    }
    const current = session;
    const get = (path, part) => request(current, `GET ${path}`, { ":path": path }, undefined, 200, part);
    const { body, unacknowledged } = nextOrder("NODEHTTP2");
    const head = { ":method": "POST", ":path": "/orders", "content-type": "application/json" };
    const burst = [
      request(current, "POST /orders", head, body, 201, "NODEHTTP2", unacknowledged),
      get("/orders?limit=20", '"orders"'),
    ];
    while (burst.length < STREAMS) burst.push(get(`/orders/${order}`, order));
    await Promise.all(burst);
    used();
    await pause(PAUSE_MS);
  }
  session?.close();
}

run(Array(SESSIONS).fill(loop));
