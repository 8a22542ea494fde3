#!/usr/bin/env python3
"""Print the path of a Chromium for the browser tests. As root it is installed by apt-get where there is none."""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """The browser named by CHROMIUM, or the first one in the path."""
    given = os.environ.get("CHROMIUM")
    return shutil.which(given) if given else next(filter(None, map(shutil.which, NAMES)), None)


def install() -> None:
    """apt-get, as root only. Its talk goes to stderr: stdout is for the path."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (
        ["update"],
        ["install", "--yes", "--no-install-recommends", "chromium", "fonts-liberation"],
    ):
        subprocess.run(["apt-get", "-qq", *arguments], stdout=sys.stderr, env=environ, check=False)


def main() -> None:
    """Find, else install and find again, else say how."""
    path = find()
    if path is None:
        install()
        path = find()
    if path is None:
        sys.exit("The browser tests need Chromium: apt-get install chromium, or set CHROMIUM to a browser's path.")
    print(path)


if __name__ == "__main__":
    main()
