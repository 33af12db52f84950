"use strict";

// The server's half of RFC 6455: enough for a chat, without extensions.

const { createHash } = require("node:crypto");
const { EventEmitter } = require("node:events");

const ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const MESSAGE_BYTES_MAX = 1 << 20;
const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10];

/** Answers an upgrade request; gives the connection, or `null` if the request is none for WebSockets. */
function accept(request, socket, head) {
  const key = request.headers["sec-websocket-key"];
  if (!key || request.headers["sec-websocket-version"] !== "13") {
    socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    return null;
  }
  const answer = createHash("sha1").update(key + ACCEPT_SUFFIX).digest("base64");
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${answer}\r\n\r\n`,
  );
  return new WebSocket(socket, head);
}

class WebSocket extends EventEmitter {
  #socket;
  #buffer;
  #fragments = [];
  #opcode = 0;
  #closed = false;

  constructor(socket, head) {
    super();
    this.#socket = socket;
    this.#buffer = head;
    socket.setNoDelay(true);
    socket.on("data", (piece) => {
      this.#buffer = Buffer.concat([this.#buffer, piece]);
      this.#read();
    });
    socket.on("error", () => socket.destroy());
    socket.on("end", () => socket.end());
    socket.on("close", () => this.#finish());
    setImmediate(() => this.#read());
  }

  /** Sends a text (a string) or a binary message (a Buffer). */
  send(message) {
    const isText = typeof message === "string";
    this.#frame(isText ? TEXT : BINARY, Buffer.from(message));
  }

  ping() {
    this.#frame(PING, Buffer.alloc(0));
  }

  close(code = 1000) {
    if (this.#closed) return;
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    this.#frame(CLOSE, payload);
    this.#socket.end();
  }

  #read() {
    for (let frame = this.#take(); frame; frame = this.#take()) this.#handle(frame);
  }

  /** Takes one whole frame off the buffer. */
  #take() {
    const buffer = this.#buffer;
    if (this.#closed || buffer.length < 2) return null;
    let length = buffer[1] & 0x7f;
    let at = 2;
    if (length === 126) {
      if (buffer.length < 4) return null;
      length = buffer.readUInt16BE(2);
      at = 4;
    } else if (length === 127) {
      if (buffer.length < 10) return null;
      length = Number(buffer.readBigUInt64BE(2));
      at = 10;
    }
    const masked = (buffer[1] & 0x80) !== 0;
    if (!masked || length > MESSAGE_BYTES_MAX) {
      this.close(masked ? 1009 : 1002);
      this.#finish();
      return null;
    }
    if (buffer.length < at + 4 + length) return null;
    const mask = buffer.subarray(at, at + 4);
    const payload = Buffer.from(buffer.subarray(at + 4, at + 4 + length));
    for (let i = 0; i < payload.length; i += 1) payload[i] ^= mask[i & 3];
    this.#buffer = buffer.subarray(at + 4 + length);
    return { final: (buffer[0] & 0x80) !== 0, opcode: buffer[0] & 0x0f, payload };
  }

  #handle({ final, opcode, payload }) {
    if (opcode === PING) return this.#frame(PONG, payload);
    if (opcode === PONG) return undefined;
    if (opcode === CLOSE) {
      this.#frame(CLOSE, payload.subarray(0, 2));
      this.#socket.end();
      return this.#finish();
    }
    if (opcode !== CONTINUATION) {
      this.#opcode = opcode;
      this.#fragments = [];
    }
    this.#fragments.push(payload);
    const length = this.#fragments.reduce((sum, fragment) => sum + fragment.length, 0);
    if (length > MESSAGE_BYTES_MAX) return this.close(1009);
    if (final) {
      const message = Buffer.concat(this.#fragments);
      this.#fragments = [];
      this.emit("message", this.#opcode === TEXT ? message.toString("utf8") : message);
    }
    return undefined;
  }

  #frame(opcode, payload) {
    if (this.#closed || !this.#socket.writable) return;
    let header;
    if (payload.length < 126) {
      header = Buffer.from([0x80 | opcode, payload.length]);
    } else if (payload.length < 1 << 16) {
      header = Buffer.alloc(4);
      header[1] = 126;
      header.writeUInt16BE(payload.length, 2);
    } else {
      header = Buffer.alloc(10);
      header[1] = 127;
      header.writeBigUInt64BE(BigInt(payload.length), 2);
    }
    header[0] = 0x80 | opcode;
    this.#socket.write(Buffer.concat([header, payload]));
  }

  #finish() {
    if (this.#closed) return;
    this.#closed = true;
    this.emit("close");
  }
}

module.exports = { accept };
