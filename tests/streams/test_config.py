"""The configuration is taken whole or refused whole, with file, line and reason."""

from datetime import date

import pytest

from detectors.core.discovery import classes
from detectors.long_tail import Config as LongTailConfig
from detectors.profile_rate import Config as ProfileRateConfig
from detectors.profile_rate import Limits
from schemas.errors import ConfigError
from schemas.mode import Mode
from streams import config
from streams.settings import Settings

ENTRY = "owner = 'sre'\nreason = 'probes'\nexpires = 2027-01-31\n"
BOT = "[[bots]]\nname = 'b'\nlisted = 2026-11-20\n" + ENTRY
SURFACE = "[[surfaces]]\nkind = 'view'\npath = '/a/{profile}'\n"


class TestTaken:
    """What is in force."""

    def test_defaults(self) -> None:
        """Without a file every key has its default, and every detector its section."""
        settings = config.parse("")
        assert settings.mode.default is Mode.SHADOW
        assert settings.detectors == {name: kind.Config() for name, kind in classes().items()}
        assert config.parse("# nothing\n") == settings

    def test_values(self) -> None:
        """Each kind of section is read into its own type."""
        text = (
            "[mode]\nceiling = 'alert'\n[policy]\nblock_s = 60\n[detectors.long_tail]\nlimit = 21.5\nmode = 'enforce'\n"
            "[detectors.profile_rate.tiers.recruiter]\nhour = 600\n[[allow]]\nactor = 'net:192.0.2.0/24'\n" + ENTRY
        )
        settings = config.parse(text)
        assert settings.policy.block_s == 60
        assert settings.detectors["long_tail"] == LongTailConfig(limit=21.5, mode=Mode.ENFORCE)
        assert settings.detectors["profile_rate"] == ProfileRateConfig(tiers={"recruiter": Limits(hour=600)})
        assert settings.allow[0].actor == "net:192.0.2.0/24"

    def test_bots(self) -> None:
        """Ranges of both sorts are taken, up to a host of IPv4 and a subscriber of IPv6; any user agent by default."""
        ranges = ("192.0.2.0/24", "192.0.2.7", "2001:db8:77::/48", "2001:db8::/64")
        (bot,) = config.parse(f"{BOT}ranges = {list(ranges)}\n").bots
        assert (bot.ranges, bot.user_agent, bot.listed) == (ranges, None, date(2026, 11, 20))

    def test_changes(self) -> None:
        """A change is put where the file would have its key, and counts more than the environment."""
        changes = {"policy.block_s": 61, "detectors.profile_rate.tiers.recruiter.day": 700}
        settings = config.parse("[policy]\nblock_s = 7\n", "weir.toml", {"WEIR_POLICY__BLOCK_S": "60"}, changes)
        text = "[policy]\nblock_s = 61\n[detectors.profile_rate.tiers.recruiter]\nday = 700\n"
        assert settings == config.parse(text)

    def test_byte_order_mark(self) -> None:
        """A file that an editor began with a byte-order mark is read, and lines are counted as they stand."""
        assert config.parse("\ufeff[policy]\nblock_s = 60\n").policy.block_s == 60
        with pytest.raises(ConfigError, match=r"^weir\.toml:2: policy\.block_s: "):
            config.parse("\ufeff[policy]\nblock_s = 0\n", "weir.toml")

    def test_environment(self) -> None:
        """A variable overrides the file, in a section that it has or has not; other variables are none of ours."""
        variables = {
            "WEIR_POLICY__BLOCK_S": "60",
            "WEIR_DETECTORS__LONG_TAIL__LIMIT": "25.5",
            "WEIR_DETECTORS__PROFILE_RATE__TIERS__RECRUITER__DAY": "2000",
            "WEIR_MODE__DEFAULT": "alert",
            "WEIR_TEST": "x",
            "PATH": "/bin",
            "OTHER__THING": "1",
        }
        settings = config.parse("[policy]\nblock_s = 7\ncooldown_s = 8\n", "weir.toml", variables)
        assert (settings.policy.block_s, settings.policy.cooldown_s) == (60, 8)
        assert settings.detectors["long_tail"] == LongTailConfig(limit=25.5)
        assert settings.detectors["profile_rate"] == ProfileRateConfig(tiers={"recruiter": Limits(day=2000)})
        assert settings.mode.default is Mode.ALERT


class TestRefused:
    """What is not."""

    @pytest.mark.parametrize(
        ("text", "line", "reason"),
        [
            ("[mode]\ndefault =\n", 2, "Invalid value"),
            ("[mode]\ndefault = 'al", 2, "Expected"),
            ("[mode]\n[policy]\nblock_s = ", 3, "Invalid value"),
            ("[policy]\nblock_s = 1\nblock_s = 2", 3, "overwrite"),
            ("[mod]\n", 1, "mod: Object contains unknown field `mod`"),
            ("\n[mode]\n\ndefualt = 'alert'\n", 4, "mode.defualt: Object contains unknown field `defualt`"),
            ("mode.default = 'loud'\n", 1, "mode.default: Invalid enum value 'loud'"),
            ("[detectors.long_tai]\nlimit = 30\n", 1, f"no such detector; there are {', '.join(classes())}"),
            ("[detectors]\nlong_tail = 3\n", 2, "detectors.long_tail: Expected `object`, got `int`"),
            ("detectors = 3\n", 1, "detectors: Expected `object`"),
            (
                "[detectors.long_tail]\nlimit = 11.9\n",
                2,
                "detectors.long_tail.limit: Expected `float` >= 12.0: ordinary",
            ),
            ("[detectors.long_tail]\nlimit = nan\n", 2, "detectors.long_tail.limit: Expected `float` >= 0.0"),
            (
                "[detectors.profile_rate.ip]\n\nhour = 74\n",
                3,
                "profile_rate.ip.hour: Expected 0 or `int` >= 75: ordinary",
            ),
            (
                "[detectors.profile_rate.tiers.a]\nhour = 0\nday = 149\n",
                3,
                "tiers[...].day: Expected 0 or `int` >= 150",
            ),
            ("[fusion]\nfloor = 9.9\n", 2, "fusion.floor: Expected `float` >= 10.0"),
            ("[fusion]\nblock_limit = 13.9\n", 2, "fusion.block_limit: Expected `float` >= 14.0"),
            ("[policy.scope_max_s]\nnets = 9\n", 2, "policy.scope_max_s.nets: Object contains unknown field"),
            ("[policy]\nblocked_share_max = 0.0\n", 2, "policy.blocked_share_max: Expected `float` > 0.0"),
            ("[mode]\nenforce_share = 1.01\n", 2, "mode.enforce_share: Expected `float` <= 1.0"),
            ("[detectors.long_tail]\nmix = 1.0\n", 2, "Expected `float` < 1.0"),
            ("[detectors.long_tail]\nblock_ratio = 0.9\n", 2, "Expected `float` >= 1.0"),
            ("[detectors.long_tail]\nlimits = 30\n", 2, "detectors.long_tail.limits: Object contains unknown field"),
            ("[detectors.profile_rate]\nminute = 3\n", 2, "unknown field `minute`"),
            ("[detectors.profile_rate]\naccount = {minute = 'x'}\n", 2, "account.minute: Expected `int`, got `str`"),
            ("[detectors.profile_rate.account]\nday = 9\n[detectors.profile_rate.ip]\nday = -1\n", 4, "ip.day: "),
            ("[detectors.profile_rate.tiers.a]\nhour = 9\nday = -1\n", 3, "profile_rate.tiers[...].day: "),
            (SURFACE + "[[surfaces]]\nkind = 'glance'\npath = '/b'\n", 5, "surfaces[1].kind: Invalid enum value"),
            (SURFACE + "[[surfaces]]\nkind = 'view'\n", 4, "surfaces[1]: Object missing required field `path`"),
            (SURFACE.replace("/a", "a"), 3, "surfaces[0].path: Expected `str` matching regex"),
            ("[serve]\nlisten = '127.0.0.1:65536'\n", 2, "serve.listen: a port is at most 65535"),
            ("[metrics]\nlisten = '[::1]:99999'\n", 2, "metrics.listen: a port is at most 65535"),
            ("[[allow]]\nactor = 'nett:1'\n" + ENTRY, 2, "allow[0].actor: scope 'nett' is none of account, session"),
            ("[[allow]]\nactor = 'net:192.0.2.1/24'\n" + ENTRY, 2, "192.0.2.1/24 has host bits set"),
            ("[[allow]]\nactor = 'ip:localhost'\n" + ENTRY, 2, "'localhost' does not appear to be an IPv4 or IPv6"),
            ("[[allow]]\nactor = 'account:'\n" + ENTRY, 2, "allow[0].actor: Expected `str` matching regex"),
            ("[[collectors]]\nactor = 'account:a'\nprofiles_per_day = 0\n" + ENTRY, 3, "Expected `int` >= 1"),
            ("[[collectors]]\nactor = 'account:a'\n" + ENTRY, 1, "missing required field `profiles_per_day`"),
            ("[[allow]]\nactor = 'ip:::1'\n" + ENTRY.replace("2027-01-31", "'soon'"), 5, "allow[0].expires: Invalid"),
            (BOT + "ranges = ['192.0.2.0/24', '192.0.2.1/24']\n", 7, "bots[0].ranges[1]: 192.0.2.1/24 has host bits"),
            (BOT + "ranges = ['2001:db8::/65']\n", 7, "2001:db8::/65 is longer than /64: that is how far"),
            (BOT + "ranges = ['2001:db8::1']\n", 7, "2001:db8::1 is longer than /64"),
            (BOT + "ranges = ['10.0.0.0/8', '0.0.0.0/7']\n", 7, "0.0.0.0/7 is wider than /8"),
            (BOT + "ranges = ['2000::/16', '::/0']\n", 7, "::/0 is wider than /16"),
            (BOT + "ranges = ['search.example']\n", 7, "does not appear to be an IPv4 or IPv6 network"),
            (BOT + "ranges = []\n", 1, "bots[0]: needs either ranges or a list_file"),
            (BOT + "ranges = ['::/64']\nlist_file = 'a.json'\n", 1, "bots[0]: needs either ranges or a list_file"),
            (BOT + "list_file = 'a.json'\n", 3, "bots[0].listed: ranges need the day of their list, a list_file has"),
            (BOT.replace("listed", "# listed") + "ranges = ['::/64']\n", 1, "bots[0].listed: ranges need the day"),
            (BOT + "ranges = ['::/64']\nuser_agent = ''\n", 8, "bots[0].user_agent: Expected `str` of length >= 1"),
            (BOT, 1, "bots[0]: needs either ranges or a list_file"),
            ("[policy]\nblock_s = true\n", 2, "policy.block_s: Expected `int`, got `bool`"),
            ("[policy]\nblock_s = 1.5\n", 2, "policy.block_s: Expected `int`, got `float`"),
            ("[policy]\nblock_s = 'soon'\n", 2, "policy.block_s: Expected `int`, got `str`"),
            ("[policy]\nblock_s = 99999999999999999999\n", 2, "policy.block_s: Expected `int` <= "),
            ("[policy]\nchallenge_scopes = ['nets']\n", 2, "policy.challenge_scopes[0]: Invalid enum value 'nets'"),
            ("policy = []\n", 1, "policy: Expected `object`, got `array`"),
        ],
    )
    def test_place_and_reason(self, text: str, line: int, reason: str) -> None:
        """One line says which file, where in it, and why."""
        with pytest.raises(ConfigError) as caught:
            config.parse(text, "weir.toml")
        assert (caught.value.file, caught.value.line) == ("weir.toml", line)
        assert reason in caught.value.reason
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("name", "value", "reason"),
        [
            ("WEIR_POLICY__BLOCK_S", "soon", "policy.block_s: Expected `int`, got `str`"),
            ("WEIR_POLICY__BLOKC_S", "5", "policy.blokc_s: Object contains unknown field `blokc_s`"),
            ("WEIR_POLITY__BLOCK_S", "5", "polity: Object contains unknown field `polity`"),
            ("WEIR_DETECTORS__LONG_TAIL__LIMIT", "1", "detectors.long_tail.limit: Expected `float` >= 12.0"),
            ("WEIR_DETECTORS__LONG_TALE__LIMIT", "9", "detectors.long_tale: there is no such detector"),
            ("WEIR_SURFACES__0__PATH", "/x", "surfaces is no section"),
        ],
    )
    def test_variable(self, name: str, value: str, reason: str) -> None:
        """A mistake in a variable is told with the variable's name, not with a line of the file."""
        with pytest.raises(ConfigError) as caught:
            config.parse(
                SURFACE + "[policy]\nblock_s = 60\n", "weir.toml", {name: value, "WEIR_MODE__DEFAULT": "alert"}
            )
        assert (caught.value.file, caught.value.line) == (name, None)
        assert reason in caught.value.reason

    @pytest.mark.parametrize(
        ("key", "value", "told"),
        [
            ("policy.block_s", 0, "--set: policy.block_s: Expected `int` >= 1"),
            ("policy.blokc_s", 5, "--set: policy.blokc_s: Object contains unknown field `blokc_s`"),
            ("detectors.long_tale.limit", 9, "--set: detectors.long_tale: there is no such detector"),
            ("surfaces.path", "/x", "--set surfaces.path: surfaces is no section"),
        ],
    )
    def test_change(self, key: str, value: object, told: str) -> None:
        """A mistake in a change is told as such, with its key."""
        with pytest.raises(ConfigError) as caught:
            config.parse(SURFACE + "[policy]\nblock_s = 60\n", "weir.toml", {}, {key: value, "mode.default": "alert"})
        assert str(caught.value).startswith(told)

    def test_a_mistake_in_the_file_beside_a_variable(self) -> None:
        """The file's own mistake is still told with the file's line."""
        with pytest.raises(ConfigError, match=r"^weir\.toml:2: policy\.block_s"):
            config.parse("[policy]\nblock_s = 0\n", "weir.toml", {"WEIR_POLICY__COOLDOWN_S": "5"})

    def test_old_configuration_stays(self) -> None:
        """What was in force is untouched by what is refused: settings cannot be changed in place."""
        before = config.parse("[policy]\nblock_s = 60\n")
        revision = config.revision(before)
        with pytest.raises(ConfigError):
            config.parse("[policy]\nblock_s = 90\ncooldown_s = 0\n")
        assert config.revision(before) == revision
        with pytest.raises(AttributeError):
            before.policy.block_s = 90  # type: ignore[misc]  # what is refused


class TestRevision:
    """The digest that decisions name."""

    BASE = config.parse("")

    @pytest.mark.parametrize(
        "text", ["[policy]\nblock_s = 60", "[detectors.long_tail]\nlimit = 20", "[mode]\ndefault = 'alert'", SURFACE]
    )
    def test_changes_with_what_decides(self, text: str) -> None:
        """Another value of any key that decides is another revision."""
        assert config.revision(config.parse(text)) != config.revision(self.BASE)

    @pytest.mark.parametrize(
        "text",
        [
            "[policy]\nblock_age_max_s = 5",
            "[policy]\nlag_max_s = 5",
            "[dead_letters]\non_flood = 'stop'\nshare_max = 1.0",
            "[serve]\nlisten = '10.0.0.5:8080'\nstale_max_s = 0",
            "[metrics]\nlisten = '127.0.0.1:9464'\n[log]\nformat = 'json'",
        ],
    )
    def test_stays_with_what_only_sends(self, text: str) -> None:
        """What is held back or not sent was decided all the same, under the same id."""
        assert config.revision(config.parse(text)) == config.revision(self.BASE)

    def test_mode(self) -> None:
        """So is a mode that was asked for beside the file."""
        assert len({config.revision(self.BASE, mode) for mode in (None, *Mode)}) == 5

    def test_same(self) -> None:
        """Spelling, order, comments and the broker do not matter."""
        left = config.parse("[policy]\nblock_s = 60\ncooldown_s = 70\n[kafka]\nbootstrap = 'a:1'\n")
        right = config.parse("# ours\n[policy]\ncooldown_s = 70\nblock_s = 60\n")
        assert config.revision(left) == config.revision(right)
        assert config.revision(left).startswith("sha256:")


class TestModes:
    """How far each detector may go."""

    @staticmethod
    def modes(text: str, mode: Mode | None = None) -> dict[str, str]:
        """Mode in force by detector."""
        return {one.name: found.value for one, found in config.detectors(config.parse(text), mode)}

    def test_own_before_default(self) -> None:
        """A detector's own mode counts before the default."""
        text = "[mode]\ndefault = 'alert'\n[detectors.long_tail]\nmode = 'enforce'\n"
        assert self.modes(text) == dict.fromkeys(classes(), "alert") | {"long_tail": "enforce"}

    @pytest.mark.parametrize("ceiling", list(Mode))
    @pytest.mark.parametrize("asked", [None, *Mode])
    def test_ceiling(self, ceiling: Mode, asked: Mode | None) -> None:
        """No way of asking gets above the ceiling, and none is lowered that lies below it."""
        found = self.modes(f"[mode]\nceiling = '{ceiling}'\ndefault = 'enforce'\n", asked)
        wanted = asked or Mode.ENFORCE
        assert set(found.values()) == {min(wanted, ceiling, key=lambda mode: mode.rank).value}

    def test_settings_type(self) -> None:
        """Settings are compared by value."""
        assert config.parse("") == config.parse("")
        assert isinstance(config.parse(""), Settings)
