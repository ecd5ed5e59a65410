#!/usr/bin/env python3
"""A server with a page and an echo over WebSocket (RFC 6455), and a client for the echo, of Python's own library alone:
what stands behind and before the balancer where bench/accept shows that browsers and WebSocket clients get through it.

    websocket.py serve PORT
    websocket.py ask ADDRESS PORT [tls]      exits with 0 where every message came back

It leaves out fragments, compression and messages over 64 KiB."""

import base64
import hashlib
import os
import socket
import ssl
import struct
import sys
import threading

# A browser that dumps a page after so much virtual time waits for requests under way, and for no WebSocket: /held is such
# a request, under way until the page has seen what came of its WebSocket and asks for /release.
PAGE = b"""<!doctype html><title>page</title><pre id=out></pre><script>
const out = text => document.getElementById("out").textContent += text + "\\n";
out("protocol " + performance.getEntriesByType("navigation")[0].nextHopProtocol);
fetch("/held");
const socket = new WebSocket("wss://" + location.host + "/echo");
const done = text => { out(text); fetch("/release"); };
socket.onopen = () => socket.send("hello");
socket.onmessage = event => done("echo " + event.data);
socket.onerror = () => done("error");
</script>"""
HELD_SECONDS = 20  # at the longest
released = threading.Event()


def accept_key(key):
    return base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())


def read_head(file):
    lines = []
    while (line := file.readline().strip()):
        lines.append(line)
    fields = dict(line.lower().split(b":", 1) for line in lines[1:])
    original = {line.split(b":", 1)[0].lower(): line.split(b":", 1)[1].strip() for line in lines[1:]}
    return (lines[0] if lines else b""), original, fields


def read_message(file):
    first, second = file.read(2)
    length = second & 127
    if length == 126:
        (length,) = struct.unpack(">H", file.read(2))
    mask = file.read(4) if second & 128 else bytes(4)
    return first & 15, bytes(byte ^ mask[i % 4] for i, byte in enumerate(file.read(length)))


def message(kind, payload, mask=None):
    flag = 128 if mask else 0
    length = bytes([flag | len(payload)]) if len(payload) < 126 else struct.pack(">BH", flag | 126, len(payload))
    if mask:
        payload = mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return bytes([128 | kind]) + length + payload


def answer(connection):
    with connection, connection.makefile("rb") as file:
        while True:
            line, original, fields = read_head(file)
            if not line:
                return
            if b"upgrade" not in fields:
                if b" / " in line:
                    released.clear()
                if b" /release " in line:
                    released.set()
                if b" /held " in line:
                    released.wait(HELD_SECONDS)
                head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n"
                connection.sendall(head % len(PAGE) + PAGE)
                continue
            key = accept_key(original[b"sec-websocket-key"])
            head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            connection.sendall(head + b"Sec-WebSocket-Accept: " + key + b"\r\n\r\n")
            while True:
                kind, payload = read_message(file)
                connection.sendall(message(kind, payload))
                if kind == 8:
                    return


def guarded(connection):
    try:
        answer(connection)
    except (OSError, ValueError):
        pass


def serve(port):
    listener = socket.create_server(("127.0.0.1", port))
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=guarded, args=(connection,), daemon=True).start()


def ask(address, port, tls):
    connection = socket.create_connection((address, port), timeout=10)
    if tls:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = context.wrap_socket(connection)
    key = base64.b64encode(os.urandom(16))
    head = b"GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    connection.sendall(head + b"Sec-WebSocket-Key: " + key + b"\r\n\r\n")
    file = connection.makefile("rb")
    line, original, _ = read_head(file)
    assert b" 101 " in line, line
    assert original[b"sec-websocket-accept"] == accept_key(key), original
    sizes = [0, 1, 125, 126, 4096, 60000]
    for size in sizes:
        payload = os.urandom(size)
        connection.sendall(message(2, payload, os.urandom(4)))
        assert read_message(file) == (2, payload), size
    connection.sendall(message(8, b"", os.urandom(4)))
    assert read_message(file)[0] == 8
    print(f"{len(sizes)} messages came back, and the close")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[2]))
    elif sys.argv[1:2] == ["ask"]:
        ask(sys.argv[2], int(sys.argv[3]), "tls" in sys.argv[4:])
    else:
        sys.exit(__doc__)
