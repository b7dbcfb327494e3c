"""``weir revoke``: takes back every block of a config revision."""

import re
from pathlib import Path
from typing import Final

import click

from schemas.override import OverrideKind
from streams.cli.operator import for_option, operating, override_of, place_options, tell, word_options
from streams.cli.option import json_option

EXAMPLES = """\b
Examples:
  weir revoke --config sha256:9f86d081884c7d65 --reason 'limit was a typing error'
  weir revoke --config 9f86d081884c7d65 --reason 'limit was a typing error' --config-file deploy/weir.toml --json
"""
REVISION: Final = re.compile("[0-9a-f]{16}")


class Revision(click.ParamType):
    """A config revision."""

    name = "revision"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """``sha256:`` and its hexadecimal digits, or the digits alone."""
        digits = str(value).removeprefix("sha256:")
        if not REVISION.fullmatch(digits):
            self.fail(
                f"{value!r} is no revision (sha256: and 16 hexadecimal digits); each block names its own", param, ctx
            )
        return f"sha256:{digits}"


@click.command("revoke", epilog=EXAMPLES)
@click.option("--config", "revision", type=Revision(), required=True, help="The revision, as blocks name it.")
@for_option(default="7d")
@word_options
@place_options
@click.option(
    "--config-file", type=click.Path(path_type=Path, dir_okay=False), help="Configuration; without it the defaults."
)
@json_option
def revoke(
    revision: str,
    lasting_s: int,
    reason: str,
    owner: str | None,
    bootstrap: str | None,
    config_file: Path | None,
    as_json: bool,
) -> int:
    """Take back every block that was decided under a config revision; exit status 1 when none stands.

    While it is in force, workers that still run under the revision enforce nothing. weir overrides end lets them on
    again.
    """
    override = override_of(OverrideKind.REVOKE, owner, reason, lasting_s, config=revision)
    done = operating(config_file, bootstrap).say(override)
    tell(done, as_json=as_json)
    if done.taken_back:
        return 0
    if not as_json:
        others = sorted({block.config for block in done.standing.values() if block.detectors})
        click.echo(f"no block of it stands; what stands is of {', '.join(others) or 'none'}")
    return 1
