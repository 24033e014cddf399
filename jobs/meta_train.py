"""`ray job submit --working-dir . -- python jobs/meta_train.py --config FILE --store URI`."""

import sys

from dass_ray.cli.main import main

sys.argv[1:1] = ["meta-train"]
main()
