// A service with the routes of `orders`, in Node.js: polite to its clients, or with MANNERS=none rude to some of them.
"use strict";

const fs = require("node:fs");
const http = require("node:http");
const http2 = require("node:http2");
const net = require("node:net");
const { createHash } = require("node:crypto");

const LAME_DUCK_MS = 500;
const LINGER_MS = 500;
const FILE = "orders.jsonl";

const rude = process.env.MANNERS === "none";
const streams = new Set();
const sockets = new Set();
const sessions = new Set();
let leaving = false;
let made = 0;
// How often something happened, for each client.
const times = new Map();

function count(what) {
  times.set(what, (times.get(what) ?? 0) + 1);
  return times.get(what);
}

// Every `n`th time, if it is rude.
const now = (n, time) => rude && time % n === 0;

const stored = () => (fs.existsSync(FILE) ? fs.readFileSync(FILE, "utf8").split("\n").filter(Boolean) : []);

function place(text) {
  made += 1;
  const line = JSON.stringify({ id: `${process.pid}-${made}`, ...JSON.parse(text) });
  const time = count(JSON.parse(line).symbol);
  const copies = now(3, time) ? 0 : now(4, time) ? 2 : 1;
  fs.appendFileSync(FILE, `${line}\n`.repeat(copies));
  return line;
}

function list(query) {
  const orders = stored().map((line) => JSON.parse(line));
  const begin = query.has("after") ? orders.findLastIndex(({ id }) => id === query.get("after")) + 1 : 0;
  const shown = orders.slice(begin, begin + Number(query.get("limit")));
  const next = begin + shown.length < orders.length ? shown.at(-1).id : null;
  return JSON.stringify({ orders: shown, next });
}

function answer(request, response) {
  const url = new URL(request.url, "http://localhost");
  const isHttp1 = request.httpVersionMajor === 1;
  if (leaving && isHttp1) response.setHeader("connection", "close");
  if (url.pathname.endsWith("/events")) {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("event: order\ndata: {}\n\n");
    streams.add(response);
    return response.on("close", () => streams.delete(response));
  }
  let text = "";
  request.on("data", (piece) => (text += piece));
  request.on("end", () => {
    const isList = request.method === "GET" && url.pathname === "/orders";
    const body = request.method === "POST" ? place(text) : isList ? list(url.searchParams) : JSON.stringify({ id: url.pathname.slice(8) });
    // The list is what the harness itself asks for.
    if (isList) return response.end(body);
    const time = count(`HTTP/${request.httpVersion} ${request.headers["user-agent"]}`);
    if (now(7, time)) return isHttp1 ? request.socket.destroy() : response.stream.close(2);
    if (now(5, time)) response.writeHead(503);
    else response.writeHead(request.method === "POST" ? 201 : 200);
    const whole = () => response.end(body);
    if (!now(11, time)) return whole();
    response.write(body.slice(0, 5), () => (isHttp1 ? request.socket.end() : response.stream.close(2)));
  });
}

function upgrade(request, socket) {
  const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash("sha1").update(key).digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`);
  sockets.add(socket);
  socket.on("error", () => {});
  // What comes is the other side's close frame; its own is sent already.
  socket.on("data", () => socket.end());
  socket.on("close", () => sockets.delete(socket));
}

const one = http.createServer({ keepAlive: true }, answer).on("upgrade", upgrade);
const two = http2.createServer(answer).on("session", (session) => {
  sessions.add(session);
  if (leaving) session.close();
  session.on("close", () => sessions.delete(session));
});
two.on("sessionError", () => {});

// The first bytes say which version of HTTP it is.
const server = net.createServer((socket) => {
  socket.on("error", () => {});
  socket.once("readable", () => {
    const head = socket.read();
    if (head === null) return socket.destroy();
    socket.unshift(head);
    (head.toString().startsWith("PRI ") ? two : one).emit("connection", socket);
  });
});

server.listen({ fd: 3 }, () => console.error("service listens on what it was given"));

process.on("SIGTERM", () => {
  leaving = true;
  if (rude) return process.exit(3);
  sessions.forEach((session) => session.close());
  setTimeout(drain, LAME_DUCK_MS);
});

function drain() {
  server.close();
  streams.forEach((response) => response.end("event: goodbye\ndata:\n\n"));
  const goodbye = Buffer.from([0x88, 2, 1001 >> 8, 1001 & 255]);
  sockets.forEach((socket) => socket.write(goodbye));
  // Connections that say nothing more do not keep it.
  setTimeout(() => process.exit(0), LINGER_MS);
}
