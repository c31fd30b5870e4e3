"""JSON by the interpreter's own C code, without the package around it, which takes a new parent 8 ms to load.

What a peer sends is scanned by the same code as json's; ValueError where it is no JSON.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn, Tuple


def _refuse(value: object) -> NoReturn:
    raise ValueError("not plain: %r" % (value,))


class _Context:
    """What json.JSONDecoder is to the scanner."""

    strict = True
    object_hook = object_pairs_hook = array_hook = None
    parse_float = float
    parse_int = int
    parse_constant = staticmethod(_refuse)


def _tools() -> Tuple[Any, Any]:
    """What scans (text, where) → (value, its end), and what makes pieces of text of a value."""
    try:
        from _json import encode_basestring_ascii, make_encoder, make_scanner

        context: Any = _Context()
        encode = make_encoder(None, _refuse, encode_basestring_ascii, None, ":", ",", False, False, False)
        return make_scanner(context), lambda value: encode(value, 0)
    except (ImportError, TypeError):  # another interpreter, or another Python's C code
        import json

        encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_refuse)
        return json.JSONDecoder(parse_constant=_refuse).raw_decode, encoder.iterencode


_scan, _pieces = _tools()


def loads(data: bytes) -> Any:
    """The value of a JSON text. ValueError."""
    text = data.decode("utf-8")
    try:
        value, end = _scan(text, 0)
    except (StopIteration, RecursionError) as error:
        raise ValueError("not JSON: %s" % error) from None
    if end != len(text):
        raise ValueError("not JSON: more after its end")
    return value


def dumps(value: Any) -> bytes:
    """A value as a JSON text. ValueError for what JSON has no word for."""
    return "".join(_pieces(value)).encode("ascii")
