"""A family as another package would bring it: plain 3x3 convolutions, one after the other."""

from typing import ClassVar, Literal

from dass_ray.families.base import Block, Family, Ints, Layout, inputs, last_widths


class PlainBlocks(Family):
    """A block is the width of its convolution; the last one is as wide as the teacher's."""

    network: ClassVar[str] = "plain_convs.networks:PlainNetwork"
    name: Literal["plain"] = "plain"
    stem: int = 4

    @classmethod
    def presets(cls):
        layout = Layout(name="plain", image_size=8, widths=(4, 8), strides=(1, 2), max_depth=2)
        return ((layout, cls()),)

    def blocks(self, layout: Layout) -> tuple[tuple[Block, ...], ...]:
        return layout.width_choices

    def ends(self, layout: Layout) -> tuple[Block, ...]:
        return (layout.widths[-1],)

    def stem_width(self, layout: Layout, first: Ints) -> Ints:
        return 0 * first + self.stem

    def cost(self, layout: Layout, blocks: Ints, classes: int) -> tuple[Ints, Ints]:
        width = blocks[:, 0]
        entering = inputs(width, self.stem_width(layout, width[:, 0, 0]))
        weights, stem = 9 * entering * width, 27 * self.stem
        head = last_widths(width)
        norms = 2 * width.sum(axis=(1, 2)) + 2 * self.stem
        params = weights.sum(axis=(1, 2)) + stem + norms + (head + 1) * classes
        macs = (weights.sum(axis=2) * layout.sides**2).sum(axis=1)
        return params, macs + stem * layout.image_size**2 + head * classes
