"""A firewall of its own with CrowdSec's bouncer for it: run as a program within a network namespace, as root.

Prints what nftables had at each moment that matters, as JSON.
"""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from streams.pipeline.enforce.decisions import US
from tests.streams.pipeline.enforce.saying import T0_US, block
from tests.streams.serve.serving import Served, served

KEY: Final = "ip:203.0.113.7"
FIRST_S: Final = 5.0
CONFIG: Final = """
mode: nftables
pid_dir: {directory}
update_frequency: 1s
daemonize: false
log_mode: stdout
log_level: info
api_url: http://{at}/
api_key: {key}
disable_ipv6: true
deny_action: DROP
supported_decisions_types: [ban]
blacklists_ipv4: crowdsec-blacklists
nftables:
  ipv4: {{enabled: true, set-only: false, table: crowdsec, chain: crowdsec-chain}}
  ipv6: {{enabled: false}}
prometheus: {{enabled: false}}
"""


def blocked() -> bool:
    """Whether the address is in the firewall's set."""
    shown = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=False)
    return "203.0.113.7" in shown.stdout


def reached(wanted: bool, longest_s: float) -> bool:
    """Whether the address was in the set, or was not, in time."""
    deadline = time.monotonic() + longest_s
    while blocked() != wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    return blocked() == wanted


def say(server: Served, until_s: float | None) -> None:
    """Have the address blocked for so long from now, or lifted."""
    at_s = (now_us() - T0_US) / US
    server.known.log.say(at_s, KEY, None if until_s is None else block(KEY, until_s, from_us=now_us()))


def now_us() -> int:
    """Now."""
    return time.time_ns() // 1000


async def story(directory: Path) -> dict[str, bool]:
    """Blocked for five seconds, lengthened meanwhile, lifted at last."""
    found: dict[str, bool] = {}
    async with served(directory, clock=now_us) as server:
        config = directory / "firewall.yaml"
        config.write_text(CONFIG.format(directory=directory, at=server.at, key=server.key))
        with (directory / "firewall.log").open("wb") as output:
            command = ("crowdsec-firewall-bouncer", "-c", str(config))
            bouncer = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output)
        try:
            say(server, FIRST_S)
            began_s = time.monotonic()
            found["blocked"] = await asyncio.to_thread(reached, True, FIRST_S)
            say(server, 60)
            await asyncio.sleep(max(0.0, began_s + FIRST_S + 3 - time.monotonic()))
            found["blocked behind the first end"] = await asyncio.to_thread(blocked)
            say(server, None)
            found["lifted"] = await asyncio.to_thread(reached, False, 5)
        finally:
            bouncer.terminate()
            await asyncio.wait_for(bouncer.wait(), 10)
    return found


if __name__ == "__main__":
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    sys.stdout.write(json.dumps(asyncio.run(story(Path(sys.argv[1])))))
