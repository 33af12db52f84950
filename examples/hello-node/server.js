"use strict";

const http = require("node:http");

const server = http.createServer((request, response) => {
  response.setHeader("Content-Type", "text/plain; charset=utf-8");
  response.end(`Hello from Node.js ${process.version}! ${process.env.DYNO ?? "?"} of ${process.env.AMBO_RELEASE ?? "?"}\n`);
});

server.listen(Number(process.env.PORT ?? 8000), "0.0.0.0", () => console.log(`listening on port ${server.address().port}`));

process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
