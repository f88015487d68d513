"""What the library for age's format reports, as errors that name the likely cause."""

from __future__ import annotations

from playstream.pipeline.errors import IncompleteStream, PlaystreamError, RemoteProtocolError

_NO_KEY = "No matching keys found"
_CUT_HEADERS = frozenset({"Incomplete header", "failed to fill whole buffer"})
_CONTENTS = _CUT_HEADERS | {"decryption error"}
"""What is wrong with a complete batch if not its header."""


def explain_header(reason: str) -> PlaystreamError:
    """Return the error for an age file whose header cannot be used."""
    if reason == _NO_KEY:
        return RemoteProtocolError(
            "the stream is encrypted, but none of the keys in the identity files can decrypt it: expected the secret "
            "key of a recipient given with --encrypt-to. Pass the file with that key (--identity), or encrypt to the "
            "public key of this one (age-keygen -y FILE). Streams encrypted with a passphrase are not supported"
        )
    if reason in _CUT_HEADERS:
        return IncompleteStream(
            "the encrypted stream ended within its header: the sender was killed, or the connection was lost"
        )
    return RemoteProtocolError(
        f"the header of the encrypted stream cannot be read: {' '.join(reason.split())}. It was altered in transit, or "
        "the sender uses a version of age that is not supported"
    )


def explain_content(reason: str, *, at_end: bool) -> PlaystreamError:
    """Return the error for the content of an age file that is the whole stream."""
    if at_end:
        return IncompleteStream(
            f"the encrypted stream ended early ({reason}): the sender was killed, the connection was lost, or the last "
            "64 KiB were altered in transit. Everything before that is authentic"
        )
    return RemoteProtocolError(
        f"the encrypted stream was altered in transit ({reason}): a chunk of 64 KiB is not as the sender wrote it. "
        "Everything before that is authentic"
    )


def explain_batch(number: int, reason: str) -> PlaystreamError:
    """Return the error for an age file that is one batch of a stream, and complete."""
    if number == 0 and reason not in _CONTENTS:
        return explain_header(reason)
    return RemoteProtocolError(
        f"batch {number} of the encrypted stream was altered in transit ({' '.join(reason.split())}): it is not as the "
        "sender wrote it. Everything before that is authentic"
    )
