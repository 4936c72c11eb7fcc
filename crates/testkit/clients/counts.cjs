// What every client counts, and how it ends: at SIGTERM it finishes what it has begun and prints its counts as one line of JSON.
"use strict";

const EXAMPLES = 5;
const RETRY_MS = 20;
const [base, order] = process.argv.slice(2);
const counts = { requests: 0, goodbyes: 0, failures: {}, examples: [], orders: { symbol: "", sent: 0, unacknowledged: [] } };
const state = { stopping: false };
const stops = [];

process.on("SIGTERM", () => {
  state.stopping = true;
  stops.forEach((stop) => stop());
});

// A failure of one of the kinds that `tally.rs` knows.
function fail(kind, text) {
  counts.failures[kind] = (counts.failures[kind] ?? 0) + 1;
  if (counts.examples.length < EXAMPLES) counts.examples.push(`${kind}: ${text}`);
}

// The kind of an error before an answer has begun.
function kindOf(error) {
  const code = error.code ?? error.cause?.code ?? "";
  if (code === "ECONNREFUSED") return "refused";
  return /TIMEOUT|ETIMEDOUT/.test(code) ? "timed out" : "reset";
}

// The body of the next order: its number is its quantity, so that it is known again.
function nextOrder(symbol) {
  counts.orders.symbol = symbol;
  const number = ++counts.orders.sent;
  const body = JSON.stringify({ symbol, side: "buy", quantity: number, price: 1 });
  return { number, body, unacknowledged: () => counts.orders.unacknowledged.push(number) };
}

// Checks a whole answer: its status, and JSON that has `part` in it.
function check(what, status, body, wanted, part) {
  if (status !== wanted) return fail("status", `${what}: ${status} instead of ${wanted}, ${body.slice(0, 100)}`);
  try {
    JSON.parse(body);
  } catch (error) {
    return fail("truncated", `${what}: ${error.message}`);
  }
  if (!body.includes(part)) fail("truncated", `${what}: a body without ${part}`);
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Runs all loops to their end; each calls `used` once its connection has been used.
async function run(loops) {
  let waiting = loops.length;
  const used = () => {
    if (--waiting === 0) console.error("running");
  };
  await Promise.all(loops.map((loop) => loop(once(used))));
  console.log(JSON.stringify(counts));
  process.exit(0);
}

function once(f) {
  let called = false;
  return () => {
    if (!called) f();
    called = true;
  };
}

// A stream that is kept open: `open` gets `end`, to be called once without arguments for a good end and with a kind and a text for a bad one;
// what it returns stops it. Then it is opened again, after a pause if it failed, so that a service that refuses is not asked without end.
function keepOpen(open) {
  return async (used) => {
    while (!state.stopping) {
      counts.requests += 1;
      const good = await new Promise((resolve) => {
        let left = false;
        const end = (kind, text) => {
          if (left) return;
          left = true;
          if (kind === undefined) counts.goodbyes += state.stopping ? 0 : 1;
          else if (!state.stopping) fail(kind, text);
          resolve(kind === undefined);
        };
        const stop = open(used, end);
        onStop(() => {
          end();
          stop();
        });
      });
      if (!good) await pause(RETRY_MS);
    }
  };
}

const onStop = (stop) => stops.push(stop);

module.exports = { base, order, counts, state, fail, kindOf, nextOrder, check, pause, run, onStop, keepOpen };
