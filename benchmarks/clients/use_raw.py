"""What a socket, a parser and `json` cost at least: no SDK, no errors, no retries.

It sends a request that was put together beforehand, and speaks the API of `nexusai`.
"""

import asyncio
import hashlib
import json
import os
import re
import socket
from urllib.parse import urlsplit

import httptools

PACKAGE = "httptools"
BLOCK = 65536


def _prepared(url, body, target="/api/v1/invoke", method="POST"):
    parts = urlsplit(url)
    head = (
        f"{method} {parts.path}{target} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        "Authorization: Bearer nxs_bench\r\nAccept: application/json\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return (parts.hostname, parts.port), head.encode() + body


def _body(text, **more):
    return json.dumps({"task_type": "text_generation", "input": {"prompt": text}, **more}).encode()


class Reader:
    """An answer, as `httptools` reads it."""

    def __init__(self):
        self.begin()

    def begin(self):
        self.parser = httptools.HttpResponseParser(self)
        self.blocks = []
        self.whole = False

    def on_body(self, block):
        self.blocks.append(block)

    def on_message_complete(self):
        self.whole = True

    def take(self):
        blocks, self.blocks = self.blocks, []
        return b"".join(blocks)


class Client:
    def __init__(self, url):
        self.url = url
        self.address, self.request = _prepared(url, _body("Hello"))
        self.socket = socket.create_connection(self.address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def connect(url):
    return Client(url)


def ask(client):
    client.socket.sendall(client.request)
    reader = Reader()
    while not reader.whole:
        reader.parser.feed_data(client.socket.recv(BLOCK))
    return json.loads(reader.take())["output"]["text"]


def _texts(blocks):
    """The texts of the whole events so far, and what remains."""
    *events, rest = blocks.split(b"\n\n")
    chunks = [json.loads(event[6:]) for event in events if event != b"data: [DONE]"]
    return [chunk["delta"]["content"] for chunk in chunks if "delta" in chunk], rest


def pieces(client):
    _, request = _prepared(client.url, _body("Hello", stream=True))
    client.socket.sendall(request)
    reader = Reader()
    rest = b""
    while not reader.whole:
        reader.parser.feed_data(client.socket.recv(BLOCK))
        texts, rest = _texts(rest + reader.take())
        yield from texts


def _upload_head(url, file):
    return _prepared(url, b"", "/api/v1/files")[1].replace(
        b"Content-Length: 0", b"Content-Length: %d" % os.path.getsize(file)
    )


def upload(client, file):
    client.socket.sendall(_upload_head(client.url, file))
    with open(file, "rb") as source:
        while block := source.read(BLOCK):
            client.socket.sendall(block)
    reader = Reader()
    while not reader.whole:
        reader.parser.feed_data(client.socket.recv(BLOCK))
    return json.loads(reader.take())["file_id"]


async def upload_async(client, file):
    loop = asyncio.get_running_loop()
    with socket.create_connection(client.address) as sock, open(file, "rb") as source:
        sock.setblocking(False)
        await loop.sock_sendall(sock, _upload_head(client.url, file))
        while block := source.read(BLOCK):
            await loop.sock_sendall(sock, block)
        reader = Reader()
        while not reader.whole:
            reader.parser.feed_data(await loop.sock_recv(sock, BLOCK))
    return json.loads(reader.take())["file_id"]


class Received:
    """A download, from the first block on; with a checksum where the server tells one."""

    def __init__(self, first):
        head, _, self.first = first.partition(b"\r\n\r\n")
        self.left = int(re.search(rb"Content-Length: (\d+)", head)[1])
        self.told = re.search(rb'ETag: "(\w+)"', head)
        self.digest = hashlib.sha256()

    def write(self, target, block):
        target.write(block)
        if self.told:
            self.digest.update(block)
        self.left -= len(block)
        if not self.left and self.told and self.digest.hexdigest().encode() != self.told[1]:
            raise SystemExit("a wrong checksum")


def _download_request(url):
    return _prepared(url, b"", "/api/v1/files/file_bench/content", "GET")[1]


def download(client, path):
    client.socket.sendall(_download_request(client.url))
    received = Received(client.socket.recv(BLOCK))
    with open(path, "wb") as target:
        received.write(target, received.first)
        while received.left:
            received.write(target, client.socket.recv(BLOCK))


async def download_async(client, path):
    loop = asyncio.get_running_loop()
    with socket.create_connection(client.address) as sock, open(path, "wb") as target:
        sock.setblocking(False)
        await loop.sock_sendall(sock, _download_request(client.url))
        received = Received(await loop.sock_recv(sock, BLOCK))
        received.write(target, received.first)
        while received.left:
            received.write(target, await loop.sock_recv(sock, BLOCK))


class AsyncClient:
    """As many connections as calls at a time."""

    def __init__(self, url):
        self.url = url
        self.address, self.request = _prepared(url, _body("Hello"))
        self.free = []

    async def take(self):
        if self.free:
            return self.free.pop()
        _, protocol = await asyncio.get_running_loop().create_connection(Connection, *self.address)
        return protocol


def connect_async(url, **options):
    return AsyncClient(url)


class Connection(asyncio.Protocol, Reader):
    def connection_made(self, transport):
        self.transport = transport

    def send(self, request):
        self.begin()
        self.news = asyncio.get_running_loop().create_future()
        self.transport.write(request)

    def data_received(self, data):
        self.parser.feed_data(data)
        if not self.news.done():
            self.news.set_result(None)

    async def more(self):
        await self.news
        self.news = asyncio.get_running_loop().create_future()


async def ask_async(client):
    connection = await client.take()
    connection.send(client.request)
    while not connection.whole:
        await connection.more()
    client.free.append(connection)
    return json.loads(connection.take())["output"]["text"]


async def pieces_async(client, text="Hello"):
    connection = await client.take()
    _, request = _prepared(client.url, _body(text, stream=True))
    connection.send(request)
    rest = b""
    whole = False
    while not whole:
        await connection.more()
        whole = connection.whole
        texts, rest = _texts(rest + connection.take())
        for piece in texts:
            yield piece
    client.free.append(connection)


def allow(connections):
    """As many as are wanted, anyway."""
