"""Answers every request with who answered it. SIGTERM ends it cleanly: what is in flight is answered first."""

import json
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse


class InFlight:
    """Counts the requests that are being answered."""

    def __init__(self):
        self.count = 0
        self.changed = threading.Condition()

    def add(self, difference):
        with self.changed:
            self.count += difference
            self.changed.notify_all()

    def wait_until_none(self, seconds_max):
        with self.changed:
            self.changed.wait_for(lambda: self.count == 0, seconds_max)


in_flight = InFlight()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    counted = False

    def parse_request(self):
        in_flight.add(1)
        self.counted = True
        return super().parse_request()

    def handle_one_request(self):
        try:
            super().handle_one_request()
        finally:
            if self.counted:
                self.counted = False
                in_flight.add(-1)

    def do_GET(self):
        url = urlparse(self.path)
        query = parse_qs(url.query)
        if url.path == "/slow":
            time.sleep(min(float(query.get("seconds", ["1"])[0]), 60))
        if url.path == "/crash":
            os._exit(3)
        if url.path == "/env":
            # One variable by name, or the names of all.
            name = query.get("name", [None])[0]
            shown = os.environ.get(name, "") if name else "\n".join(sorted(os.environ))
            self.answer(200, "text/plain; charset=utf-8", shown)
        elif url.path == "/headers":
            self.answer(200, "application/json", json.dumps(dict(self.headers.items()), indent=2))
        else:
            greeting = os.environ.get("GREETING", "Hello from Ambo")
            dyno, release = os.environ.get("DYNO", "?"), os.environ.get("AMBO_RELEASE", "?")
            self.answer(200, "text/plain; charset=utf-8", f"{greeting}! {dyno} of {release}\n")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(200, "application/octet-stream", body)

    def answer(self, status, kind, body):
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        print(format % args, flush=True)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024


def main():
    server = Server(("0.0.0.0", int(os.environ["PORT"])), Handler)
    stop = lambda *_: threading.Thread(target=server.shutdown).start()
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"listening on port {server.server_port}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    in_flight.wait_until_none(seconds_max=30)
    print("stopped", flush=True)


main()
