// undici's WebSocket, kept open. A goodbye is close code 1001, both sides' close frames, and the end; then it connects again.
"use strict";

const { WebSocket } = require("undici");
const { base, order, counts, state, fail, pause, run, onStop } = require("./counts.cjs");

const SOCKETS = 4;
// Before connecting again after a failure, so that a service that refuses is not asked without end.
const PAUSE_MS = 20;
const TIMEOUT_MS = 10_000;

function socket(used) {
  counts.requests += 1;
  return new Promise((resolve) => {
    let opened = false;
    let left = false;
    const end = (kind, text) => {
      if (left) return;
      left = true;
      if (kind !== undefined && !state.stopping) fail(kind, text);
      resolve(kind === undefined);
    };
    const socket = new WebSocket(`${base.replace("http", "ws")}/orders/${order}/events`);
    const timeout = setTimeout(() => end("timed out", "no upgrade"), TIMEOUT_MS);
    onStop(() => {
      end();
      socket.close();
    });
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
      if (!left) counts.goodbyes += 1;
      end();
    });
  });
}

async function loop(used) {
  while (!state.stopping) {
    if (!(await socket(used))) await pause(PAUSE_MS);
  }
}

run(Array(SOCKETS).fill(loop));
