"""The application protocol and Python's own codecs, asked one line at a time: a JSON list of a function's name and its arguments."""

import codecs
import encodings.aliases
import json
import random
import struct
import sys


def frame(byteorder, content_type, content_encoding, content, extra):
    """A message, in hexadecimal digits as all bytes here."""
    content = bytes.fromhex(content)
    header = {
        "byteorder": byteorder or sys.byteorder,
        "content-type": content_type,
        "content-encoding": content_encoding,
        "content-length": len(content),
    }
    header.update((name, json.loads(value)) for name, value in extra)
    header = json.dumps(header, ensure_ascii=False).encode("utf-8")
    return (struct.pack(">H", len(header)) + header + content).hex()


def dumps(members):
    return json.dumps(dict(members), ensure_ascii=False).encode("utf-8").hex()


def message(data):
    """The members of a message's header, in order, and its content as text."""
    data = bytes.fromhex(data)
    (length,) = struct.unpack(">H", data[:2])
    header = json.loads(data[2 : 2 + length].decode("utf-8"))
    content = data[2 + length :]
    assert len(content) == header["content-length"]
    return json.dumps([list(header.items()), content.decode(header["content-encoding"])])


def decode(encoding, data):
    try:
        return bytes.fromhex(data).decode(encoding).encode("utf-8").hex() or "nothing"
    except UnicodeDecodeError as error:
        return f"not from {error.start} on"


def encode(encoding, text):
    try:
        return text.encode(encoding).hex() or "nothing"
    except UnicodeEncodeError as error:
        return f"not {ord(text[error.start])}"


def names(seed):
    """Names of encodings, each with the one that Python makes of it: its aliases, and what is nearly one of them."""
    rng = random.Random(seed)
    known = list(encodings.aliases.aliases) + sorted(set(encodings.aliases.aliases.values())) + ["binary", ""]
    found = []
    for name in known:
        found.append(name)
        for _ in range(6):
            signs = rng.choice(["-", "_", " ", "--", "- ", ".", "", "é"])
            spelled = "".join(rng.choice([c.upper(), c.lower()]) for c in name.replace("_", signs))
            if rng.random() < 0.3:
                at = rng.randrange(len(spelled) + 1)
                spelled = spelled[:at] + rng.choice("-_ .8xé") + spelled[at:]
            found.append(spelled)
    return json.dumps([[name, lookup(name)] for name in found])


def lookup(name):
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None


for line in sys.stdin:
    name, *arguments = json.loads(line)
    print(globals()[name](*arguments), flush=True)
