// undici's WebSocket, kept open. A goodbye is close code 1001, both sides' close frames, and the end; then it connects again.
"use strict";

const { WebSocket } = require("undici");
const { base, order, run, keepOpen } = require("./counts.cjs");

const SOCKETS = 4;
const TIMEOUT_MS = 10_000;

function socket(used, end) {
  let opened = false;
  const socket = new WebSocket(`${base.replace("http", "ws")}/orders/${order}/events`);
  const timeout = setTimeout(() => end("timed out", "no upgrade"), TIMEOUT_MS);
  let why = "";
  socket.addEventListener("error", (event) => (why = event.error?.cause?.message ?? event.message ?? ""));
  socket.addEventListener("open", () => {
    clearTimeout(timeout);
    opened = true;
    used();
  });
  socket.addEventListener("close", ({ code, wasClean }) => {
    clearTimeout(timeout);
    // What kept it from opening, a status or a reset, is not told.
    if (!opened) return end("refused", `no upgrade: ${why}`);
    if (code !== 1001 || !wasClean) return end("cut", `close code ${code}, ${wasClean ? "clean" : "not clean"} ${why}`);
    end();
  });
  return () => socket.close();
}

run(Array(SOCKETS).fill(keepOpen(socket)));
