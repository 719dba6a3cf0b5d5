"""The recipe of the image: what it copies is there and may be seen, and it agrees with the chart and the release."""

from __future__ import annotations

import re

import monitor
from tests import helm
from tests.conftest import REPOSITORY

RECIPE = (REPOSITORY / "deploy" / "container" / "Containerfile").read_text()
SEEN = [line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")]


def copied() -> list[str]:
    found = re.findall(r"^COPY (?!--from)(.+) \S+$", RECIPE, re.MULTILINE)
    return [source for line in found for source in line.split()]


def test_what_is_copied_is_there_and_in_sight_and_nothing_else_is() -> None:
    assert sorted(copied()) == sorted(SEEN)
    assert [source for source in copied() if not (REPOSITORY / source).exists()] == []


def test_the_user_is_a_number_and_the_one_of_the_chart() -> None:
    (user,) = re.findall(r"^USER (\d+):(\d+)$", RECIPE, re.MULTILINE)
    (pod,) = helm.pod_specs(helm.render())

    assert tuple(map(int, user)) == (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"])


def test_it_is_this_release() -> None:
    assert f"ARG VERSION={monitor.__version__}\n" in RECIPE


def test_it_starts_the_daemon_and_ends_it_as_systemd_does() -> None:
    last = RECIPE[RECIPE.rindex("\nFROM ") :]

    assert last.endswith('ENTRYPOINT ["aemonitor"]\nCMD ["run"]\n')
    assert "\nSTOPSIGNAL SIGTERM\n" in last
    assert "\nVOLUME /var/lib/aemonitor\n" in last
    assert "pip" not in last
