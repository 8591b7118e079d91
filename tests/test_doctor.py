"""`doctor`: what this machine has and lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from workshop import cli
from workshop.commands import doctor
from workshop.commands.doctor import Finding
from workshop.home import here


def test_it_speaks_of_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """Each thing is named with what it is for; here nothing required lacks."""
    assert cli.main(["doctor"]) == 0

    said = capsys.readouterr().out
    for name in (
        "Python",
        "Packages",
        "Disk",
        "Redis",
        "PostgreSQL",
        "Git",
        "Browser",
        "Saves",
    ):
        assert f"] {name}: " in said
    assert "Everything that is required is here." in said


@pytest.mark.parametrize(
    ("required", "code", "mark"), [(True, 3, "[!]"), (False, 0, "[-]")]
)
def test_only_what_is_required_fails(
    required: bool,
    code: int,
    mark: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A lack is told with what to do; it is status 3 only if nothing works without."""
    lack = Finding("Moon", False, "not found", "tides", "Look up.", required=required)
    monkeypatch.setattr(doctor, "LOOKS", (lambda home: lack,))

    assert cli.main(["doctor"]) == code

    said = capsys.readouterr().out
    assert f"{mark} Moon: not found" in said
    assert "Look up." in said


def test_full_disk_is_a_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than a check needs."""
    monkeypatch.setattr(doctor, "ROOM", 10**18)

    finding = doctor._space(here())

    assert not finding.fine and finding.required


def test_lock_is_read_for_this_machine(tmp_path: Path) -> None:
    """Packages whose marker says no are not wanted; hashes and comments are skipped."""
    file = tmp_path / "requirements.txt"
    file.write_text(
        "# comment\n"
        "one==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n    # via two\n"
        "two==2.0 ; sys_platform == 'neverwhere' \\\n    --hash=sha256:cc\n"
        "three[extra]==3.0 ; python_version >= '3.11' \\\n    --hash=sha256:dd\n"
    )

    assert doctor.locked(file) == {"one": "1.0", "three": "3.0"}
