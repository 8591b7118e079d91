"""Tells what is installed for this interpreter, so that a fresh install can be imitated.

`check_distributions.py` reports {"environment": {...}, "scripts": folder, "distributions":
{name: {"requires": [...], "entries": [path], "scripts": [path]}}}; a distribution that does
not say which files it has gets `null` for its entries.
"""

import csv
import importlib.metadata
import json
import os
import platform
import sys
import sysconfig


def main():
    found = {}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        if name and name not in found:
            found[name] = _described(distribution)
    report = {
        "environment": _environment(),
        "scripts": sysconfig.get_path("scripts"),
        "distributions": found,
    }
    print("RESULT " + json.dumps(report))


def _described(distribution):
    described = {"requires": distribution.requires or [], "entries": None, "scripts": []}
    files = _files(distribution)
    if files is None:
        return described
    root = str(distribution.locate_file(""))
    entries, scripts = set(), set()
    for file in files:
        first, _, rest = file.partition("/")
        if first != "..":
            entries.add(first)
        elif os.path.basename(os.path.dirname(rest)) in ("bin", "Scripts"):
            scripts.add(os.path.normpath(os.path.join(root, file)))
    entries -= {"", "__pycache__"}  # "" where a path is absolute
    described["entries"] = sorted(os.path.join(root, entry) for entry in entries)
    described["scripts"] = sorted(scripts)
    return described


def _files(distribution):
    """The paths of its files, None if it does not say which it has.

    RECORD is read here because importlib.metadata makes three objects of each of its lines,
    of which there are some ten thousand: half a second.
    """
    if record := distribution.read_text("RECORD"):
        return [row[0] for row in csv.reader(record.splitlines()) if row]
    return distribution.files and [str(file) for file in distribution.files]


def _environment():
    """What the markers of requirements ask for (PEP 508)."""
    return {
        "implementation_name": sys.implementation.name,
        "implementation_version": platform.python_version(),
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": sys.platform,
    }


if __name__ == "__main__":
    main()
