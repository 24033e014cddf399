import threading
from dataclasses import replace

import numpy as np
import pytest

from dass_ray.data import threads
from dass_ray.data.source import EncodedImage, Piece

from .make import encoded, encoded_split, noise, pixels


def test_many_images_of_several_pieces_get_their_rows_and_all_are_counted():
    done = []
    split = encoded_split([encoded(noise(4, seed)) for seed in range(200)], piece=70)
    assert [(piece.first, piece.count) for piece in split.pieces] == [(0, 70), (70, 70), (140, 60)]
    images, unreadable = pixels(split, 4, lambda: done.append(threading.get_ident()))
    assert not unreadable
    expected = [np.asarray(noise(4, seed)).transpose(2, 0, 1) for seed in range(200)]
    assert (images == np.stack(expected)).all()
    assert done == [threading.get_ident()] * 200


def test_few_encoded_images_are_held_at_once(monkeypatch):
    monkeypatch.setattr(threads.os, "cpu_count", lambda: 2)
    taken = done = most = 0

    def images():
        nonlocal taken, most
        for _ in range(2000):
            taken += 1
            most = max(most, taken - done)
            yield EncodedImage("x", bytes)

    def on_image():
        nonlocal done
        done += 1

    out = np.zeros((2000, 3, 4, 4), dtype=np.uint8)
    threads.in_threads([Piece(0, 2000, images)], out, on_image)
    assert most <= threads._BATCH * (2 * threads._WAITING + 2)


@pytest.mark.parametrize("count", [1, 3])
def test_a_source_that_has_changed_since_its_labels_were_read_is_no_data_set(count):
    piece = replace(encoded_split([encoded(noise(4))] * 2).pieces[0], count=count)
    with pytest.raises(ValueError, match="zip"):
        threads.in_threads([piece], np.zeros((3, 3, 4, 4), np.uint8), lambda: None)
