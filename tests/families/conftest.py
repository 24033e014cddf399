import os
import shutil
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """A family of another package, installed: its modules, and the entry point that names it."""
    site = tmp_path_factory.mktemp("site")
    shutil.copytree(Path(__file__).parent / "plain_convs", site / "plain_convs")
    info = site / "plain_convs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plain-convs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[dass_ray.families]\nplain = plain_convs:PlainBlocks\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        path = os.environ.get("PYTHONPATH")
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(site), path])))
        yield
        for name in [name for name in sys.modules if name.split(".")[0] == "plain_convs"]:
            del sys.modules[name]
