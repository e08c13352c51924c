"""A real Chromium, driven by its debugging protocol over a pair of pipes."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
_OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe")
_KEYS = {"Tab": ("Tab", 9, ""), "Enter": ("Enter", 13, "\r"), " ": ("Space", 32, " ")}
WITHIN_S = 60.0


class Chromium:
    """A browser; `tab` opens one of its tabs."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write = read, write
        self._numbers = count(1)
        self._unread = b""

    def call(self, method: str, session: str = "", **parameters: Any) -> Any:
        """The result of one of the protocol's methods."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        message |= {"sessionId": session} if session else {}
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            found = self._message()
            if found.get("id") == number:
                assert "error" not in found, (method, found)
                return found["result"]

    def tab(self, url: str) -> Tab:
        """A new tab, which is at a url."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.navigate", session, url=url)
        return Tab(self, session, target)

    def _message(self) -> Any:
        deadline = time.monotonic() + WITHIN_S
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._read], [], [], deadline - time.monotonic())
            part = os.read(self._read, 1 << 20) if ready else b""
            assert part, "Chromium does not answer"
            self._unread += part
        message, _, self._unread = self._unread.partition(b"\0")
        return json.loads(message)


class Tab:
    """One page."""

    def __init__(self, browser: Chromium, session: str, target: str) -> None:
        self._browser, self._session, self._target = browser, session, target

    def call(self, method: str, **parameters: Any) -> Any:
        return self._browser.call(method, self._session, **parameters)

    def value(self, expression: str) -> Any:
        """The value of an expression in JavaScript."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, (expression, found)
        return found["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + WITHIN_S
        while not self.value(expression):
            assert time.monotonic() < deadline, (expression, self.value("document.body.innerText"))
            time.sleep(0.02)

    def text(self, part: str) -> str:
        """The words of the element with this id, with single spaces."""
        inner = f"""(() => {{
            const walk = document.createTreeWalker(document.getElementById({part!r}), 4);
            const found = [];
            while (walk.nextNode()) found.push(walk.currentNode.data);
            return found.join(" ");
        }})()"""
        return " ".join(str(self.value(inner)).split())

    def press(self, key: str, modifiers: int = 0) -> None:
        """Press a key and let it go."""
        code, number, text = _KEYS[key]
        named = {"key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": modifiers}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **named)
        self.call("Input.dispatchKeyEvent", type="keyUp", **named)

    def close(self) -> None:
        self._browser.call("Target.closeTarget", targetId=self._target)


@contextmanager
def chromium(profile: Path) -> Iterator[Chromium]:
    """A browser until the end of the block."""
    assert CHROMIUM is not None
    its_read, write = os.pipe()
    read, its_write = os.pipe()
    shell = f'exec "$0" "$@" 3<&{its_read} 4>&{its_write}'
    options = (*_OPTIONS, f"--user-data-dir={profile}")
    command = ["bash", "-c", shell, CHROMIUM, *options]
    passed = (its_read, its_write)
    with subprocess.Popen(command, pass_fds=passed, stderr=subprocess.DEVNULL) as process:
        for one in passed:
            os.close(one)
        browser = Chromium(read, write)
        try:
            yield browser
            browser.call("Browser.close")
        finally:
            process.terminate()
            process.wait(20)
            os.close(read)
            os.close(write)
