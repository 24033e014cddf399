"""The teachers of a search as a report shows them."""

from dataclasses import dataclass

from dass_ray.cost import cost
from dass_ray.records import TeacherCard
from dass_ray.searches import SearchCard


@dataclass(frozen=True)
class Teacher:
    """A teacher and its size; label: `teacher`, with its number where a search has several."""

    card: TeacherCard
    label: str
    params: int
    flops: int

    @property
    def network(self) -> str:
        """What it is: its source, or the largest network of its space."""
        if self.card.foreign:
            return self.card.foreign.network.source
        return f"the largest of the space {self.card.space.name}"


def teachers(card: SearchCard) -> tuple[Teacher, ...]:
    """All of a search's, in the order of its configuration."""
    several = bool(card.others)
    return tuple(
        Teacher(one, f"teacher {number}" if several else "teacher", *_size(one))
        for number, one in enumerate(card.teachers, 1)
    )


def _size(card: TeacherCard) -> tuple[int, int]:
    """Parameters and FLOPs."""
    if card.foreign:
        return card.foreign.params, card.foreign.flops
    own = cost(card.space, card.space.pack([card.space.teacher]), len(card.classes))
    return int(own.params[0]), int(own.flops[0])
