"""``weir kill-switch``: stops all enforcement, or that of one detector."""

from pathlib import Path

import click

from detectors.core.discovery import classes
from schemas.errors import UsageError
from schemas.override import EVERYTHING, OverrideKind
from streams.cli.operator import for_option, operating, override_of, owner_of, place_options, tell, word_options
from streams.cli.option import config_option, json_option

EXAMPLES = """\b
Examples:
  weir kill-switch on --reason 'customers cannot log in'
  weir kill-switch on --detector metronome --reason 'new app polls' --for 2d
  weir kill-switch off --reason 'mended'
"""


@click.group("kill-switch", epilog=EXAMPLES)
def kill_switch() -> None:
    """Stop all enforcement, or that of one detector, and let it on again."""


@kill_switch.command("on", epilog=EXAMPLES)
@click.option("--detector", help="Of this one alone.")
@for_option()
@word_options
@place_options
@config_option
@json_option
def turn_on(
    detector: str | None,
    lasting_s: int | None,
    reason: str,
    owner: str | None,
    bootstrap: str | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Take back every block, and enforce nothing until it is turned off.

    Findings and alerts go on. With --detector: every block that names it, and from then on it enforces nothing by
    itself, until it is turned off or --for is over; the sum of all enforces where it would without it. Operators' own
    blocks end with the switch of all only, and are in force again when it is turned off.
    """
    require_detector(detector)
    if detector is None and lasting_s is not None:
        # What is in force again then has to be written, and nobody is there to do so.
        raise UsageError("the switch of everything has no end of its own; weir kill-switch off lets all on again")
    override = override_of(OverrideKind.KILL_SWITCH, owner, reason, lasting_s, detector=detector or EVERYTHING)
    tell(operating(config_file, bootstrap).say(override), as_json=as_json)


@kill_switch.command("off", epilog=EXAMPLES)
@click.option("--detector", help="Of this one alone.")
@word_options
@place_options
@config_option
@json_option
def turn_off(
    detector: str | None,
    reason: str,
    owner: str | None,
    bootstrap: str | None,
    config_file: Path | None,
    as_json: bool,
) -> int:
    """Let enforcement on again; exit status 1 when it was not off.

    What was taken back stays so: whoever goes on is found again.
    """
    key = f"kill_switch:{detector or EVERYTHING}"
    done = operating(config_file, bootstrap).end(key, owner_of(owner), reason)
    if done is None:
        click.echo("enforcement was not off" if detector is None else f"enforcement by {detector} was not off")
        return 1
    tell(done, as_json=as_json, ended=True)
    return 0


def require_detector(name: str | None) -> None:
    """Refuse the switch of what there is not; to turn such a one off does no harm.

    Raises:
        UsageError: there is no such detector.
    """
    if name is not None and name not in classes():
        raise UsageError(f"there is no detector {name}; there are {', '.join(classes())}")
