"""How a broker is reached: what is read from where, what is refused, and that no secret gets out."""

import logging
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from schemas.errors import ConfigError
from streams.cli.main import run
from streams.config import parse
from streams.live.connection import for_aiokafka, for_kafka_python, local, login, tls, warn_if_open
from streams.settings import KafkaSettings, Protocol, SecuritySettings

PASSWORD: Final = "correct horse battery staple"
VARIABLE: Final = "WEIR_KAFKA__SECURITY__PASSWORD"


def kafka(bootstrap: str = "127.0.0.1:9092", **security: str) -> KafkaSettings:
    """A broker reached with ``security``."""
    return parse(
        "", changes={"kafka.bootstrap": bootstrap} | {f"kafka.security.{k}": v for k, v in security.items()}
    ).kafka


@pytest.fixture
def password(tmp_path: Path) -> str:
    """Name of a file with a password, and a line that is none of it."""
    (tmp_path / "password").write_text(f"{PASSWORD}\nrotated on Tuesday\n")
    return str(tmp_path / "password")


class TestPassword:
    """Where the password comes from."""

    def test_the_first_line_of_its_file(self, password: str) -> None:
        """Both libraries are given name and password, and the mechanism by the same name."""
        broker = kafka(protocol="sasl_plaintext", username="weir", password_file=password)
        expected = {
            "security_protocol": "SASL_PLAINTEXT",
            "ssl_context": None,
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": "weir",
            "sasl_plain_password": PASSWORD,
        }
        assert for_aiokafka(broker) == {"bootstrap_servers": ["127.0.0.1:9092"], **expected}
        assert for_kafka_python(broker) == {"bootstrap_servers": "127.0.0.1:9092", **expected}

    def test_the_environment_where_no_file_is_named(self, monkeypatch: pytest.MonkeyPatch, password: str) -> None:
        """A file that is named wins over the variable."""
        monkeypatch.setenv(VARIABLE, "from the environment")
        found = login(kafka(protocol="sasl_plaintext", username="weir"))
        assert found is not None
        assert found.password == "from the environment"
        found = login(kafka(protocol="sasl_plaintext", username="weir", password_file=password))
        assert found is not None
        assert found.password == PASSWORD

    def test_a_changed_file_serves_the_next_connection(self, password: str) -> None:
        """Nothing is remembered."""
        broker = kafka(protocol="sasl_plaintext", username="weir", password_file=password)
        for_aiokafka(broker)
        Path(password).write_text("a new one")
        assert for_aiokafka(broker)["sasl_plain_password"] == "a new one"

    def test_none_is_refused_with_both_ways_to_give_one(self) -> None:
        """Key and variable are named."""
        with pytest.raises(ConfigError, match=rf"password_file: no password: name its file here or set {VARIABLE}"):
            login(kafka(protocol="sasl_plaintext", username="weir"))

    @pytest.mark.parametrize("content", [b"", b"\nsecond line\n", b"\xff\xfe"])
    def test_a_file_without_one(self, tmp_path: Path, content: bytes) -> None:
        """An empty first line and bytes that are no text are no password."""
        file = tmp_path / "password"
        file.write_bytes(content)
        with pytest.raises(ConfigError, match=f"password_file: {file}: its first line holds no password"):
            login(kafka(protocol="sasl_plaintext", username="weir", password_file=str(file)))

    def test_it_is_in_no_text(self, password: str) -> None:
        """What is printed by mistake holds the name only."""
        found = login(kafka(protocol="sasl_plaintext", username="weir", password_file=password))
        assert "weir" in repr(found)
        assert PASSWORD not in repr(found)


class TestConfiguration:
    """What a configuration may say of it."""

    @pytest.mark.parametrize("key", ["password", "key_password"])
    def test_a_password_in_it_is_refused(self, key: str) -> None:
        """With file, line, and where it belongs; the value is not repeated."""
        text = f'[kafka.security]\nprotocol = "ssl"\n{key} = "{PASSWORD}"\n'
        with pytest.raises(ConfigError) as caught:
            parse(text, "weir.toml")
        variable = f"WEIR_KAFKA__SECURITY__{key.upper()}"
        assert str(caught.value) == (
            f"weir.toml:3: kafka.security.{key}: a password stands in no configuration; "
            f"name its file in kafka.security.{key}_file, or set {variable}"
        )

    def test_on_the_command_line_too(self) -> None:
        """Other users of the machine see command lines."""
        with pytest.raises(ConfigError, match=r"--set: kafka\.security\.password: a password stands in"):
            parse("", changes={"kafka.security.password": PASSWORD})

    def test_the_variable_is_no_setting(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """`weir config show` shows where the password is, and never what it is."""
        monkeypatch.setenv(VARIABLE, PASSWORD)
        monkeypatch.setenv("WEIR_KAFKA__SECURITY__PROTOCOL", "sasl_ssl")
        monkeypatch.setenv("WEIR_KAFKA__SECURITY__USERNAME", "weir")
        for options in ([], ["--json"]):
            assert run(["config", "show", *options]) == 0
            shown = capsys.readouterr()
            assert "sasl_ssl" in shown.out
            assert PASSWORD not in shown.out + shown.err

    @pytest.mark.parametrize(
        ("protocol", "key", "told"),
        [
            ("plaintext", "username", "has no effect with protocol plaintext; sasl_ssl shows it"),
            ("ssl", "password_file", "has no effect with protocol ssl; sasl_ssl shows it"),
            ("plaintext", "ca_file", "has no effect with protocol plaintext; ssl and sasl_ssl use it"),
            ("ssl", "key_file", "a key needs its certificate_file"),
        ],
    )
    def test_what_would_have_no_effect_is_refused(self, protocol: str, key: str, told: str) -> None:
        """Who gives a name and is not asked for it would connect as nobody."""
        with pytest.raises(ConfigError, match=rf"kafka\.security\.{key}: {told}"):
            kafka(protocol=protocol, **{key: "x"})

    @pytest.mark.parametrize("protocol", ["sasl_plaintext", "sasl_ssl"])
    def test_sasl_needs_a_name(self, protocol: Protocol) -> None:
        """A protocol with a name and none given."""
        with pytest.raises(ConfigError, match=rf"kafka\.security\.username: protocol {protocol} needs a name"):
            kafka(protocol=protocol)


class TestNetwork:
    """What may be sent where."""

    @pytest.mark.parametrize(
        ("bootstrap", "stays"),
        [
            ("localhost:9092,127.0.0.1:9093,[::1]:9094", True),
            ("127.8.9.10:9092", True),
            ("127.0.0.1:9092,kafka-2:9092", False),
            ("192.0.2.1:9092", False),
            ("localhost.example.org:9092", False),
        ],
    )
    def test_what_stays_on_the_machine(self, bootstrap: str, stays: bool) -> None:
        """All addresses must."""
        assert local(bootstrap) is stays

    def test_plain_passwords_stay_on_the_machine(self, password: str) -> None:
        """PLAIN over an open network is refused; over loopback, over TLS, and as SCRAM it is taken."""
        account = {"username": "weir", "password_file": password}
        with pytest.raises(
            ConfigError, match=r"mechanism: PLAIN would send the password over the network to kafka:9092"
        ):
            login(kafka("kafka:9092", protocol="sasl_plaintext", mechanism="PLAIN", **account))
        assert login(kafka("localhost:9092", protocol="sasl_plaintext", mechanism="PLAIN", **account)) is not None
        assert login(kafka("kafka:9092", protocol="sasl_ssl", mechanism="PLAIN", **account)) is not None
        assert login(kafka("kafka:9092", protocol="sasl_plaintext", **account)) is not None

    @pytest.mark.parametrize(
        ("bootstrap", "protocol", "warned"),
        [
            ("kafka:9092", "plaintext", "nothing is encrypted, and the broker is not told who asks"),
            ("kafka:9092", "sasl_plaintext", r"nothing is encrypted \(kafka\.security\.protocol\)"),
            ("kafka:9092", "ssl", None),
            ("localhost:9092", "plaintext", None),
        ],
    )
    def test_an_open_way_is_said(
        self, caplog: pytest.LogCaptureFixture, bootstrap: str, protocol: Protocol, warned: str | None
    ) -> None:
        """One warning where request events cross a network in the clear, none elsewhere."""
        with caplog.at_level(logging.WARNING):
            warn_if_open(KafkaSettings(bootstrap=bootstrap, security=SecuritySettings(protocol=protocol)))
        assert len(caplog.messages) == (warned is not None)
        if warned is not None:
            assert re.match(f"kafka {bootstrap}: {warned}", caplog.messages[0])


def made(directory: Path, name: str, *lock: str) -> tuple[str, str]:
    """A certificate signed by itself, and its key."""
    certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-subj",
        f"/CN={name}",
    ]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *(lock or ("-nodes",)), *files], check=True, capture_output=True)
    return str(certificate), str(key)


class TestCertificates:
    """Files of TLS that are not what they should be, each told by key and name."""

    def test_without_tls_none_is_read(self) -> None:
        """Plaintext needs no context."""
        assert tls(kafka()) is None

    def test_a_locked_key(self, tmp_path: Path, password: str) -> None:
        """Its password opens it; a wrong one and none are told apart, and nobody is asked at a terminal."""
        certificate, key = made(tmp_path, "locked", "-passout", f"pass:{PASSWORD}")
        files = {"protocol": "ssl", "certificate_file": certificate, "key_file": key}
        assert tls(kafka(**files, key_password_file=password)) is not None
        (tmp_path / "wrong").write_text("another")
        with pytest.raises(ConfigError, match=f"key_file: {key}: no PEM with a key, or its password is wrong"):
            tls(kafka(**files, key_password_file=str(tmp_path / "wrong")))
        with pytest.raises(
            ConfigError, match=f"key_file: {key}: the key is encrypted: .*WEIR_KAFKA__SECURITY__KEY_PASSW"
        ):
            tls(kafka(**files))

    def test_the_key_of_another(self, tmp_path: Path) -> None:
        """It does not fit."""
        (certificate, _), (_, key) = made(tmp_path, "one"), made(tmp_path, "two")
        with pytest.raises(ConfigError, match=f"key_file: {key}: the key is not that of the certificate"):
            tls(kafka(protocol="ssl", certificate_file=certificate, key_file=key))

    @pytest.mark.parametrize("name", ["ca_file", "certificate_file", "key_file", "key_password_file"])
    def test_a_missing_file(self, tmp_path: Path, name: str) -> None:
        """Each is named by its key."""
        certificate, key = made(tmp_path, "one")
        files = {"certificate_file": certificate, "key_file": key, name: str(tmp_path / "none")}
        with pytest.raises(ConfigError, match=rf"kafka\.security\.{name}: {tmp_path / 'none'}: No such file"):
            tls(kafka(protocol="ssl", **files))

    @pytest.mark.parametrize(
        ("name", "told"), [("ca_file", "no PEM with certificates"), ("certificate_file", "no PEM with a key, or no")]
    )
    def test_a_file_of_something_else(self, password: str, name: str, told: str) -> None:
        """Text is no certificate."""
        with pytest.raises(ConfigError, match=f"{name}: {password}: .*{told}"):
            tls(kafka(protocol="ssl", **{name: password}))
