"""A store in memory to which teachers and finished runs are written in a line each."""

from dass_ray import ledger
from dass_ray.models.weights import fingerprint, to_bytes

from . import make_task
from .make import TINY, Memory, row, specs, teacher_card

SPECS = list(dict.fromkeys(specs(TINY, 12)))[:6]


class Home(Memory):
    """Made-up runs of random networks."""

    def teacher(self, name="t1", seed=0, space=TINY, data="tinges", validation=0.9):
        net = make_task.teacher(space, seed=seed)
        card = teacher_card(
            space, id=name, dataset=data, validation=validation,
            fingerprint=fingerprint(net.state_dict()),
        )  # fmt: skip
        self.put(f"teachers/{name}/weights.safetensors", to_bytes(net.state_dict()))
        self.put(f"teachers/{name}/card.json", card.model_dump_json().encode())
        return net

    def run(self, spec, validation, *, teacher="t1", data="tinges", seed=0, **changed):
        key = f"{len(self.objects):04d}"
        facts = {"spec": str(spec), "validation": validation, "teacher": teacher, "seed": seed}
        ledger.commit(self, [row(key, dataset=data, **facts | changed)])

    def runs(self, validations, some=SPECS, **changed):
        for spec, validation in zip(some, validations, strict=False):
            self.run(spec, validation, **changed)
