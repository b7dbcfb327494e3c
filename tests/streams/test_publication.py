"""A published configuration reads back as what was published, and what is none is said to be none."""

from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.config_revision import PUBLISHED_CODEC
from schemas.errors import ConfigError, InputError, RecordError
from schemas.mode import Mode
from streams.config import parse, revision
from streams.publication import KEYS_TOLD, named, publication_of, published, read_publications, timeline_of
from streams.section import DECIDING, Changed
from streams.settings import Allow, Bot, Collector, Group, Settings
from streams.surfaces.setting import Surface
from streams.toml import toml_of

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
DATES = st.dates(date(2026, 1, 1), date(2030, 1, 1))


@st.composite
def settings_of(draw: st.DrawFn) -> Settings:
    """Settings with every shape of value: texts of any sign, lists of tables, tables named by the user, infinity."""
    base = parse("")
    detectors = dict(base.detectors)
    detectors["canary"] = replace(detectors["canary"], decoys=tuple(draw(st.lists(TEXTS, max_size=3))))
    detectors["id_walk"] = replace(detectors["id_walk"], cap=draw(st.floats(0.0) | st.just(float("inf"))))
    tiers = draw(st.dictionaries(TEXTS, st.integers(1_000, 50_000), max_size=3))
    detectors["lookup_sweep"] = replace(detectors["lookup_sweep"], tiers=tiers)
    detectors["pacing"] = replace(detectors["pacing"], mode=draw(st.none() | st.sampled_from(Mode)))
    entry: dict[str, Any] = {"owner": draw(TEXTS), "reason": draw(TEXTS), "expires": draw(DATES)}
    return replace(
        base,
        detectors=detectors,
        allow=tuple(Allow(f"account:x{value}", **entry) for value in draw(st.lists(TEXTS, max_size=2))),
        collectors=tuple(Collector("ip:192.0.2.7", n, **entry) for n in draw(st.lists(st.integers(1, 9), max_size=2))),
        bots=draw(st.sampled_from([(), (Bot("b", ranges=("192.0.2.0/24",), listed=entry["expires"], **entry),)])),
        groups=draw(st.sampled_from([(), (Group("g", ("net", "asn")),)])),
        surfaces=draw(st.sampled_from([(), base.surfaces, (Surface("view", "/a/{profile}"),)])),
    )


class TestToml:
    """What is published."""

    @given(settings_of())
    def test_reads_back(self, settings: Settings) -> None:
        """As the same settings, byte by byte the same text again."""
        text = toml_of(settings)
        found = parse(text)
        assert found == settings
        assert toml_of(found) == text

    @pytest.mark.parametrize("name", ["weir.toml", "demo.toml", "evaluate.toml"])
    def test_files(self, name: str) -> None:
        """Of every file in deploy all that decides is in it, and nothing that is a process's own."""
        settings = parse((DEPLOY / name).read_text(encoding="utf-8"), environment={"WEIR_POLICY__BLOCK_S": "61"})
        found = parse(toml_of(settings))
        assert found.policy.block_s == 61
        assert [one for one in DECIDING if getattr(found, one) != getattr(settings, one)] == []
        assert revision(found) == revision(settings)

    def test_no_secret_and_no_address(self) -> None:
        """How the broker is reached stays where it is."""
        text = "[kafka]\nbootstrap = 'hidden:9'\n[kafka.security]\nprotocol = 'sasl_ssl'\nusername = 'hidden'\n"
        assert "hidden" not in toml_of(parse(text + "password_file = '/hidden'\n"))


class TestRecord:
    """`PublishedConfig`."""

    def test_there_and_back(self) -> None:
        """Key, revision, times and settings."""
        settings = parse("[policy]\nblock_s = 61\n")
        made = published(settings, "operator:me", "why", 1_800_000_000_000_000, 1_800_000_010_000_999)
        found = publication_of(PUBLISHED_CODEC.encode(made))
        assert (found.record, found.settings) == (made, settings)
        assert found.from_us == 1_800_000_010_000_000, "in milliseconds, as the record has it"
        assert made.key == f"2027-01-15T08:00:10.000Z/{revision(settings)}"
        assert made.id != published(settings, "operator:me", "why", 1, 1_800_000_010_000_999).id

    @pytest.mark.parametrize("value", [b"", b"{", b"[]", b'{"id": "x"}', b"\xff"])
    def test_no_record(self, value: bytes) -> None:
        """It is said as such."""
        with pytest.raises(RecordError):
            publication_of(value)

    def test_no_time(self) -> None:
        """A time that has the form of one and is none."""
        made = replace(published(parse(""), "me", "", 0, 0), in_force_from="2027-13-41T25:61:61.000Z")
        with pytest.raises(RecordError, match=r"\$\.in_force_from"):
            publication_of(PUBLISHED_CODEC.encode(made))

    def test_another_version_s(self) -> None:
        """A key that this version does not know refuses the whole, with the place."""
        made = published(parse(""), "operator:me", "why", 0, 0)
        other = replace(made, text=made.text.replace("block_s", "blok_s"))
        with pytest.raises(ConfigError, match=r"^published 1970-01-01T00:00:00\.000Z/sha256:\w+:\d+: policy\.blok_s"):
            publication_of(PUBLISHED_CODEC.encode(other))


class TestFile:
    """Records of the topic, one a line."""

    def test_in_order(self, tmp_path: Path) -> None:
        """Of two with the same point the later one counts; what has no state stays off."""
        file = tmp_path / "configs.ndjson"
        texts = ["[policy]\nblock_s = 61\n", "[policy]\nblock_s = 62\n"]
        lines = [msgspec.json.encode(published(parse(text), "me", "", 5, 7_000)) for text in texts]
        file.write_bytes(b"\n\n".join(lines) + b"\n")
        timeline = timeline_of(parse("[memory]\nactors_max = 5\n"), read_publications(file))
        assert timeline.at(6_999).settings.policy.block_s == 3_600
        assert (timeline.at(7_000).settings.policy.block_s, timeline.at(7_000).settings.memory.actors_max) == (62, 5)

    def test_a_bad_line(self, tmp_path: Path) -> None:
        """File and line are named; a file that is not there too."""
        file = tmp_path / "configs.ndjson"
        file.write_bytes(msgspec.json.encode(published(parse(""), "me", "", 5, 7)) + b"\n{\n")
        with pytest.raises(InputError, match=r"configs\.ndjson:2: "):
            read_publications(file)
        with pytest.raises(InputError, match="No such file"):
            read_publications(tmp_path / "none")


def test_keys_in_one_line() -> None:
    """Each once; beyond twenty only their number."""
    changes = [Changed(f"k{n // 2}", "", "1", restart=False) for n in range(2 * KEYS_TOLD + 6)]
    assert named(changes[:4]) == "k0, k1"
    assert named(changes).endswith(", k19 and 3 more")
