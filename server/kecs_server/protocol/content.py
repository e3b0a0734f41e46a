"""The body of a request as the client wrote it before it was compressed for the way."""

from __future__ import annotations

import zlib

from kecs_server.errors import RequestEntityTooLargeException
from kecs_server.errors import SerializationException

MAX_BODY = 8 * 2**20
"""Bytes that a request may have, also when it is unpacked. The limit of ECS is not known: its
largest legal request, a task definition, has 64 KiB.
"""

_GZIP = 16 + zlib.MAX_WBITS


def unpacked(body: bytes, encoding: str) -> bytes:
    """:param encoding: the header Content-Encoding.
    :raises SerializationException: an encoding other than gzip, or what is not encoded so.
    :raises RequestEntityTooLargeException: it becomes longer than a request may be.
    """
    for name in reversed([part.strip().lower() for part in encoding.split(",")]):
        if name == "gzip":
            body = _gunzipped(body)
        elif name not in ("", "identity"):
            raise SerializationException(f"The Content-Encoding '{name}' is not supported.")
    return body


def _gunzipped(body: bytes) -> bytes:
    result = b""
    while body or not result:
        stream = zlib.decompressobj(_GZIP)
        try:
            result += stream.decompress(body, MAX_BODY + 1 - len(result))
        except zlib.error as error:
            raise SerializationException(f"The body is not gzip: {error}") from None
        if len(result) > MAX_BODY:
            raise RequestEntityTooLargeException
        if not stream.eof:
            raise SerializationException("The body is not gzip: it ends too soon.")
        body = stream.unused_data
        if not body:
            break
    return result
