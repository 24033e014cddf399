"""`ray job submit --working-dir . -- python jobs/search.py --config FILE --store URI`."""

import sys

from dass_ray.cli.main import main

sys.argv[1:1] = ["search"]
main()
