"""The report: it stands alone, it is well-formed, and no text in it turns into markup."""

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sammed.errors import ConfigError, ExportError
from sammed.reports.report import Picture, Report, Table, render_report, write_report
from sammed_volumes.errors import OutputError

PICTURE_BYTES = b"\x89PNG\r\n\x1a\n and the rest"
VOID_TAGS = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """Tags in order, attributes and text; fails if tags are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.extend((tag, name, value) for name, value in attrs)
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "overlay.png"
    path.write_bytes(PICTURE_BYTES)
    return path


def report(picture: Path, word: str = "lung") -> Report:
    return Report(
        title=f"Demo {word}",
        summary=f"Five slices of a {word}.",
        pictures=(Picture(picture, f"Slices of {word}"),),
        tables=(
            Table(f"Dice {word}", (word, "Dice"), ((word, 0.98765), ("none", None), ("nan", float("nan")))),
        ),
        facts=((f"fact {word}", word), ("seed", 7), ("seconds", 41.5)),
    )


def test_everything_is_in_the_page(picture: Path) -> None:
    page = Page(render_report(report(picture)))
    text = "\n".join(page.words)
    for words in (
        "Demo lung",
        "Five slices of a lung.",
        "Slices of lung",
        "Dice lung",
        "0.988",
        "seed",
        "7",
        "41.5",
    ):
        assert words in text
    cells = [word for word in page.words if word == "\N{EN DASH}"]
    assert len(cells) == 2  # None and NaN
    assert "nan" in text.split("\n")  # the word in a cell stays
    assert page.tags.count("h1") == 1
    assert page.tags.count("tr") == 4


def test_page_stands_alone(picture: Path) -> None:
    page = Page(render_report(report(picture)))
    sources = [value for _, name, value in page.attributes if name in ("src", "href", "srcset", "action")]
    assert len(sources) == 1
    assert sources[0] is not None
    kind, data = sources[0].split(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(data) == PICTURE_BYTES
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert not re.search(r"url\(|@import|https?:", render_report(report(picture)))


@pytest.mark.parametrize(
    "word", ["<b>", "</title><script>alert(1)</script>", '"><img src=x>', "a & b", "{style} {0}"]
)
def test_no_text_becomes_markup(picture: Path, word: str) -> None:
    plain, odd = Page(render_report(report(picture))), Page(render_report(report(picture, word)))
    assert odd.tags == plain.tags
    assert [name for _, name, _ in odd.attributes] == [name for _, name, _ in plain.attributes]
    assert word in odd.words


def test_report_with_nothing_but_a_title() -> None:
    page = Page(render_report(Report("Nothing", "Nothing was done.")))
    assert "figure" not in page.tags
    assert "table" not in page.tags
    assert "dl" not in page.tags


def test_numbers_are_set_to_the_right() -> None:
    rows = (("a", 1, 0.5), ("b", None, 0.25))
    text = render_report(Report("t", "s", tables=(Table("scores", ("name", "count", "Dice"), rows),)))
    assert '<td>a</td><td class="number">1</td><td class="number">0.500</td>' in text
    assert '<th>name</th><th class="number">count</th>' in text


def test_empty_table_keeps_its_head() -> None:
    text = render_report(Report("t", "s", tables=(Table("scores", ("name", "Dice"), ()),)))
    assert Page(text).tags.count("th") == 2


def test_written_whole_and_not_over_another(tmp_path: Path, picture: Path) -> None:
    path = write_report(tmp_path / "report.html", report(picture, "Lunge rechts, größer"))
    assert "größer" in path.read_text(encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(OutputError, match="already exists"):
        write_report(path, Report("other", ""))
    assert path.read_bytes() == before
    write_report(path, Report("other", ""), overwrite=True)
    assert "<h1>other</h1>" in path.read_text(encoding="utf-8")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["overlay.png", "report.html"]


def test_missing_picture_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"gone\.png can't be read"):
        write_report(
            tmp_path / "report.html", Report("t", "s", pictures=(Picture(tmp_path / "gone.png", "x"),))
        )
    assert list(tmp_path.iterdir()) == []


def test_wrong_shapes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'scores' has 2 columns, but a row of 1"):
        Table("scores", ("a", "b"), (("only",),))
    with pytest.raises(ConfigError, match=r"\.svg can't go into a report"):
        Picture(tmp_path / "x.svg", "drawing")
