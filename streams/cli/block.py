"""``weir block``, ``weir unblock`` and ``weir allow``: an operator's word on one actor."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, NamedTuple, ParamSpec

import click

from schemas.block import Action
from schemas.override import OverrideKind
from streams.cli.operator import actor_of, for_option, operating, override_of, place_options, tell, word_options
from streams.cli.option import config_option, json_option

P = ParamSpec("P")

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


class Asked(NamedTuple):
    """What an operator says of one actor, and where to say it."""

    actor: str
    lasting_s: int
    reason: str
    owner: str | None
    bootstrap: str | None
    config_file: Path | None
    as_json: bool

    def say(self, kind: OverrideKind, *, action: Action | None = None) -> None:
        """Say it, and print what came of it."""
        whom = actor_of(self.actor, blocked=kind is OverrideKind.BLOCK)
        named = {} if action is None else {"action": action}
        override = override_of(kind, self.owner, self.reason, self.lasting_s, actor=whom, **named)
        tell(operating(self.config_file, self.bootstrap).say(override), as_json=self.as_json)


def on_actor(name: str, epilog: str) -> Callable[[Callable[Concatenate[Asked, P], None]], click.Command]:
    """A command on one actor: its options are one argument, `Asked`, before those that it has beside them."""

    def made(function: Callable[Concatenate[Asked, P], None]) -> click.Command:
        def packed(*args: P.args, **given: P.kwargs) -> None:
            function(Asked(**{key: given.pop(key) for key in Asked._fields}), *args, **given)  # type: ignore[arg-type]  # click has made each of its type

        whole: Callable[..., None] = functools.update_wrapper(packed, function)
        whole = for_option(required=True)(word_options(place_options(config_option(json_option(whole)))))
        return click.command(name, epilog=epilog)(click.argument("actor")(whole))

    return made


@on_actor("block", BLOCK_EXAMPLES)
@click.option(
    "--action", type=click.Choice([each.value for each in Action]), default=Action.BLOCK.value, show_default=True
)
def block(asked: Asked, action: str) -> None:
    """Block ACTOR, whatever is found.

    ACTOR is scope:value, as alerts spell it. What Weir itself decides meanwhile replaces the block only where that is
    stronger, and gives way to it again.
    """
    asked.say(OverrideKind.BLOCK, action=Action(action))


@on_actor("unblock", UNBLOCK_EXAMPLES)
def unblock(asked: Asked) -> None:
    """Take back what stands against ACTOR, and enforce nothing new for a while.

    Enforcers let go within seconds, whether workers run or not. Findings and alerts go on. A block on a network around
    an address is another actor's: it is named, and running workers take back what they have decided themselves.
    """
    asked.say(OverrideKind.UNBLOCK)


@on_actor("allow", ALLOW_EXAMPLES)
def allow(asked: Asked) -> None:
    """Enforce nothing against ACTOR, nor against a network with it or an address in it, until the end.

    Nobody need have seen ACTOR yet. Findings and alerts go on. What is to hold for long belongs into [[allow]].
    """
    asked.say(OverrideKind.ALLOW)
