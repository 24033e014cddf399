"""`ray job submit --working-dir . -- python jobs/evaluate.py --config FILE --store URI`."""

import sys

from dass_ray.cli.main import main

sys.argv[1:1] = ["evaluate"]
main()
