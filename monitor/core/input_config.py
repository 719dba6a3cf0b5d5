"""The ``input:`` section of a stream: how its bytes become records. All of it plain configuration."""

from __future__ import annotations

import codecs
from typing import Annotated, Self

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, StringConstraints, model_validator

from monitor.core.names import did_you_mean, quoted
from monitor.core.regexes import demand_re2
from monitor.core.strict import StrictModel

UTF_16 = ("utf-16", "utf-16-le", "utf-16-be")
EAST_ASIAN = ("big5", "gbk", "gb18030", "shift-jis", "cp932", "euc-jp", "euc-kr", "cp949")
"""Characters of several bytes, all but the first of which may be those of ASCII from "0" on."""
ENCODINGS = (
    "utf-8", "utf-8-sig", *UTF_16, "ascii", "latin-1", *(f"iso-8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 9)),
    *(f"iso-8859-{part}" for part in (10, 11, 13, 14, 15, 16)), *(f"cp{page}" for page in range(1250, 1259)),
    "cp437", "cp850", "cp852", "cp855", "cp858", "cp866", "koi8-r", "koi8-u", "mac-roman", "mac-cyrillic",
    *EAST_ASIAN,
)  # fmt: skip
"""What can be cut into records before it is decoded: ASCII characters are the bytes of ASCII, and the byte of a line
feed is never part of another character; or all characters are units of two bytes. No code has a state."""
_BY_CODEC = {codecs.lookup(name).name: name for name in reversed(ENCODINGS)}

LONGEST_DELIMITER = 64
"""Characters: a delimiter, not a document. So many bytes are searched a second time with the next block."""


def codec_of(encoding: str) -> str | None:
    """The standard library's name of an encoding in any of its spellings; None when it cannot be read.

    >>> codec_of("Latin1"), codec_of("windows-1252"), codec_of("utf-7")
    ('iso8859-1', 'cp1252', None)
    """
    try:
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError):  # ValueError: a NUL in the name
        return None
    return name if name in _BY_CODEC else None


def _encoding(name: str) -> str:
    if codec_of(name) is None:
        near = did_you_mean(name, ENCODINGS)
        raise ValueError(f"there is no encoding {quoted(name)}{near or '; there are: ' + ', '.join(ENCODINGS)}")
    return name


Pattern = Annotated[str, Field(min_length=1), AfterValidator(demand_re2)]


class MultilineConfig(StrictModel):
    """Records of several lines, such as stack traces."""

    start: Pattern | None = Field(
        default=None,
        description="Regular expression (RE2) that the first line of a record matches, wherever in the line; begin it "
        "with ^ to mean the line's beginning. All other lines continue the record before them.",
    )
    continuation: Pattern | None = Field(
        default=None,
        description="Regular expression (RE2) that lines match which continue the record before them, such as `^\\s`. "
        "All other lines begin a record.",
    )
    max_lines: PositiveInt = Field(
        default=500, description="Most lines of a record; further ones are left out and counted."
    )
    max_bytes: Annotated[int, Field(ge=4)] | None = Field(
        default=None,
        description="Longest record, in bytes of UTF-8; what is beyond is left out and counted. By default, and at the "
        "most, `limits.max_record_bytes`.",
    )
    timeout_seconds: PositiveFloat = Field(
        default=5.0,
        allow_inf_nan=False,
        description="A record that nothing was added to for so long is complete. Until then the last one is held back, "
        "since its next line may still come.",
    )

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if (self.start is None) == (self.continuation is None):
            raise ValueError(
                "give either `start`, which the first line of a record matches, or `continuation`, which the others do"
            )
        return self


class InputConfig(StrictModel):
    """How bytes become records, whatever source they come from."""

    encoding: Annotated[str, AfterValidator(_encoding)] = Field(
        default="utf-8",
        description="The encoding of the text, such as utf-8, utf-16 (by its byte order mark; little-endian without "
        "one), utf-16-le, latin-1 or cp1252. A byte order mark is skipped; bytes that are invalid become U+FFFD and "
        "are counted.",
    )
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_DELIMITER)] = Field(
        default="\n",
        description='What ends a record: "\\n" (also takes "\\r\\n"), "\\r\\n" alone, "\\0", or any other text.',
    )
    multiline: MultilineConfig | None = Field(
        default=None, description="Joins lines to records of several lines; by default each line is a record."
    )
    force_flush_after_seconds: PositiveFloat | None = Field(
        default=None,
        allow_inf_nan=False,
        description="Take a record without delimiter for complete when nothing followed it for so long. By default it "
        "is held back until its delimiter comes or the input ends for good.",
    )

    @model_validator(mode="after")
    def _can_be_found(self) -> Self:
        try:
            self.delimiter.encode(self.encoding)
        except UnicodeEncodeError:
            raise ValueError(f"the delimiter {quoted(self.delimiter)} does not exist in {self.encoding}") from None
        if _BY_CODEC[codec_of(self.encoding) or ""] in EAST_ASIAN and max(self.delimiter) >= "0":
            raise ValueError(
                f"{quoted(self.delimiter)} may be part of a character in {self.encoding}; choose a delimiter "
                'of control characters, spaces and punctuation below "0"'
            )
        return self
