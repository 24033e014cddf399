"""moto's S3 server on a free port of the loopback, with puts one after the other.

moto looks for the key and writes it in two steps, so that two writers can both win, about which
the tests of a client would be testing moto. Real servers do it in one step.
"""

import threading

from moto.s3.responses import S3Response
from moto.server import main

one_at_a_time = threading.Lock()
put_object = S3Response.put_object


def put_object_alone(self):
    with one_at_a_time:
        return put_object(self)


if __name__ == "__main__":
    S3Response.put_object = put_object_alone
    main(["--host", "127.0.0.1", "--port", "0"])
