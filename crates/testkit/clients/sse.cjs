// Streams of server-sent events over HTTP/1, kept open. A goodbye is `event: goodbye`, the last chunk, and the end; then it connects again.
"use strict";

const http = require("node:http");
const { base, order, kindOf, run, keepOpen } = require("./counts.cjs");

const STREAMS = 4;
const TIMEOUT_MS = 10_000;

function stream(used, end) {
  const request = http.get(`${base}/orders/${order}/events`, { agent: false, headers: { accept: "text/event-stream" } });
  // Until the head of the answer: after that the service may be silent.
  const timeout = setTimeout(() => {
    end("timed out", "no answer");
    request.destroy();
  }, TIMEOUT_MS);
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
      end();
    });
  });
  return () => request.destroy();
}

run(Array(STREAMS).fill(keepOpen(stream)));
