import contextlib
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from torch import nn

from sammed.backbones.backbone import Backbone


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the weights and the cache of the user who runs the tests."""
    monkeypatch.delenv("SAMMED_WEIGHTS", raising=False)
    monkeypatch.setenv("SAMMED_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("platformdirs.user_data_dir", lambda *_args, **_kwargs: str(tmp_path / "data"))


@pytest.fixture(scope="session")
def tiny_encoder(tiny_backbone: Backbone) -> nn.Module:
    """The image encoder of the tiny backbone, a torch module."""
    assert isinstance(tiny_backbone.image_encoder, nn.Module)
    return tiny_backbone.image_encoder


@pytest.fixture
def start_python() -> Callable[[str], "subprocess.Popen[str]"]:
    """Start another Python on a piece of code, with the same import path."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

    def start(code: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, encoding="utf-8"
        )

    return start


@dataclass
class FileServer:
    """A server on loopback with one file, which can misbehave: each response takes the next of `faults`.

    A fault is a number of bytes after which the connection breaks, `ignore-range`, `500`, or None.
    """

    content: bytes
    faults: list[int | str | None] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)
    url: str = ""

    def handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *_args: object) -> None:
                pass

        return Handler

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        fault = self.faults.pop(0) if self.faults else None
        asked = request.headers["Range"]
        self.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and fault != "ignore-range" else 0
        if fault == "500":
            request.send_error(500)
        elif asked and start >= len(self.content):
            request.send_error(416)
        else:
            self._send(request, start, len(self.content) if not isinstance(fault, int) else fault)

    def _send(self, request: http.server.BaseHTTPRequestHandler, start: int, most: int) -> None:
        body = self.content[start:]
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        with contextlib.suppress(ConnectionError):  # the client may have left: its disk may be full
            request.wfile.write(body[:most])
        request.close_connection = True


@pytest.fixture
def file_server() -> Iterator[FileServer]:
    state = FileServer(content=bytes(range(256)) * 20000)  # 5 MB, several blocks
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), state.handler())
    state.url = f"http://127.0.0.1:{httpd.server_address[1]}/weights.pth"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    httpd.shutdown()
    thread.join()
    httpd.server_close()
