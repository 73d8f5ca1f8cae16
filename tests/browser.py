"""A real browser for pages, where one is installed: Chromium, driven through its debugging pipe."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome")
SECONDS = 60

# the browser reads its orders from 3 and answers on 4
LAUNCH = (
    "import os, sys; read, write, *command = sys.argv[1:];"
    "os.dup2(int(read), 3); os.dup2(int(write), 4); os.execvp(command[0], command)"
)
STATE = """({
    wide: document.documentElement.scrollWidth,
    images: Array.from(document.images, i => [i.complete, i.naturalWidth, i.offsetWidth]),
    outside: Array.from(document.body.querySelectorAll('p, h1, h2, figcaption'))
        .filter(e => e.getBoundingClientRect().right > innerWidth + 1).length,
    small: Array.from(document.body.querySelectorAll('p, td, figcaption'))
        .filter(e => parseFloat(getComputedStyle(e).fontSize) < 12).length,
    scripted: window.scripted === true,
})"""


def chromium() -> str | None:
    """Return the path of a browser, None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """Pages opened from disk; ``errors`` and ``requests`` gather what each said and wanted."""

    def __init__(self, process: subprocess.Popen, write: int, read: int) -> None:
        self.process, self.write, self.read = process, write, read
        self.waiting, self.number = b"", 0
        self.errors: list[str] = []
        self.requests: list[str] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.ask(f"{domain}.enable")

    session: str | None = None

    def look_at(self, path: Path, width: int) -> dict:
        """Open a page at a width and return what it looks like once it has loaded."""
        self.loaded = False
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.ask("Emulation.setDeviceMetricsOverride", **metrics)
        self.ask("Page.navigate", url=path.absolute().as_uri())
        while not self.loaded:
            self.take()
        found = self.ask("Runtime.evaluate", expression=STATE, returnByValue=True)
        return found["result"]["value"]

    def ask(self, method: str, **params: object) -> dict:
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.take()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def take(self) -> dict:
        """Return the next message, and remember what it says of the page."""
        end = time.monotonic() + SECONDS
        while b"\0" not in self.waiting:
            ready, _, _ = select.select([self.read], [], [], max(0, end - time.monotonic()))
            chunk = os.read(self.read, 1 << 16) if ready else b""
            if not chunk:
                raise TimeoutError("the browser says nothing")
            self.waiting += chunk
        line, self.waiting = self.waiting.split(b"\0", 1)
        message = json.loads(line)
        match message.get("method"), message.get("params"):
            case "Page.loadEventFired", _:
                self.loaded = True
            case "Network.requestWillBeSent", params:
                self.requests.append(params["request"]["url"])
            case (("Runtime.consoleAPICalled" | "Runtime.exceptionThrown"), params):
                self.errors.append(json.dumps(params))
            case "Log.entryAdded", params:
                self.errors.append(params["entry"]["text"])
        return message


@contextlib.contextmanager
def browser():
    """Give a `Browser`, closed at the end."""
    name = chromium()
    if name is None:
        raise FileNotFoundError("no Chromium")
    to_read, to_write = os.pipe(), os.pipe()
    theirs = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (to_read[0], to_write[1])]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        command = [name, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
        process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, *map(str, theirs), *command, f"--user-data-dir={home}"],
            pass_fds=theirs,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for fd in (*theirs, to_read[0], to_write[1]):
            os.close(fd)
        try:
            yield Browser(process, to_read[1], to_write[0])
        finally:
            process.kill()
            process.wait()
            os.close(to_read[1])
            os.close(to_write[0])
