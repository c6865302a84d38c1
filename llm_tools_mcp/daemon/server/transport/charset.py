"""In which encoding a server writes its texts: UTF-8, unless it names another one that others know, too."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2

UTF_8 = "utf-8"

# Python knows some that are none: `punycode` takes the square of the length (1 MB: minutes, for all servers),
# `undefined` raises whatever it is given, `zlib` makes no text.
_KNOWN = re.compile(
    r"utf-(?:8|16|32)(?:-[bl]e)?|ascii|iso8859-\d+|cp\d+|koi8-\w|gb\w+|big5\w*|euc_\w+|shift_jis\w*"
)


def charset_of(response: httpx2.Response) -> str:
    try:
        name = codecs.lookup(response.charset_encoding or UTF_8).name
    except (LookupError, ValueError):  # there is none that is called so
        return UTF_8
    return name if _KNOWN.fullmatch(name) else UTF_8
