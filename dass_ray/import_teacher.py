"""A teacher that was trained elsewhere, into the store."""

from pathlib import Path

from dass_ray.actors.kd_worker import device
from dass_ray.config import ImportConfig
from dass_ray.data.builtin import resolve
from dass_ray.kd import foreign_teachers, given, teachers
from dass_ray.records import TeacherCard
from dass_ray.store import open_store
from dass_ray.watch import Silent, Watcher


def import_teacher(
    config: ImportConfig, source: str, weights: Path | None = None, watcher: Watcher | None = None
) -> TeacherCard:
    """Commits what a source holds as a teacher of a data set; see `kd.given.read`.

    One that is no ResNet of the space gets a proxy, which is distilled in this process.
    UserError where source, data set and settings do not fit, before anything is distilled.
    """
    store, watcher = open_store(config.store), watcher or Silent()
    data = resolve(store, config.dataset)
    found = given.read(source, weights, data.card.classes)
    network = found.changed(config.network)
    if network is None:
        small = data.resized(config.space.image_size).to(device())
        return teachers.import_into(store, config.space, small, found.state, found.where)
    watcher.phase("distilling its proxy (epochs)", config.teacher.epochs_for(len(data.train)))
    return foreign_teachers.import_into(
        store, config.space, data.to(device()), network, found.state, found.where, config.teacher,
        lambda done, _total, reached: watcher.step(done, f"validation {reached:.1%}"),
    )  # fmt: skip
