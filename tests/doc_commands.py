"""The commands that README, docs and configs show: in blocks of code, and in backticks."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("configs/*.yaml")])
JOBS = {"search": "search", "collect": "collect", "evaluate": "evaluate",
        "meta_train": "meta-train", "train_teacher": "teacher train"}  # fmt: skip
GROUPS = ("data", "teacher", "latency", "bench")
OURS = r"dass-ray|python jobs/\w+\.py"
OTHERS = r"make|pip|docker|kubectl|ray|cluster/local\.sh"


@dataclass(frozen=True)
class Command:
    """text: as it is shown, on one line and without its comment; others are not of dass-ray."""

    page: str
    text: str
    inline: bool = False

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"

    @property
    def ours(self) -> bool:
        return re.match(OURS, self.text) is not None

    @property
    def words(self) -> list[str]:
        """Those behind `dass-ray`; of a job, as its script would hand them on."""
        name, rest = re.match(rf"({OURS}) (.*)", self.text).groups()
        job = re.fullmatch(r"python jobs/(\w+)\.py", name)
        return [*(JOBS[job[1]].split() if job else ()), *shlex.split(rest)]

    @property
    def verb(self) -> str:
        first, *rest = self.words
        return f"{first} {rest[0]}" if first in GROUPS and rest else first

    @property
    def mention(self) -> bool:
        """A verb in a sentence, with nothing that could be run as it stands."""
        return (
            self.inline
            and not self.verb.startswith("bench ")
            and len(self.words) == len(self.verb.split())
        )


def blocks(text):
    """The lines of code: indented, fenced, or a comment of a YAML file."""
    fenced = False
    for line in text.splitlines():
        if line.strip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith(("    ", "# ", "#   ")):
            yield line.lstrip("# ").rstrip()


def commands(page):
    """Every command of a page, in the order of the page's blocks; then those in sentences."""
    text = page.read_text()
    lines = "\n".join(blocks(text)).replace("\\\n", " ").splitlines()
    programs = OURS if page.suffix == ".yaml" else f"{OURS}|{OTHERS}"  # YAML comments are prose
    for line in lines:
        if found := re.match(rf"\s*(?:\$ )?((?:{programs}) [^#]*)", line):
            whole = " ".join(found[1].split())
            yield Command(page.name, whole)
            if job := re.search(r"(?<= -- )python jobs/.*", whole):  # of `ray job submit`
                yield Command(page.name, job[0])
    for inline in re.findall(r"(?<!`)`([^`]+)`(?!`)", text):
        if re.match(rf"(?:{OURS})\s", inline):
            yield Command(page.name, " ".join(inline.split()), inline=True)


EVERY = [command for page in PAGES for command in commands(page)]
