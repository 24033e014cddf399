"""A server of a container role's and of an instance role's keys, which are soon to expire."""

import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FakeRoles(ThreadingHTTPServer):
    """Gives `key 1`, `key 2`, ... each valid for `minutes` more."""

    daemon_threads = True

    def __init__(self, minutes):
        super().__init__(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server_address[1]}"
        self.minutes, self.given = minutes, 0


class Handler(BaseHTTPRequestHandler):
    def do_PUT(self):
        self.answer(b"a session of the instance's metadata service")

    def do_GET(self):
        if self.path.endswith("/security-credentials/"):
            return self.answer(b"role")
        self.server.given += 1
        until = datetime.now(UTC) + timedelta(minutes=self.server.minutes)
        keys = {
            "Code": "Success", "AccessKeyId": f"key-{self.server.given}",
            "SecretAccessKey": "secret", "Token": "token",
            "Expiration": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }  # fmt: skip
        return self.answer(json.dumps(keys).encode())

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def serve(minutes):
    """Give a running `FakeRoles`."""
    with FakeRoles(minutes) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
