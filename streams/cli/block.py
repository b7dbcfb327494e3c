"""``weir block``, ``weir unblock`` and ``weir allow``: an operator's word on one actor."""

from pathlib import Path

import click

from schemas.block import Action
from schemas.override import OverrideKind
from streams.cli.operator import actor_of, for_option, operating, override_of, place_options, tell, word_options
from streams.cli.option import config_option, json_option

BLOCK_EXAMPLES = """\b
Examples:
  weir block ip:203.0.113.7 --for 12h --reason 'scraped by hand, ticket 4711'
  weir block account:42 --for 7d --reason 'sold data' --owner trust-and-safety
  weir block net:198.51.100.0/24 --for 1h --reason 'under attack' --action challenge
"""
UNBLOCK_EXAMPLES = """\b
Examples:
  weir unblock ip:203.0.113.7 --for 7d --reason 'office of a customer'
  weir unblock account:42 --for 1d --reason 'shared by a family' --json
"""
ALLOW_EXAMPLES = """\b
Examples:
  weir allow net:192.0.2.0/24 --for 30d --reason 'load test, ticket 4712'
  weir allow account:crm-sync --for 7d --reason 'contract is on its way' --owner partnerships
"""


@click.command("block", epilog=BLOCK_EXAMPLES)
@click.argument("actor")
@for_option(required=True)
@word_options
@click.option(
    "--action", type=click.Choice([each.value for each in Action]), default=Action.BLOCK.value, show_default=True
)
@place_options
@config_option
@json_option
def block(
    actor: str,
    lasting_s: int,
    reason: str,
    owner: str | None,
    action: str,
    bootstrap: str | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Block ACTOR, whatever is found.

    ACTOR is scope:value, as alerts spell it. What Weir itself decides meanwhile replaces the block only where that is
    stronger, and gives way to it again.
    """
    whom = actor_of(actor, blocked=True)
    override = override_of(OverrideKind.BLOCK, owner, reason, lasting_s, actor=whom, action=Action(action))
    tell(operating(config_file, bootstrap).say(override), as_json=as_json)


@click.command("unblock", epilog=UNBLOCK_EXAMPLES)
@click.argument("actor")
@for_option(required=True)
@word_options
@place_options
@config_option
@json_option
def unblock(
    actor: str,
    lasting_s: int,
    reason: str,
    owner: str | None,
    bootstrap: str | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Take back what stands against ACTOR, and enforce nothing new for a while.

    Enforcers let go within seconds, whether workers run or not. Findings and alerts go on. A block on a network around
    an address is another actor's: it is named, and running workers take back what they have decided themselves.
    """
    override = override_of(OverrideKind.UNBLOCK, owner, reason, lasting_s, actor=actor_of(actor))
    tell(operating(config_file, bootstrap).say(override), as_json=as_json)


@click.command("allow", epilog=ALLOW_EXAMPLES)
@click.argument("actor")
@for_option(required=True)
@word_options
@place_options
@config_option
@json_option
def allow(
    actor: str,
    lasting_s: int,
    reason: str,
    owner: str | None,
    bootstrap: str | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Enforce nothing against ACTOR, nor against a network with it or an address in it, until the end.

    Nobody need have seen ACTOR yet. Findings and alerts go on. What is to hold for long belongs into [[allow]].
    """
    override = override_of(OverrideKind.ALLOW, owner, reason, lasting_s, actor=actor_of(actor))
    tell(operating(config_file, bootstrap).say(override), as_json=as_json)
