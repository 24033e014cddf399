import yaml

from dass_ray.export.readme import render


def test_the_card_for_people(exported):
    _, card, out = exported
    text = (out / "README.md").read_text(encoding="utf-8")
    _, header, body = text.split("---\n", 2)
    assert yaml.safe_load(header)["license"] == "mit"
    assert body.startswith("# A student for tinges\n")
    for fact in (card.spec, card.run, card.teacher_fingerprint, card.dataset_fingerprint, "85.0%"):
        assert fact in body
    assert f"    {card.commands[-1]}\n" in body
    assert "of the data: unknown" in body
    assert "Ask before you pass the student on" in body
    table = [line for line in body.splitlines() if line.startswith("| ")]
    assert [line.count("|") for line in table[:5]] == [10] * 5
    assert [line.split(" | ")[0] for line in table[1:5]] == [
        "| PyTorch", "| torch.export", "| ONNX", "| ONNX int8",
    ]  # fmt: skip
    assert table[1].endswith("| | |")
    assert not table[3].endswith("| | |")


def test_names_open_no_tags_and_what_is_known_is_not_asked_for(exported):
    _, card, _ = exported
    changed = {"classes": ("<b>", "x", "y"), "data_licence": "cc0: <i>", "onnx_input": ""}
    text = render(card.model_copy(update=changed))
    assert "<b>" not in text
    assert "cc0: &lt;i&gt;" in text
    assert "Ask before" not in text
    assert "ONNX files take" not in text
