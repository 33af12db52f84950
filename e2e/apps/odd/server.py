"""A web server that reads every byte itself, remembers what it was sent, and behaves badly when asked to."""

import hashlib
import json
import os
import signal
import socket
import sys
import threading
import time

PIECE = hashlib.sha512(b"ambo").digest() * 1024
seen = []


def lines(file):
    """The lines of a head, up to the empty one; none at the end of the connection."""
    found = []
    while True:
        line = file.readline()
        if not line:
            return []
        if line in (b"\r\n", b"\n"):
            return found
        found.append(line.rstrip(b"\r\n").decode("latin-1"))


def body(file, headers):
    """The pieces of a body."""
    if "chunked" in headers.get("transfer-encoding", ""):
        while True:
            size = int(file.readline().split(b";")[0], 16)
            if size == 0:
                lines(file)
                return
            yield file.read(size)
            file.readline()
    left = int(headers.get("content-length", "0"))
    while left > 0:
        piece = file.read(min(left, 65536))
        if not piece:
            raise ConnectionError("the body broke off")
        left -= len(piece)
        yield piece


def answer(connection, method, text, more=""):
    content = text.encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n{more}\r\n".encode()
    connection.sendall(head + (b"" if method == "HEAD" else content))


def download(connection, count):
    pieces = [PIECE] * (count // len(PIECE)) + [PIECE[: count % len(PIECE)]]
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {count}\r\nX-Sha256: {digest.hexdigest()}\r\n\r\n".encode())
    for piece in pieces:
        connection.sendall(piece)


def drip(connection, path):
    """A response without an end. Remembers that whoever read it has left."""
    try:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"4\r\ndrip\r\n")
            time.sleep(0.05)
    except OSError:
        seen.append({"line": f"LEFT {path}"})
        raise


def serve(connection, file):
    """One request; false when there is no further one."""
    head = lines(file)
    if not head:
        return False
    method, path, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    if path.startswith("/upload"):
        digest, count = hashlib.sha256(), 0
        for piece in body(file, headers):
            digest.update(piece)
            count += len(piece)
        answer(connection, method, f"{digest.hexdigest()} {count}")
        return True
    request = {"line": head[0], "headers": headers, "body": ""}
    seen.append(request)
    request["body"] = b"".join(body(file, headers)).decode("latin-1")
    if path == "/seen":
        answer(connection, method, json.dumps(seen))
    elif path.startswith("/download/"):
        download(connection, int(path.rpartition("/")[2]))
    elif path == "/drip":
        drip(connection, path)
    elif path == "/never":
        time.sleep(600)
    elif path == "/hangup":
        return False
    elif path == "/half":
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf of it")
        return False
    elif path == "/die":
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nlast words")
        os._exit(1)
    else:
        answer(connection, method, f"{method} {path} {request['body']}")
    return True


def attend(connection):
    with connection, connection.makefile("rb") as file:
        try:
            while serve(connection, file):
                pass
        except (OSError, ValueError) as error:
            print("connection:", error)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
listener = socket.create_server(("", int(os.environ["PORT"])))
print("listening")
while True:
    accepted, _ = listener.accept()
    threading.Thread(target=attend, args=(accepted,), daemon=True).start()
