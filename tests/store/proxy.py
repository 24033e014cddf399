"""An HTTP proxy in front of a real S3 server that spoils some of the requests, as told."""

import http.client
import re
import socket
import struct
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

FAULTS = ("500", "503", "reset", "lost", "cut", "silence")


class Proxy(ThreadingHTTPServer):
    """Passes requests on to `endpoint`, but for those that `fault` names a fault for.

    500, 503   answered so, without asking the server (503: SlowDown)
    reset      the connection breaks in the middle of the request's body
    lost       the server has done it, and the connection breaks before the answer
    cut        it breaks in the middle of the answer's body
    silence    there is no answer for `quiet` seconds, then the connection breaks
    slow       the answer comes after half of that time
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, endpoint):
        super().__init__(("127.0.0.1", 0), Handler)
        self.server, self.endpoint = urlsplit(endpoint).netloc, self._url()
        self.fault = lambda method, path: None
        self.expired = set()  # access keys
        self.keys = []  # access keys that asked
        self.spoilt = []
        self.quiet = 0.3

    def _url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        """Broken connections are what this is about."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def passed_on(self):
        size = int(self.headers["Content-Length"] or 0)
        key = re.search(r"Credential=([^/]+)/", self.headers["Authorization"] or "")
        self.server.keys.append(key and key[1])
        if key and key[1] in self.server.expired:
            self.rfile.read(size)
            return self.fail(400, "ExpiredToken")
        fault = self.server.fault(self.command, self.path)
        if not fault:
            return self.answer(*self.of_server(self.rfile.read(size)))
        self.server.spoilt.append((fault, self.command))
        return getattr(self, f"fault_{fault}")(size)

    do_GET = do_PUT = do_HEAD = do_DELETE = passed_on  # noqa: N815 - the base class's names

    def of_server(self, body):
        connection = http.client.HTTPConnection(self.server.server, timeout=30)
        headers = {
            k: v for k, v in self.headers.items() if k.lower() not in ("expect", "connection")
        }
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        found = answer.status, answer.getheaders(), answer.read()
        connection.close()
        return found

    def answer(self, status, headers, body, cut=False):
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        length = {k.lower(): v for k, v in headers}.get("content-length", str(len(body)))
        self.send_header("Content-Length", length)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        self.wfile.write(body[: len(body) // 2] if cut else body)

    def fail(self, status, code):
        body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
        self.answer(status, [], b"" if self.command == "HEAD" else body)

    def fault_500(self, size):
        self.rfile.read(size)
        self.fail(500, "InternalError")

    def fault_503(self, size):
        self.rfile.read(size)
        self.fail(503, "SlowDown")

    def fault_reset(self, size):
        self.rfile.read(size // 2)
        self.break_off()

    def fault_lost(self, size):
        self.of_server(self.rfile.read(size))
        self.break_off()

    def fault_cut(self, size):
        self.answer(*self.of_server(self.rfile.read(size)), cut=True)

    def fault_silence(self, size):
        self.rfile.read(size)
        time.sleep(self.server.quiet)
        self.break_off()

    def fault_slow(self, size):
        time.sleep(self.server.quiet / 2)
        self.answer(*self.of_server(self.rfile.read(size)))

    def break_off(self):
        """With a reset, not with an orderly end."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, *_):
        pass


@contextmanager
def before(endpoint):
    """Give a running `Proxy` in front of a server."""
    with Proxy(endpoint) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
