// undici's pool over HTTP/1, kept alive: bursts of as many requests as it has connections, so that each is used by each burst. It never
// sends a request twice; POST is among them, which nobody may.
"use strict";

const { Pool } = require("undici");
const { base, order, counts, state, fail, kindOf, nextOrder, check, pause, run } = require("./counts.cjs");

const CONNECTIONS = 6;
const PAUSE_MS = 20;
const TIMEOUT_MS = 10_000;

const pool = new Pool(base, { connections: CONNECTIONS, pipelining: 1, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS });

async function request(what, options, wanted, part, failed = () => {}) {
  counts.requests += 1;
  let answer;
  try {
    answer = await pool.request(options);
  } catch (error) {
    failed();
    return fail(kindOf(error), `${what}: ${error.code}, ${error.message}`);
  }
  try {
    const body = await answer.body.text();
    if (answer.statusCode !== wanted) failed();
    check(what, answer.statusCode, body, wanted, part);
  } catch (error) {
    failed();
    fail("truncated", `${what}: ${error.code}, ${error.message}`);
  }
}

function get(path, part) {
  return request(`GET ${path}`, { method: "GET", path }, 200, part);
}

function post() {
  const { body, unacknowledged } = nextOrder("UNDICI");
  const headers = { "content-type": "application/json" };
  return request("POST /orders", { method: "POST", path: "/orders", headers, body }, 201, "UNDICI", unacknowledged);
}

async function bursts(used) {
  while (!state.stopping) {
    const burst = [post(), get("/orders?limit=20", '"orders"')];
    while (burst.length < CONNECTIONS) burst.push(get(`/orders/${order}`, order));
    await Promise.all(burst);
    used();
    await pause(PAUSE_MS);
  }
}

run([bursts]);
