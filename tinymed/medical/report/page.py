"""A self-contained HTML page: all in one file, nothing fetched, whatever is given escaped."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from tinymed.medical.report.model_card import in_words

__all__ = ["Picture", "Section", "Table", "drawn", "html"]

TEMPLATE = Path(__file__).with_name("page.html")
SHRUNK = 0.8


@dataclass(frozen=True)
class Picture:
    """A PNG, what it shows in words, and what is written under it."""

    png: bytes
    alt: str
    caption: str = ""
    marked: bool = False  # framed: a case that is wrong

    @property
    def source(self) -> str:
        """Return the picture as a data: URI."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()

    @property
    def width(self) -> int:
        """Return its width on the page; drawings have more dots than that, for sharp screens."""
        dots: int = struct.unpack_from(">I", self.png, 16)[0]
        return round(dots * SHRUNK)


@dataclass(frozen=True)
class Table:
    """A header and rows; numbers are written with four digits."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str = ""

    @property
    def cells(self) -> list[list[str]]:
        """Return the rows as text; None is a cell without an entry."""
        return [["" if cell is None else in_words(cell) for cell in row] for row in self.rows]


@dataclass(frozen=True)
class Section:
    """A part of a page: sentences, then tables, then pictures; in a gallery pictures are small."""

    title: str
    notes: Sequence[str] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    gallery: bool = False


def html(title: str, notice: str, sections: Sequence[Section]) -> str:
    """Return the page.

    Parameters
    ----------
    title : str
    notice : str
        What nobody may overlook, under the title.
    sections : sequence of Section

    Raises
    ------
    ImportError
        Without jinja2.

    Examples
    --------
    >>> "<h2>a &lt; b</h2>" in html("t", "n", [Section("a < b")])
    True
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError as error:
        raise ImportError("page: needs jinja2: pip install tinymed[report]") from error
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    page = template.render(title=title, notice=notice, sections=sections)
    # a file's name of an older encoding is no UTF-8: its bytes are shown as escapes
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def drawn(draw: Callable[..., None], alt: str, *arguments: Any, **settings: Any) -> Picture:
    """Return what a function of `tinymed.medical.report.pictures` draws."""
    file = BytesIO()
    draw(file, *arguments, **settings)
    return Picture(file.getvalue(), alt)
