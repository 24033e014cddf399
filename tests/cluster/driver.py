"""`python -m tests.cluster.driver JOURNAL PAUSE WORDS...`: `dass-ray WORDS...` with slow runs."""

import sys

from dass_ray.actors import kd_worker
from dass_ray.cli.main import main

from .slow import slow

if __name__ == "__main__":
    kd_worker.distil_shard = slow(sys.argv[1], float(sys.argv[2]))
    sys.argv[1:] = sys.argv[3:]
    main()
