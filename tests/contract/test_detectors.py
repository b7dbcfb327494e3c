"""What every detector promises: the suite finds them by itself, so a new one is under it at once."""

import json
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from inspect import getdoc
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Any, Final

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

import detectors
from detectors.core.columns import Columns
from detectors.core.contract import Detector, DetectorConfig, Evidence, Explanation
from detectors.core.discovery import classes
from detectors.core.model import empty
from schemas.actor import Scope
from schemas.alert import AlertMode
from schemas.block import BlockMode
from schemas.mode import Mode
from streams import config
from streams.offline.simulate import Plan
from streams.pipeline.assess.assessor import Assessor
from streams.pipeline.model.models import Models
from streams.pipeline.rows import NOTHING, Rows
from tests import days
from tests.requests import START_S, request_of, views

NAMES: Final = list(classes())
HOUSE: Final = Path(detectors.__path__[0])
DEFAULTS: Final = config.parse("")
CROWD: Final = Plan(
    seed=11, quiet_days=2, scraper_days=0, people=1_000, anonymous=300, members=20_000, other_ratio=0, scrapers=()
)
"""A thousand people, for a day to learn from and a day to be judged on."""
EXTRAORDINARY: Final = frozenset({"recruiter", "class", "monitor", "collector"})
"""Kinds of people whose work or teacher sets them apart; each has its own test where a detector is made for it."""
STEADY: Final = 400


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """The id of each detector."""
    found: str = request.param
    return found


@pytest.fixture
def kind(name: str) -> type[Detector[DetectorConfig]]:
    """Its class."""
    return classes()[name]


class Alone:
    """One detector over sightings of its own assessor, by the model that was learned from half a day."""

    def __init__(self, name: str) -> None:
        self.assessor: Final = days.assessor(DEFAULTS, name)
        self.state: Final[Mapping[str, NDArray[np.generic]]] = {}
        self.columns: Columns | None = None
        self._name = name

    def take(self, values: Sequence[bytes]) -> Rows:
        """Sightings of a source partition's records, in order of judgement."""
        return days.rows(self.assessor, values)

    def judge(self, rows: Rows) -> Evidence:
        """Evidence at rows that follow on those before."""
        evaluation = self.assessor.evaluate(rows, days.learned(days.HALF_DAY))
        self.columns = evaluation.columns
        return evaluation.judged[0].evidence

    def pass_through_bytes(self) -> None:
        """Put in place of its state what a checkpoint would bring back."""
        actors = self.assessor.actors
        for table in (actors.all, actors.principals, actors.groups, actors.pairs):
            state = table.state[self._name]
            for column, values in state.items():
                state[column] = np.frombuffer(values.tobytes(), values.dtype).reshape(values.shape).copy()


def arrays(evidence: Evidence) -> dict[str, NDArray[Any]]:
    """All columns of evidence by name."""
    own = {name: getattr(evidence, name) for name in ("level", "since_us", "profiles", "may_block")}
    if evidence.nats is not None and evidence.moved is not None:
        own |= {"moved": evidence.moved, "nats": np.where(evidence.moved, evidence.nats, 0.0)}
    return own | dict(evidence.numbers) | {f"lesson {name}": places for name, places in evidence.lessons.items()}


def joined(parts: Sequence[Evidence]) -> dict[str, NDArray[Any]]:
    """Columns of parts, one after the other."""
    return {name: np.concatenate([arrays(part)[name] for part in parts]) for name in arrays(parts[0])}


def assert_same(left: Mapping[str, NDArray[Any]], right: Mapping[str, NDArray[Any]]) -> None:
    """Both hold the same evidence to the last bit."""
    assert left.keys() == right.keys()
    for name, column in left.items():
        np.testing.assert_array_equal(column, right[name], err_msg=name)


@cache
def whole(name: str) -> tuple[Alone, Rows, Evidence]:
    """A detector's evidence on a day with scrapers, judged at once."""
    alone = Alone(name)
    rows = alone.take(days.values(days.HALF_DAY))
    return alone, rows, alone.judge(rows)


class TestDescription:
    """What stands in the module."""

    def test_discovery_finds_every_file(self) -> None:
        """Each module of `detectors` is a detector, and its file's name is its id."""
        assert sorted(NAMES) == sorted(file.stem for file in HOUSE.glob("*.py") if file.stem != "__init__")

    def test_id(self, name: str, kind: type[Detector[DetectorConfig]]) -> None:
        """The id is the name of the file: what is configured, found and reported is the same word."""
        assert kind(kind.Config()).name == name
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)

    def test_own_test(self, name: str) -> None:
        """A detector comes with a test of its own limits."""
        assert (Path(__file__).parents[1] / "detectors" / f"test_{name}.py").is_file()

    @pytest.mark.parametrize("part", ["Seen: ", "People do not|person", "Blind spots: ", "Source: "])
    def test_docstring(self, kind: type[Detector[DetectorConfig]], part: str) -> None:
        """It says what is seen, why people do not do it, what it cannot see, and on whose word."""
        text = re.sub(r"\s+", " ", getdoc(__import__(kind.__module__, fromlist=["_"])) or "")
        assert re.search(part, text)

    def test_blind_spots_and_control(self, kind: type[Detector[DetectorConfig]]) -> None:
        """Known gaps are stated, as is the control of the regulators' statement that it serves."""
        assert kind.blind_spots
        assert all(len(spot.split()) > 2 for spot in kind.blind_spots)
        assert re.fullmatch(r"R[1-9]", kind.control)

    def test_defaults(self, kind: type[Detector[DetectorConfig]]) -> None:
        """The defaults pass the checks that an operator's values must pass, and no mode is among them."""
        defaults = kind.Config()
        assert msgspec.convert(msgspec.to_builtins(defaults), kind.Config) == defaults
        assert defaults.mode is None
        assert defaults.block_ratio >= 1

    def test_unknown_key(self, kind: type[Detector[DetectorConfig]]) -> None:
        """A misspelled key is refused."""
        with pytest.raises(msgspec.ValidationError, match="unknown field `limitt`"):
            msgspec.convert({"limitt": 1}, kind.Config)

    def test_state(self, kind: type[Detector[DetectorConfig]]) -> None:
        """Plain numbers, or short rows of them, at most 64 bytes an entry, 96 of a group; a name stands once."""
        sorts = (kind.state, kind.principal_state, kind.group_state, kind.member_state)
        for sort, most in zip(sorts, (64, 64, 96, 64), strict=True):
            dtypes = [np.dtype(dtype) for dtype in sort.values()]
            assert all(dtype.base.kind in "iufb" for dtype in dtypes)
            assert sum(dtype.itemsize for dtype in dtypes) <= most
        names = [name for sort in sorts for name in sort]
        assert len(names) == len(set(names))

    def test_cap(self, kind: type[Detector[DetectorConfig]]) -> None:
        """It adds to the sum over all detectors up to a cap, or not at all."""
        assert kind.Config().cap >= 0


class TestEvidence:
    """What comes out, whatever goes in."""

    def test_nothing(self, name: str) -> None:
        """Without a sighting there is no evidence."""
        assert {len(column) for column in arrays(Alone(name).judge(NOTHING)).values()} == {0}

    def test_shape(self, name: str) -> None:
        """Every column has a number for each sighting, a finite one; levels are not negative."""
        _, rows, evidence = whole(name)
        columns = arrays(evidence)
        assert {len(column) for column in columns.values()} == {len(rows)}
        assert all(np.isfinite(column).all() for column in columns.values())
        assert evidence.level.dtype == np.float64
        assert evidence.may_block.dtype == np.bool_
        assert (evidence.level >= 0).all()

    def test_nats(self, name: str) -> None:
        """A part of the sum is finite, not negative, and moves at sightings of principals alone."""
        alone, rows, evidence = whole(name)
        assert alone.columns is not None
        assert (evidence.nats is None) == (evidence.moved is None)
        if evidence.nats is None or evidence.moved is None:
            return
        assert evidence.nats.shape == evidence.moved.shape == (len(rows),)
        assert np.isfinite(evidence.nats[evidence.moved]).all()
        assert (evidence.nats[evidence.moved] >= 0).all()
        assert alone.columns.own[evidence.moved].all()

    def test_lessons(self, name: str, kind: type[Detector[DetectorConfig]]) -> None:
        """It teaches tables that it declares, at places within them, at sightings of principals alone."""
        alone, rows, evidence = whole(name)
        assert alone.columns is not None
        assert set(evidence.lessons) <= set(kind.lessons)
        for table, places in evidence.lessons.items():
            assert places.shape == (len(rows),)
            assert -1 <= places.min(initial=-1) <= places.max(initial=-1) < kind.lessons[table]
            assert alone.columns.own[places >= 0].all()

    def test_where_it_speaks(self, name: str) -> None:
        """What it speaks of began before, and disclosed something."""
        _, rows, evidence = whole(name)
        speaks = evidence.level >= 1
        assert (evidence.since_us[speaks] <= rows.time_us[speaks]).all()
        assert (evidence.profiles[speaks] >= 1).all()

    def test_cut_anywhere(self, name: str) -> None:
        """However the sightings are cut, each has the same evidence."""
        _, _, expected = whole(name)
        alone = Alone(name)
        rows = alone.take(days.values(days.HALF_DAY))
        places = np.sort(np.random.default_rng(1).integers(0, len(rows), 40)).tolist()
        places = [0, 1, 2, *places, len(rows)]
        parts = [alone.judge(rows.pick(slice(lo, hi))) for lo, hi in pairwise(places)]
        assert_same(joined(parts), arrays(expected))

    def test_state_through_bytes(self, name: str) -> None:
        """A state that was written and read again goes on where it stopped."""
        _, _, expected = whole(name)
        alone = Alone(name)
        rows = alone.take(days.values(days.HALF_DAY))
        half = len(rows) // 2
        first = alone.judge(rows.pick(slice(0, half)))
        alone.pass_through_bytes()
        assert_same(joined([first, alone.judge(rows.pick(slice(half, None)))]), arrays(expected))

    def test_order_of_arrival(self, name: str) -> None:
        """Within the allowed lateness the order in which records arrive changes nothing."""
        _, _, expected = whole(name)
        lateness_us = DEFAULTS.input.allowed_lateness_ms * 1000
        alone = Alone(name)
        evidence = alone.judge(alone.take(days.shuffled(days.HALF_DAY, lateness_us, np.random.default_rng(5))))
        assert_same(arrays(evidence), arrays(expected))

    def test_more_of_the_same(self, name: str) -> None:
        """Who goes on looking at unknown profiles at a steady pace, within a pane, never looks better for it."""
        alone = Alone(name)
        steady = [request_of(START_S + n * 0.04, f"unheard-{n}", account="u9") for n in range(STEADY)]
        rows = alone.take(steady)
        level = alone.judge(rows).level
        for slot in np.unique(rows.slot):
            assert (np.diff(level[rows.slot == slot]) >= 0).all()

    def test_knows_nothing_yet(self, name: str) -> None:
        """By the empty model nobody is accused of being unusual: a first contact alone is no finding."""
        alone = Alone(name)
        rows = alone.take([request_of(START_S + n, f"p{n}", account=f"u{n}", ip=f"198.51.100.{n}") for n in range(50)])
        evidence = alone.assessor.evaluate(rows, empty()).judged[0].evidence
        assert (evidence.level < 1).all()


def _is_sound(value: object) -> bool:
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


class TestExplanation:
    """What is said of evidence."""

    def explained(self, name: str) -> list[Explanation]:
        """Explanations of every sighting with a finding, and of the strongest evidence if there is none."""
        alone, _, evidence = whole(name)
        assert alone.columns is not None
        chosen = {*np.flatnonzero(evidence.level >= 1)[:2_000].tolist(), int(evidence.level.argmax())}
        detector = classes()[name](classes()[name].Config())
        return [detector.explain(alone.columns, evidence, row) for row in sorted(chosen)]

    def test_numbers(self, name: str) -> None:
        """Every finding is explained with finite numbers that JSON can hold."""
        for why in self.explained(name):
            assert why.evidence
            assert all(_is_sound(value) for value in why.evidence.values())
            assert json.loads(json.dumps(why.evidence)) == why.evidence

    def test_words(self, name: str) -> None:
        """People read a sentence with a number in it; the one concerned reads no number and no name."""
        for why in self.explained(name):
            assert re.search(r"\d", why.reason)
            assert why.public_reason
            assert not re.search(r"\d", why.public_reason)
            assert name not in why.public_reason
            assert why.public_reason != why.reason


@cache
def accused(plan: Plan) -> Mapping[str, frozenset[str]]:
    """Actors that each detector has a finding on in the days of a plan, under the defaults."""
    found: dict[str, set[str]] = {name: set() for name in NAMES}
    for alert in days.alerts(days.run_whole(days.pipeline(DEFAULTS), days.values(plan))):
        for finding in alert.findings:
            found[finding.detector].add(alert.actor.key)
    return {name: frozenset(actors) for name, actors in found.items()}


class TestPeople:
    """What a day of ordinary people comes to, under the defaults."""

    def test_silent(self, name: str) -> None:
        """Nobody among a thousand ordinary people is found, nor an address or a group that they share."""
        labels = days.day(CROWD).labels.people
        extraordinary = {f"account:{one}" for each in labels if each.kind in EXTRAORDINARY for one in each.accounts}
        extraordinary |= {f"ip:{one}" for each in labels if each.kind in EXTRAORDINARY for one in each.addresses}
        assert accused(CROWD)[name] - extraordinary == frozenset()


class TestMode:
    """How far a detector goes by itself."""

    def test_default_mode(self, name: str) -> None:
        """A detector without a mode of its own is in shadow mode."""
        modes = {detector.name: mode for detector, mode in config.detectors(DEFAULTS)}
        assert modes[name] is Mode.SHADOW

    def test_nothing_leaves_shadow_mode(self) -> None:
        """Everything is found and told, and nothing is enforced."""
        found = days.run_whole(days.pipeline(days.QUICK), days.values(days.HALF_DAY))
        assert {alert.mode for alert in days.alerts(found)} == {AlertMode.SHADOW}
        assert {block.mode for block in days.blocks(found)} == {BlockMode.SHADOW}


def readme_example() -> str:
    """The detector that the README writes."""
    found = re.search(r"```python\n(.*?)```", (HOUSE / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return dedent(found[1])


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A second directory of detectors, with the README's example in it; what is imported from there is forgotten."""
    (tmp_path / "miss.py").write_text(readme_example(), encoding="utf-8")
    monkeypatch.setattr(detectors, "__path__", [*detectors.__path__, str(tmp_path)])
    yield tmp_path
    for file in tmp_path.glob("*.py"):
        sys.modules.pop(f"detectors.{file.stem}", None)
        vars(detectors).pop(file.stem, None)


class TestAdding:
    """One more file is one more detector."""

    def test_readme_example(self, planted: Path) -> None:
        """What the README shows is found as it stands, and judges: the fiftieth miss speaks, none before."""
        found = classes.__wrapped__()
        assert list(found) == sorted([*NAMES, "miss"])
        detector = found["miss"](found["miss"].Config())
        one = Assessor(DEFAULTS, [(detector, Mode.SHADOW)], Models(DEFAULTS.model, 1), "sha256:test", 0, 1)
        evaluation = one.evaluate(days.rows(one, views(START_S, 50, account="u1", status=404)), empty())
        own = np.flatnonzero(evaluation.columns.scope == Scope.ACCOUNT)
        assert [evaluation.judged[0].speaks(row) for row in own.tolist()] == [False] * 49 + [True]
        assert evaluation.judged[0].finding(evaluation.columns, int(own[-1])).evidence == {"misses": 50, "limit": 50}

    @pytest.mark.parametrize(("text", "count"), [('"""Nothing."""\n', 0), ("two", 2)])
    def test_not_exactly_one(self, planted: Path, text: str, count: int) -> None:
        """A file with no detector, or with two, stops the start with its name."""
        two = readme_example() + "\n\nclass Other(Miss):\n    pass\n"
        (planted / "odd.py").write_text(two if text == "two" else text, encoding="utf-8")
        with pytest.raises(TypeError, match=rf"detectors/odd\.py holds {count} detectors"):
            classes.__wrapped__()


def test_the_suite_reaches_limits() -> None:
    """At least one detector speaks on the day that the suite looks at, so its promises are not empty."""
    assert any((whole(name)[2].level >= 1).any() for name in NAMES)
