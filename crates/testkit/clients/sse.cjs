// Streams of server-sent events over HTTP/1, kept open. A goodbye is `event: goodbye`, the last chunk, and the end; then it connects again.
"use strict";

const http = require("node:http");
const { base, order, counts, state, fail, kindOf, pause, run, onStop } = require("./counts.cjs");

const STREAMS = 4;
// Before connecting again after a failure, so that a service that refuses is not asked without end.
const PAUSE_MS = 20;
const TIMEOUT_MS = 10_000;

function stream(used) {
  counts.requests += 1;
  return new Promise((resolve) => {
    let left = false;
    const end = (kind, text) => {
      if (left) return;
      left = true;
      if (kind !== undefined && !state.stopping) fail(kind, text);
      resolve(kind === undefined);
    };
    const request = http.get(`${base}/orders/${order}/events`, { agent: false, headers: { accept: "text/event-stream" } });
    // Until the head of the answer: after that the service may be silent.
    const timeout = setTimeout(() => {
      end("timed out", "no answer");
      request.destroy();
    }, TIMEOUT_MS);
    onStop(() => {
      end();
      request.destroy();
    });
    request.on("error", (error) => end(kindOf(error), error.message));
    request.on("response", (answer) => {
      clearTimeout(timeout);
      if (answer.statusCode !== 200) {
        answer.resume();
        return end("status", `${answer.statusCode} instead of 200`);
      }
      used();
      let text = "";
      answer.setEncoding("utf8");
      // The last block is enough; keep-alives would fill the memory.
      answer.on("data", (piece) => (text = (text + piece).slice(-1000)));
      answer.on("error", () => {});
      answer.on("close", () => {
        const bidden = /(^|\n)event: ?goodbye\n/.test(text) && text.endsWith("\n\n");
        if (!answer.complete) return end("cut", `inside the body, after ${JSON.stringify(text)}`);
        if (!bidden) return end("cut", `without goodbye, after ${JSON.stringify(text)}`);
        if (!left) counts.goodbyes += 1;
        end();
      });
    });
  });
}

async function loop(used) {
  while (!state.stopping) {
    if (!(await stream(used))) await pause(PAUSE_MS);
  }
}

run(Array(STREAMS).fill(loop));
