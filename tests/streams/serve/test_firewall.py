"""CrowdSec's bouncer for nftables, in a network namespace of its own."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

PROGRAMS: Final = ("crowdsec-firewall-bouncer", "nft", "ip", "unshare")
ROOT: Final = Path(__file__).parents[3]


def has_all() -> bool:
    """Whether the programs are there, and namespaces of networks can be made."""
    return (
        all(map(shutil.which, PROGRAMS))
        and not subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode
    )


@pytest.mark.skipif(not has_all(), reason="needs crowdsec-firewall-bouncer, nftables, iproute2, and to be root")
def test_a_firewall(tmp_path: Path) -> None:
    """It drops who is blocked, still does behind the end that it heard first, and lets go when the block is lifted.

    Its sets keep the first time-out of an address, so without being told again it would let go at that.
    """
    command = ["unshare", "--net", sys.executable, "-m", "tests.streams.serve.firewall", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)
    log = tmp_path / "firewall.log"
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "blocked": True,
        "blocked behind the first end": True,
        "lifted": True,
    }, log.read_text()
