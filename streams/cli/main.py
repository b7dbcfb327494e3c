"""`weir`: the group of commands, and what becomes of their errors.

A command's module is imported when the command is called, so that `weir --help` answers at once. A command returns its
exit status, None for 0.
"""

import importlib
import importlib.metadata
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

import click

from schemas.errors import BUG_EXIT_STATUS, UsageError, WeirError

USAGE: Final = UsageError.exit_status
NO_CACHE: Final = "no locator available"
"""What numba says where neither the installation nor the user's own cache can be written."""
INTERRUPTED: Final = 130
"""128 and the number of SIGINT, as a shell reports it."""
EXAMPLES: Final = """\b
Exit status: 0 done; 1 done, and what was asked about does not hold;
2 wrong usage, input or configuration, or a right or a broker lost on the way;
70 a bug, or a worker that must not go on; 130 interrupted.

\b
Examples:
  weir simulate --out day
  weir replay day/events.ndjson --out found --labels day/labels.json
  weir topics create --bootstrap localhost:9092
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command is, as ``module:attribute``, and the line that `weir --help` shows for it."""

    place: str
    help: str


COMMANDS: Final = {
    "worker": Entry("streams.cli.worker:worker", "Run the stream processors; one process a core."),
    "topics": Entry("streams.cli.topics:topics", "Create the topics, or say what differs."),
    "deadletters": Entry("streams.cli.deadletters:deadletters", "List what could not be read, or send it again."),
    "serve": Entry("streams.cli.serve:serve", "Tell enforcers whom to block, as CrowdSec's local API."),
    "notify": Entry("streams.cli.notify:notify", "Tell people and other programs of alerts."),
    "bouncers": Entry("streams.cli.bouncers:bouncers", "Make, list and remove the keys of enforcers."),
    "block": Entry("streams.cli.block:block", "Block an actor, whatever is found."),
    "unblock": Entry("streams.cli.block:unblock", "Take back what stands against an actor."),
    "allow": Entry("streams.cli.block:allow", "Enforce nothing against an actor."),
    "overrides": Entry("streams.cli.overrides:overrides", "List what operators have decided, or end one of it."),
    "kill-switch": Entry("streams.cli.kill_switch:kill_switch", "Stop all enforcement, or that of a detector."),
    "revoke": Entry("streams.cli.revoke:revoke", "Take back every block of a config revision."),
    "challenge": Entry("streams.cli.challenge:challenge", "Try other settings beside the live ones; enforces nothing."),
    "watch": Entry("streams.cli.watch:watch", "Follow access logs on one machine, without Kafka."),
    "replay": Entry("streams.cli.replay:replay", "Judge recorded requests offline, in event time."),
    "tune": Entry("streams.cli.tune:tune", "Judge them under several settings, a row for each."),
    "surfaces": Entry("streams.cli.surfaces:surfaces", "Find out which requests disclose profiles."),
    "sigma": Entry("streams.cli.sigma:sigma", "Read limits from Sigma correlation rules."),
    "incidents": Entry("streams.cli.incidents:incidents", "List incidents, or tell all of one."),
    "explain": Entry("streams.cli.incidents:explain", "Tell all that was found of an actor."),
    "collectors": Entry("streams.cli.collectors:collectors", "Tell what authorised collectors took, for an auditor."),
    "simulate": Entry("streams.cli.simulate:simulate", "Write a labelled synthetic day."),
    "model": Entry("streams.cli.model:model", "Say what was learned, and what cannot be seen yet."),
    "config": Entry("streams.cli.config:config", "Check a configuration, or show the effective one."),
}


class LazyGroup(click.Group):
    """A group whose commands are known by name and loaded when called."""

    entries: dict[str, Entry] = COMMANDS

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order in which a newcomer meets them."""
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, its module imported; None when there is no such name."""
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.place.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{entry.place} is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in self.entries.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; what it raises becomes one line and an exit status."""
        try:
            return self.finish(super().invoke(ctx))
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except WeirError as error:
            complain(str(error))
            return error.exit_status
        except BrokenPipeError:
            return leave_quietly()
        except Exception as error:  # noqa: BLE001 - the last place at which a bug can become one line
            if NO_CACHE in str(error):
                complain(
                    "nowhere to keep compiled code: NUMBA_CACHE_DIR names a directory that only this user may write"
                )
                return USAGE
            report_bug(error, debug=ctx.params["debug"])
            return BUG_EXIT_STATUS

    @staticmethod
    def finish(status: object) -> object:
        """Write what is still buffered while a closed pipe can be told from a bug."""
        sys.stdout.flush()
        return status


@click.group(cls=LazyGroup, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(importlib.metadata.version("weir"), prog_name="weir")
@click.option("--debug", is_flag=True, help="Print the traceback of a bug, instead of writing it to a file.")
def weir(debug: bool) -> None:
    """Find who walks through the member base, and block it."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line, that of the process by default; returns the exit status and never raises a user's error."""
    try:
        status = weir.main(arguments, prog_name="weir", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return USAGE
    except click.ClickException as error:
        complain(usage_line(error))
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    return status if isinstance(status, int) else 0


def usage_line(error: click.ClickException) -> str:
    """What is wrong with the command line, and where its help is."""
    text = " ".join(error.format_message().split())
    context = getattr(error, "ctx", None)
    return text if context is None else f"{text} (see {context.command_path} --help)"


def complain(text: str) -> None:
    """One line on standard error."""
    click.echo(f"weir: {' '.join(text.split())}", err=True)


def report_bug(error: Exception, *, debug: bool) -> None:
    """Say in one line that this is a bug of Weir's, and keep the traceback for whoever mends it."""
    trace = "".join(traceback.format_exception(error))
    if debug:
        click.echo(trace, err=True, nl=False)
        return
    with tempfile.NamedTemporaryFile("w", prefix="weir-bug-", suffix=".txt", delete=False, encoding="utf-8") as file:
        file.write(f"{' '.join(sys.argv)}\n\n{trace}")
    complain(f"a bug in Weir, {type(error).__name__}: {error}; please report it with {file.name}")


def leave_quietly() -> int:
    """Whoever read the output has seen enough (`weir … | head`); keeps the interpreter from flushing into nothing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def main() -> NoReturn:
    """Entry point of the installed command."""
    sys.exit(run())
