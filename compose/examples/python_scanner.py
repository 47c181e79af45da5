#!/usr/bin/env python3
"""A scanner of one's own for scanmq, in plain Python: no packages are needed.

    scanmq-worker --scanner process --process "python3 compose/examples/python_scanner.py"

The payload of a job is JSON, such as {"strikes": [95, "100.5"], "spot": 101}. The answer, JSON as well, gives
the strikes back as numbers, sorted, and the one nearest to the spot. To make a scanner of your own, replace
scan(), and give VERSION another value whenever results change. The protocol is docs/PROCESS_SCANNER.md.
"""

import json
import select
import struct
import sys

NAME = "python-example"
VERSION = "1"
READS_INPUTS = True

# Kinds of messages.
HELLO, SCAN, CANCEL, PING, SNAPSHOT, FORGET = 1, 2, 3, 4, 5, 6
READY, RESULT, PROGRESS, PONG = 11, 12, 13, 14
DONE, FAILED, REJECTED, RETURNED = 1, 2, 3, 4


class Rejected(Exception):
    """The request can never be answered: it will not be run again."""


class Cancelled(Exception):
    """Nobody waits for the result any more."""


def scan(request, scanner):
    """The scan itself: replace this. `request.payload` is bytes, `request.inputs` the snapshots' bytes."""
    try:
        asked = json.loads(request.payload)
        strikes = sorted(float(strike) for strike in asked["strikes"])
        spot = float(asked.get("spot", 0.0))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Rejected(f'the payload must be JSON such as {{"strikes": [95, 100], "spot": 101}}: {error!r}') from error
    nearest = None
    for done, strike in enumerate(strikes):
        if done % 1000 == 0:  # a long scan says how far it is, and stops when it is told to
            scanner.progress(request, done, len(strikes), "comparing")
        if nearest is None or abs(strike - spot) < abs(nearest - spot):
            nearest = strike
    return json.dumps({"strikes": strikes, "nearest": nearest, "queue": request.queue, "subject": request.subject,
                       "input_bytes": [len(data) for data in request.inputs]}).encode()


# ---- msgpack: as much of it as the protocol needs ---------------------------------------------------------


def pack(value):
    """None, bool, int, bytes, str and lists of them as msgpack."""
    if value is None:
        return b"\xc0"
    if value is True or value is False:
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return struct.pack(">BQ", 0xCF, value) if value >= 0 else struct.pack(">Bq", 0xD3, value)
    if isinstance(value, bytes):
        return struct.pack(">BI", 0xC6, len(value)) + value
    if isinstance(value, str):
        data = value.encode()
        return struct.pack(">BI", 0xDB, len(data)) + data
    return struct.pack(">BI", 0xDD, len(value)) + b"".join(pack(item) for item in value)


NUMBERS = {0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
           0xCA: ">f", 0xCB: ">d"}
LENGTHS = {0xC4: (">B", "bin"), 0xC5: (">H", "bin"), 0xC6: (">I", "bin"),
           0xD9: (">B", "str"), 0xDA: (">H", "str"), 0xDB: (">I", "str"),
           0xDC: (">H", "array"), 0xDD: (">I", "array"), 0xDE: (">H", "map"), 0xDF: (">I", "map")}


def unpack(data, at=0):
    """The value that begins at data[at], and where it ends."""
    lead = data[at]
    at += 1
    if lead <= 0x7F:
        return lead, at
    if lead >= 0xE0:
        return lead - 256, at
    if lead in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[lead], at
    if lead in NUMBERS:
        form = NUMBERS[lead]
        return struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)
    if lead in LENGTHS:
        form, kind = LENGTHS[lead]
        size = struct.unpack_from(form, data, at)[0]
        at += struct.calcsize(form)
    elif lead <= 0x8F:
        size, kind = lead & 0x0F, "map"
    elif lead <= 0x9F:
        size, kind = lead & 0x0F, "array"
    elif lead <= 0xBF:
        size, kind = lead & 0x1F, "str"
    else:
        raise ValueError(f"no msgpack that this reads: 0x{lead:02x}")
    if kind in ("bin", "str"):
        raw = bytes(data[at:at + size])
        return (raw if kind == "bin" else raw.decode()), at + size
    items = []
    for _ in range(size * 2 if kind == "map" else size):
        item, at = unpack(data, at)
        items.append(item)
    return (dict(zip(items[::2], items[1::2])) if kind == "map" else items), at


# ---- the protocol -----------------------------------------------------------------------------------------


class Request:
    def __init__(self, fields, snapshots):
        self.call, self.queue, self.subject, self.payload, hashes, self.as_of_ns, self.deadline_ms = fields[:7]
        self.inputs = [snapshots[name] for name in hashes] if READS_INPUTS else []


class Scanner:
    def __init__(self, source, sink):
        self.source, self.sink = source, sink  # unbuffered, binary
        self.snapshots = {}
        self.later = []  # frames that came while a scan looked for its cancellation
        self.call = None
        self.cancelled = False

    def send(self, *fields):
        body = pack(list(fields))
        data = memoryview(struct.pack(">I", len(body)) + body)
        while data:
            data = data[self.sink.write(data):]

    def read(self, size):
        data = bytearray()
        while len(data) < size:
            more = self.source.read(size - len(data))
            if not more:
                return None
            data += more
        return data

    def receive(self):
        """The next message; None at the end of the input."""
        head = self.read(4)
        body = self.read(struct.unpack(">I", head)[0]) if head else None
        return unpack(body)[0] if body else None

    def progress(self, request, done, total, note=""):
        """Tells how far the scan is; raises Cancelled when nobody waits for it any more."""
        while select.select([self.source], [], [], 0)[0]:
            message = self.receive()
            if message is None:
                raise Cancelled()
            if message[0] == CANCEL and message[1] == self.call:
                self.cancelled = True
            else:
                self.later.append(message)
        if self.cancelled:
            raise Cancelled()
        self.send(PROGRESS, request.call, done, total, note)

    def answer(self, fields):
        self.call, self.cancelled = fields[0], False
        try:
            request = Request(fields, self.snapshots)
            self.send(RESULT, self.call, DONE, scan(request, self))
        except Rejected as error:
            self.send(RESULT, self.call, REJECTED, b"", str(error))
        except Cancelled:
            self.send(RESULT, self.call, FAILED, b"", "cancelled")
        except Exception as error:  # the next attempt may go well; the traceback goes to the worker's log
            import traceback
            traceback.print_exc()
            self.send(RESULT, self.call, FAILED, b"", f"{type(error).__name__}: {error}")
        self.call = None

    def run(self):
        while (message := self.later.pop(0) if self.later else self.receive()) is not None:
            kind, fields = message[0], message[1:]
            if kind == HELLO:
                self.send(READY, 1, NAME, VERSION, 1, READS_INPUTS)
            elif kind == SCAN:
                self.answer(fields)
            elif kind == PING:
                self.send(PONG, fields[0])
            elif kind == SNAPSHOT:
                self.snapshots[fields[0]] = fields[1]
            elif kind == FORGET:
                for name in fields[0]:
                    self.snapshots.pop(name, None)


if __name__ == "__main__":
    source = open(0, "rb", buffering=0, closefd=False)
    sink = open(1, "wb", buffering=0, closefd=False)
    sys.stdout = sys.stderr  # a print() would be garbage between the frames
    Scanner(source, sink).run()
