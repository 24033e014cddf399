import pytest
from safetensors.torch import save_file

from dass_ray.config import ImportConfig
from dass_ray.errors import UserError
from dass_ray.import_teacher import import_teacher
from dass_ray.kd.teachers import load_net
from dass_ray.models.weights import fingerprint
from dass_ray.store import open_store

from . import make_task
from .kd.make_foreign import NETWORK, SOURCE, learned
from .make import TEACH, TINY

FIELDS = NETWORK.model_dump(exclude={"source"}, exclude_none=True)


@pytest.fixture
def home(tmp_path):
    """A store with a data set of 16 px, and a folder for files of weights."""
    store = open_store(str(tmp_path / "store"))
    return store, make_task.stored(store, size=16), tmp_path


def config(store, **fields):
    given = {"dataset": "tinges", "space": TINY, "teacher": TEACH, "store": store.uri}
    return ImportConfig(**given | fields)


def test_a_network_by_name(home):
    store, data, folder = home
    save_file(learned(data).state_dict(), folder / "w.safetensors")
    told = []

    class Watcher:
        def phase(self, name, total):
            told.append((name, total))

        def step(self, done, note):
            told.append((done, note.split()[0]))

    settled = config(store, network=FIELDS)
    card = import_teacher(settled, SOURCE, folder / "w.safetensors", Watcher())
    assert card.foreign.network == NETWORK
    assert told[0] == ("distilling its proxy (epochs)", 4)
    assert told[1:] == [(done, "validation") for done in range(1, 5)]
    with pytest.raises(UserError, match="unknown key 'sise'"):
        import_teacher(config(store, network={"sise": 3}), SOURCE, folder / "w.safetensors")


def test_weights_of_the_space_s_largest_network(home):
    store, _, folder = home
    state = make_task.teacher().state_dict()
    save_file(state, folder / "w.safetensors")
    card = import_teacher(config(store), str(folder / "w.safetensors"))
    assert card.foreign is None
    assert fingerprint(load_net(store, card).state_dict()) == fingerprint(state)
