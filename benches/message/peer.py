"""The application protocol with json and struct, timed on demand: each line names a body and how often to run it; the answer is the seconds of one run."""

import json
import struct
import sys
import time


def encode(content):
    content = json.dumps(content, ensure_ascii=False).encode("utf-8")
    header = {
        "byteorder": sys.byteorder,
        "content-type": "text/json",
        "content-encoding": "utf-8",
        "content-length": len(content),
    }
    header = json.dumps(header, ensure_ascii=False).encode("utf-8")
    return struct.pack(">H", len(header)) + header + content


def decode(data, start):
    (length,) = struct.unpack_from(">H", data, start)
    begin = start + 2 + length
    header = json.loads(data[start + 2 : begin].decode("utf-8"))
    end = begin + header["content-length"]
    content = json.loads(data[begin:end].decode(header["content-encoding"]))
    return content["action"], content["value"], end


REQUEST = {"action": "search", "value": "morpheus"}
RESULT = {"result": "Follow the white rabbit. 🐰"}
WIRE = encode(REQUEST)
PIPELINED = WIRE * 1000


def pipelined():
    at = 0
    while at < len(PIPELINED):
        at = decode(PIPELINED, at)[2]


def exchange():
    decode(WIRE, 0)
    encode(RESULT)


BODIES = {
    "encode": lambda: encode(RESULT),
    "decode": lambda: decode(WIRE, 0),
    "pipelined": pipelined,
    "exchange": exchange,
}

for line in sys.stdin:
    name, times = line.split()
    body = BODIES[name]
    start = time.perf_counter()
    for _ in range(int(times)):
        body()
    print((time.perf_counter() - start) / int(times), flush=True)
