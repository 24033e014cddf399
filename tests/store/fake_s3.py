"""A small S3 server that misbehaves as told, on a thread and a free port of the loopback."""

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class FakeS3(ThreadingHTTPServer):
    """One bucket. Counters say how many of the next answers go wrong."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server_address[1]}"
        self.uri = f"s3://bucket/store?endpoint={self.endpoint}"
        self.objects = {}  # path: (body, attempt id)
        self.one_at_a_time = threading.Lock()
        self.requests = []  # (method, status)
        self.ignores_conditions = False
        self.refuses = None  # (status, code), to every request
        self.conflicts = 0
        self.lost_answers = 0  # puts that are done, whose connection then breaks
        self.cut_bodies = 0
        self.seconds_per_byte = 0.0

    def handle_error(self, request, client_address):
        """Clients that give up are what the tests are about."""

    def take(self, counter):
        """Whether this answer goes wrong."""
        with self.one_at_a_time:
            left = getattr(self, counter)
            setattr(self, counter, max(0, left - 1))
            return left > 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # for "Expect: 100-continue", which boto3 sends with a put

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.refused():
            return None
        if self.server.take("conflicts"):
            return self.fail(409, "ConditionalRequestConflict")
        with self.server.one_at_a_time:
            taken = self.path in self.server.objects
            conditional = self.headers["If-None-Match"] == "*"
            if taken and conditional and not self.server.ignores_conditions:
                return self.fail(412, "PreconditionFailed")
            self.server.objects[self.path] = (body, self.headers["x-amz-meta-attempt"])
        if self.server.take("lost_answers"):
            self.close_connection = True
            return self.server.requests.append(("PUT", "lost"))
        return self.answer(200)

    def do_GET(self):
        if self.refused():
            return None
        if "list-type" in urlsplit(self.path).query:
            return self.answer(200, b"<ListBucketResult></ListBucketResult>")
        if self.path not in self.server.objects:
            return self.fail(404, "NoSuchKey")
        return self.answer(200, *self.server.objects[self.path])

    def do_HEAD(self):
        if self.refused():
            return None
        if self.path not in self.server.objects:
            return self.fail(404, "NoSuchKey")
        return self.answer(200, *self.server.objects[self.path])

    def do_DELETE(self):
        if not self.refused():
            self.server.objects.pop(self.path, None)
            self.answer(204)

    def refused(self):
        if self.server.refuses:
            self.fail(*self.server.refuses)
        return self.server.refuses

    def fail(self, status, code):
        self.answer(status, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode())

    def answer(self, status, body=b"", attempt=None):
        self.server.requests.append((self.command, status))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        if attempt:
            self.send_header("x-amz-meta-attempt", attempt)
        self.end_headers()
        if self.command == "GET" and attempt and self.server.take("cut_bodies"):
            body = body[: len(body) // 2]
        if self.command != "HEAD":
            self.send_slowly(body) if self.server.seconds_per_byte else self.wfile.write(body)

    def send_slowly(self, body):
        for byte in body:
            self.wfile.write(bytes([byte]))
            time.sleep(self.server.seconds_per_byte)

    def log_message(self, *_):
        pass


@contextmanager
def serve():
    """Give a running `FakeS3`."""
    with FakeS3() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
