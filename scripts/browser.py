"""The Chromium that the console's tests and screenshots drive.

python scripts/browser.py  finds one, or installs one; says where it is, or why there is none

It is Debian's where this runs as root on Debian, else Playwright's own. Without one the tests of the
console are skipped; with CI=true this fails instead.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OWN = (
    "chromium-*/chrome-linux*/chrome",
    "chromium-*/chrome-mac*/*.app/Contents/MacOS/*",
    "chromium-*/chrome-win*/chrome.exe",
)
FLAGS = [
    "--no-sandbox",  # it runs as root in containers, and visits only our own server
    "--disable-dev-shm-usage",  # which is small in containers
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


def find() -> str | None:
    """The browser's program, if there is one."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or _cache())
    found = sorted(path for pattern in OWN for path in cache.glob(pattern))
    return str(found[-1]) if found else None


def install() -> None:
    """Install one, as far as that can be done here."""
    if _is_debian() and os.geteuid() == 0:
        quiet = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, "stdout": subprocess.DEVNULL}
        subprocess.run(["apt-get", "-q", "update"], check=False, **quiet)
        packages = ["chromium", "fonts-noto-cjk"]  # Chinese texts need a font
        subprocess.run(
            ["apt-get", "-q", "-y", "install", "--no-install-recommends", *packages], check=False, **quiet
        )
    if find() is None:
        wanted = ["install", "chromium"]
        if os.environ.get("CI") == "true":
            wanted.insert(1, "--with-deps")
        subprocess.run([sys.executable, "-m", "playwright", *wanted], check=False)


def main() -> int:
    if find() is None:
        print("No Chromium is here: installing one for the tests of the console ...", flush=True)
        install()
    if path := find():
        print(f"The console is tested in {path}")
        return 0
    print("There is no Chromium, and none could be installed: the tests of the console are skipped.")
    return 1 if os.environ.get("CI") == "true" else 0


def _cache() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/ms-playwright"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", "")) / "ms-playwright"
    return Path.home() / ".cache/ms-playwright"


def _is_debian() -> bool:
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return "ID=debian" in lines and shutil.which("apt-get") is not None


if __name__ == "__main__":
    raise SystemExit(main())
