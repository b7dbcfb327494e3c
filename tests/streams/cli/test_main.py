"""`weir` itself: which commands there are, and what becomes of their errors."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from schemas.errors import BUG_EXIT_STATUS, ConfigError, GapError
from streams.cli import main as module
from streams.cli.main import COMMANDS, INTERRUPTED, USAGE, Entry, run, weir


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Callable[[], object]], None]:
    """Puts a command `probe` beside the others that does what it is given; files of bugs go to the test's directory."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def put(body: Callable[[], object]) -> None:
        monkeypatch.setattr(module, "probe", click.command("probe")(body), raising=False)
        monkeypatch.setitem(COMMANDS, "probe", Entry("streams.cli.main:probe", "Does what a test says."))

    return put


def failing(error: BaseException) -> Callable[[], object]:
    """A command that raises."""

    def body() -> object:
        raise error

    return body


def leaves(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command below one, with its whole name."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from leaves(found, f"{path} {name}")
    else:
        yield path, command


class TestCommands:
    """The commands that there are."""

    @pytest.mark.parametrize("name", COMMANDS)
    def test_each_loads_and_shows_examples_of_itself(self, name: str) -> None:
        """Its module imports, and the help of each command in it has an example that begins with its name."""
        loaded = weir.get_command(click.Context(weir), name)
        assert loaded is not None
        for path, _ in leaves(loaded, f"weir {name}"):
            shown = CliRunner().invoke(weir, [*path.split()[1:], "--help"]).output
            assert f"  {path}" in shown.partition("Examples:")[2], path

    def test_help_loads_no_command(self) -> None:
        """`weir --help` names every command without the price of importing one: no numpy, no Kafka client."""
        code = (
            "import sys\nfrom streams.cli.main import run\nstatus = run(['--help'])\n"
            "sys.exit(status or any(name in sys.modules for name in ('numpy', 'kafka', 'faust', 'rich')))"
        )
        shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert all(f"  {name} " in shown for name in COMMANDS)

    def test_a_place_that_is_no_command_is_a_bug(
        self, monkeypatch: pytest.MonkeyPatch, command: Callable[[Callable[[], object]], None]
    ) -> None:
        """A wrong entry is found when it is called, not taken for an unknown command."""
        monkeypatch.setitem(COMMANDS, "wrong", Entry("streams.cli.main:USAGE", ""))
        assert run(["wrong"]) == 70


class TestStatus:
    """The exit status, and the one line that goes with it."""

    @pytest.mark.parametrize(("returned", "status"), [(None, 0), (0, 0), (1, 1)])
    def test_a_commands_own(
        self, command: Callable[[Callable[[], object]], None], returned: int | None, status: int
    ) -> None:
        """What a command returns is the status; nothing is 0."""
        command(lambda: returned)
        assert run(["probe"]) == status

    @pytest.mark.parametrize(
        ("arguments", "line"),
        [
            (["nonsense"], "weir: No such command 'nonsense'. (see weir --help)\n"),
            (["--nonsense"], "weir: No such option: --nonsense (see weir --help)\n"),
            (["probe", "x"], "weir: Got unexpected extra argument (x) (see weir probe --help)\n"),
        ],
    )
    def test_wrong_usage_is_2_in_one_line(
        self,
        command: Callable[[Callable[[], object]], None],
        capfd: pytest.CaptureFixture[str],
        arguments: list[str],
        line: str,
    ) -> None:
        """What is wrong, and whose help tells more."""
        command(lambda: None)
        assert run(arguments) == 2
        assert capfd.readouterr() == ("", line)

    def test_the_help_tells_every_exit_status(self, capfd: pytest.CaptureFixture[str]) -> None:
        """Also that of a worker that must not go on, which is no bug."""
        assert run(["--help"]) == 0
        told = " ".join(capfd.readouterr().out.partition("Exit status: ")[2].partition("Examples:")[0].split())
        statuses = [clause.partition(" ")[0] for clause in told.split("; ")]
        assert statuses == ["0", "1", str(USAGE), str(BUG_EXIT_STATUS), str(INTERRUPTED)]

    def test_no_command_at_all_shows_the_help(self, capfd: pytest.CaptureFixture[str]) -> None:
        """The bare call is wrong usage, and answers it with the list of commands."""
        assert run([]) == 2
        assert "topics" in capfd.readouterr().err

    @pytest.mark.parametrize(
        ("error", "line"),
        [
            (ConfigError("weir.toml", 3, "unknown key"), "weir: weir.toml:3: unknown key\n"),
            (ConfigError("weir.toml", None, "two\nlines"), "weir: weir.toml: two lines\n"),
        ],
    )
    def test_a_users_mistake_is_2_in_one_line(
        self,
        command: Callable[[Callable[[], object]], None],
        capfd: pytest.CaptureFixture[str],
        error: Exception,
        line: str,
    ) -> None:
        """The place and the reason, no traceback, whatever the text."""
        command(failing(error))
        assert run(["probe"]) == 2
        assert capfd.readouterr().err == line

    def test_an_errors_own_status_is_kept(self, command: Callable[[Callable[[], object]], None]) -> None:
        """The tree of errors says with which status each ends a process."""
        error = GapError("http.requests", 0, 5, 7)
        command(failing(error))
        assert run(["probe"]) == error.exit_status

    def test_an_interrupt_is_130(self, command: Callable[[Callable[[], object]], None]) -> None:
        """As a shell reports SIGINT."""
        command(failing(KeyboardInterrupt()))
        assert run(["probe"]) == 130

    def test_a_bug_is_70_and_its_traceback_in_a_file(
        self, command: Callable[[Callable[[], object]], None], capfd: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        """One line names the error and the file; the file holds the traceback."""
        command(failing(KeyError("seven")))
        assert run(["probe"]) == 70
        (file,) = tmp_path.glob("weir-bug-*.txt")
        said = capfd.readouterr().err
        assert said == f"weir: a bug in Weir, KeyError: 'seven'; please report it with {file}\n"
        assert "Traceback" in file.read_text()

    def test_nowhere_to_keep_compiled_code(
        self, command: Callable[[Callable[[], object]], None], capfd: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        """A service's user may write neither the installation nor a home: told how to mend it, and no bug."""
        command(failing(RuntimeError("cannot cache function '_walk': no locator available for file 'id_walk.py'")))
        assert run(["probe"]) == 2
        assert capfd.readouterr().err.startswith("weir: nowhere to keep compiled code: NUMBA_CACHE_DIR names")
        assert not list(tmp_path.iterdir())

    def test_debug_shows_the_traceback_at_once(
        self, command: Callable[[Callable[[], object]], None], capfd: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        """`--debug` asks for it, and then no file is left."""
        command(failing(KeyError("seven")))
        assert run(["--debug", "probe"]) == 70
        assert "Traceback" in capfd.readouterr().err
        assert not list(tmp_path.iterdir())

    def test_a_reader_that_leaves_is_no_error(self) -> None:
        """`weir … | true` ends quietly: nothing on standard error, status 0."""
        code = (
            "import click, sys\nfrom streams.cli import main\n"
            "main.probe = click.command('probe')(lambda: click.echo('x' * 1_000_000))\n"
            "main.COMMANDS['probe'] = main.Entry('streams.cli.main:probe', '')\n"
            "sys.stdin.readline()\nsys.exit(main.run(['probe']))"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            assert child.stderr is not None
            child.stdout.close()
            child.communicate(b"go\n")
            assert child.returncode == 0
