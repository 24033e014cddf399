from dass_ray.report.drawing import WIDTH, draw
from dass_ray.space import MICRO, Spec

from ..make import MOBILE


def test_a_bar_for_each_block_of_the_teacher():
    drawn = draw(MICRO, Spec.parse("8-6/16/32-20-18/64"))
    assert [bar.text for bar in drawn.bars] == [
        "8", "6", "", "", "", "16", "", "", "", "", "32", "20", "18", "", "", "64", "", "", "", "",
    ]  # fmt: skip


def test_blocks_of_two_numbers_are_as_wide_as_the_first():
    drawn = draw(MOBILE, Spec.parse("2x3/6x1"))
    assert [bar.text for bar in drawn.bars] == ["2x3", "", "6x1", ""]
    assert drawn.bars[2].width == drawn.bars[2].outline == 3 * drawn.bars[0].width


def test_bars_are_as_wide_as_their_channels_and_centred():
    drawn = draw(MICRO, Spec.parse("8-4/16/32/32-64"))
    shown = [bar for bar in drawn.bars if bar.text]
    assert len({bar.width / int(bar.text) for bar in shown}) == 1
    assert len({bar.x + bar.width / 2 for bar in shown}) == 1
    assert max(bar.x + bar.width for bar in shown) < WIDTH


def test_student_and_teacher_line_up():
    student, teacher = draw(MICRO, MICRO.smallest), draw(MICRO, MICRO.teacher)
    assert [bar.y for bar in student.bars] == [bar.y for bar in teacher.bars]
    assert [bar.outline for bar in student.bars] == [bar.width for bar in teacher.bars]
    assert student.height == teacher.height


def test_captions_give_resolution_and_depth():
    drawn = draw(MICRO, Spec.parse("8-6/16/32-20-18/64"))
    assert [text for _, text in drawn.captions] == [
        "16×16 px · 2 of 5 blocks", "8×8 px · 1 of 5 blocks", "4×4 px · 3 of 5 blocks",
        "2×2 px · 1 of 5 blocks",
    ]  # fmt: skip
