"""A real browser, and a server before a simulated upstream, each in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src"
AXE = ROOT / "tests" / "clients" / "js" / "node_modules" / "axe-core" / "axe.min.js"
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)  # a busy machine is no failure
# Without the last ones it looks for hosts of its maker's at every start.
_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def lacking(what: str) -> None:
    """Skip loudly where a tool is missing; never where continuous integration runs."""
    lack = f"the web page is NOT tested in a browser: {what}"
    if os.environ.get("CI") == "true":
        pytest.fail(lack)
    pytest.skip(lack)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        lacking("install Chromium (Debian, Ubuntu: apt-get install chromium)")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium, args=list(_FLAGS), timeout=2 * PATIENCE_MS
        )
        yield running
        running.close()


@dataclass
class Site:
    """A served page, and what the browser complained of while it was looked at."""

    url: str
    browser: Browser
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def open(self, path: str = "/", *, width: int = 1280, **more: Any) -> Page:
        """A new tab that shows that path."""
        context = self.browser.new_context(viewport={"width": width, "height": 900}, **more)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda said: self._heard(said.type, said.text))
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("dialog", self._asked)
        page.on("request", self._requested)
        page.goto(self.url + path)
        return page

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and "Failed to load resource" not in text:
            self.complaints.append(f"{kind}: {text}")

    def _asked(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _requested(self, request: Request) -> None:
        if not request.url.startswith((self.url, "blob:")):
            self.foreign.append(request.url)


@contextmanager
def process(*command: str, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A program of ours that prints its address; ended with the block."""
    with subprocess.Popen(
        [sys.executable, "-m", *command],
        env={**os.environ, **environment, "PYTHONPATH": str(SOURCES)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.terminate()


@contextmanager
def served(
    browser: Browser, folder: Path, scenario: str, *, arguments: tuple[str, ...] = ()
) -> Iterator[tuple[Site, Mapping[str, str]]]:
    """A site, and the environment in which `ultrai` knows its upstream and its home."""
    path = folder / "scenario.toml"
    path.write_text(scenario, encoding="utf-8")
    home = {"ULTRAI_HOME": str(folder / "home")}
    simulator = ("ultrai_sim", "--port", "0", "--scenario", str(path))
    with process(*simulator, environment={}) as sim:
        assert sim.stdout is not None
        lines = [sim.stdout.readline().removeprefix("export ").strip() for _ in range(2)]
        environment = {**home, **dict(line.split("=", 1) for line in lines)}
        with process(
            "ultrai.cli", "serve", "--port", "0", *arguments, environment=environment
        ) as server:
            assert server.stdout is not None
            yield Site(server.stdout.readline().strip(), browser), environment
