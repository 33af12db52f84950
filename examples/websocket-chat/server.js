"use strict";

const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { accept } = require("./websocket.js");

const page = fs.readFileSync(path.join(__dirname, "index.html"));
const PING_INTERVAL_MS = 20_000;
const members = new Set();
const listeners = new Set();

function tellAll(message) {
  for (const member of members) member.send(message);
  for (const listener of listeners) listener.write(`data: ${JSON.stringify(message)}\n\n`);
}

const server = http.createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://app");
  if (pathname === "/") {
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    response.end(page);
  } else if (pathname === "/events") {
    events(response, Number(searchParams.get("count") ?? Infinity), Number(searchParams.get("interval") ?? 1000));
  } else if (pathname === "/echo" && request.method === "POST") {
    // Each piece goes back as it comes, before the request has ended.
    response.setHeader("Content-Type", request.headers["content-type"] ?? "application/octet-stream");
    response.flushHeaders();
    request.pipe(response);
  } else {
    response.statusCode = 404;
    response.end("There is no such page.\n");
  }
});

/** Server-sent events: a tick each interval (milliseconds), and whatever is said in the chat. */
function events(response, count, interval) {
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  let tick = 0;
  listeners.add(response);
  const timer = setInterval(() => {
    tick += 1;
    response.write(`event: tick\nid: ${tick}\ndata: ${tick}\n\n`);
    if (tick >= count) response.end();
  }, Math.max(interval, 10));
  response.on("close", () => {
    clearInterval(timer);
    listeners.delete(response);
  });
}

// Paths: `/chat` tells every member, `/ws` answers the sender with what it sent.
server.on("upgrade", (request, socket, head) => {
  const socketOf = accept(request, socket, head);
  if (!socketOf) return;
  const { pathname } = new URL(request.url, "http://app");
  if (pathname === "/ws") {
    socketOf.on("message", (message) => socketOf.send(message));
    return;
  }
  members.add(socketOf);
  const pings = setInterval(() => socketOf.ping(), PING_INTERVAL_MS);
  socketOf.on("message", (message) => tellAll(String(message)));
  socketOf.on("close", () => {
    clearInterval(pings);
    members.delete(socketOf);
  });
});

server.listen(Number(process.env.PORT ?? 8000), "0.0.0.0", () => console.log(`listening on port ${server.address().port}`));

process.on("SIGTERM", () => {
  for (const member of members) member.close(1001);
  for (const listener of listeners) listener.end();
  server.close(() => process.exit(0));
  server.closeIdleConnections();
  setTimeout(() => process.exit(0), 5_000).unref();
});
