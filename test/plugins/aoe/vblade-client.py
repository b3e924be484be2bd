"""An AoE initiator in user space on one network interface: one request a line on standard input, as JSON, one answer a line.

It asks again until it is answered, as the kernel's does, and gives up after a while.
"""
import base64
import json
import os
import socket
import struct
import sys
import time

ETHERTYPE = 0x88A2
RESPONSE, ERROR = 8, 4
ATA, CONFIG = 0, 1
EXTENDED, WRITE = 0x40, 0x01
IDENTIFY, READ_EXT, WRITE_EXT, FLUSH = 0xEC, 0x24, 0x34, 0xE7
AGAIN_S = 0.1

interface, mac, limit_ms = sys.argv[1], bytes.fromhex(sys.argv[2].replace(":", "")), int(sys.argv[3])
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE))
sock.bind((interface, ETHERTYPE))
# Several clients may have one MAC address, and hear each other's answers.
tag = int.from_bytes(os.urandom(4), "big") & 0xFFFFFFF


class Refused(Exception):
    pass


def answers(shelf, slot, command, argument, wait, many=False):
    """The answers to one frame; a broadcast waits for all of them."""
    global tag
    tag = (tag + 1) & 0xFFFFFFF
    header = struct.pack(">HBBHBBI", ETHERTYPE, 0x10, 0, shelf, slot, command, tag)
    frame = (b"\xff" * 6 + mac + header + argument).ljust(60, b"\0")
    found, end, again = [], time.monotonic() + wait, 0.0
    while (now := time.monotonic()) < end:
        if now >= again:
            sock.send(frame)
            again = end if many else now + AGAIN_S
        sock.settimeout(max(0.001, min(again, end) - now))
        try:
            received = sock.recv(65536)
        except TimeoutError:
            continue
        if len(received) < 24 or received[:6] != mac:
            continue
        flags, error, major, minor, answered, told = struct.unpack(">BBHBBI", received[14:24])
        if not flags & RESPONSE or told != tag or answered != command:
            continue
        if not many and (major, minor) != (shelf, slot):
            continue
        found.append((received[6:12], flags, error, major, minor, received[24:]))
        if not many:
            break
    return found


def ata(target, command, lba=0, sectors=1, data=b"", flags=EXTENDED):
    argument = struct.pack("BBBB", flags, 0, sectors, command) + struct.pack("<Q", lba)[:6] + b"\0\0" + data
    found = answers(target[0], target[1], ATA, argument, limit_ms / 1000)
    if not found:
        raise Refused(f"e{target[0]}.{target[1]} does not answer {mac.hex(':')}")
    _, aoe, error, _, _, payload = found[0]
    if aoe & ERROR:
        raise Refused(f"AoE error {error}")
    if payload[3] & 0x01:
        raise Refused(f"ATA status {payload[3]:#x}, error {payload[1]:#x}")
    return payload[12:]


def text(words, first, end):
    return b"".join(struct.pack(">H", word) for word in words[first:end]).decode().strip()


def identify(request):
    words = struct.unpack("<256H", ata(request["target"], IDENTIFY, flags=0)[:512])
    sectors = words[100] | words[101] << 16 | words[102] << 32 | words[103] << 48
    return {"sectors": sectors, "serial": text(words, 10, 20), "model": text(words, 27, 47)}


def read(request):
    data, at, rest = b"", request["lba"], request["sectors"]
    while rest > 0:
        count = min(rest, request["most"])
        data += ata(request["target"], READ_EXT, at, count)[: count * 512]
        at, rest = at + count, rest - count
    return {"data": base64.b64encode(data).decode()}


def write(request):
    data, at = base64.b64decode(request["data"]), request["lba"]
    while data:
        count = min(len(data) // 512, request["most"])
        ata(request["target"], WRITE_EXT, at, count, data[: count * 512], EXTENDED | WRITE)
        at, data = at + count, data[count * 512 :]
    return {}


def writable(request):
    """AoE does not tell whether an export is read-only: its first sector is written as it was read."""
    first = ata(request["target"], READ_EXT, 0, 1)[:512]
    try:
        ata(request["target"], WRITE_EXT, 0, 1, first, EXTENDED | WRITE)
    except Refused as refused:
        if "ATA status" in str(refused):
            return {"writable": False}
        raise
    return {"writable": True}


def flush(request):
    ata(request["target"], FLUSH, flags=0)
    return {}


def discover(request):
    query = struct.pack(">HHBBH", 0, 0, 0, 0, 0)
    return {"found": sorted(f"e{major}.{minor}" for _, _, _, major, minor, _ in answers(0xFFFF, 0xFF, CONFIG, query, request["wait"], True))}


requests = {"identify": identify, "read": read, "write": write, "writable": writable, "flush": flush, "discover": discover}
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = requests[request["op"]](request)
    except (Refused, OSError) as refused:
        answer = {"refused": str(refused)}
    print(json.dumps(answer), flush=True)
