"""`ray job submit --working-dir . -- python jobs/train_teacher.py --config FILE --store URI`."""

import sys

from dass_ray.cli.main import main

sys.argv[1:1] = ["teacher", "train"]
main()
