import hashlib

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

from dass_ray.data.textures import CLASSES, textures


def test_shapes_and_types():
    images, labels = textures(3, classes=4, per_class=6, size=12)
    assert (images.shape, images.dtype) == ((24, 3, 12, 12), np.uint8)
    assert labels.tolist() == [i // 6 for i in range(24)]
    assert labels.dtype == np.int64


def test_published_tasks_never_change():
    """Results name tasks by their seed; an intended change needs another name for the family."""
    images, labels = textures(0)
    assert hashlib.sha256(images.tobytes()).hexdigest()[:16] == "88b763447b07773e"
    assert len(labels) == 150 * (labels.max() + 1)


def test_the_seed_decides():
    first, again, other = (textures(seed, classes=3, per_class=5)[0] for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_seeds_differ_in_the_number_of_classes():
    counts = {int(textures(seed, per_class=1, size=2)[1].max()) + 1 for seed in range(60)}
    assert min(counts) == CLASSES[0]
    assert max(counts) == CLASSES[1]
    assert len(counts) > 10


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_few_classes_and_images(classes):
    images, labels = textures(0, classes=classes, per_class=1)
    assert len(images) == len(labels) == classes


def test_images_of_a_class_differ_and_none_is_flat():
    images, _ = textures(5, classes=5, per_class=30)
    assert len({image.tobytes() for image in images}) == 150
    assert (images.reshape(150, -1).std(1) > 5).all()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_classes_can_be_told_apart_but_not_by_a_linear_classifier(seed):
    """Spectra tell phases and places apart from frequencies; raw pixels do not."""
    images, labels = textures(seed, classes=8, per_class=60)
    train, test = np.arange(480) % 60 < 40, np.arange(480) % 60 >= 40

    def accuracy(features):
        features = features.reshape(480, -1)
        model = RidgeClassifier(alpha=10.0).fit(features[train], labels[train])
        return float(model.score(features[test], labels[test]))

    unit = images / 255 - 0.5
    spectra = np.log1p(np.abs(np.fft.rfft2(unit)))
    chance = 1 / 8
    assert accuracy(spectra) > 2 * chance
    assert accuracy(spectra) < 1
    assert accuracy(unit) < accuracy(spectra)
