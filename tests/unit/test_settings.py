"""Settings: from where, which wins, and what a wrong one says."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.settings import SettingsError, load, refuse_files_that_cannot_be


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `gateway.toml` is looked for; there is none yet."""
    monkeypatch.chdir(tmp_path)
    for name in ("GATEWAY_LISTEN", "GATEWAY_AMI_URL", "GATEWAY_DATA_DIR", "GATEWAY_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "gateway.toml"


def with_environment(monkeypatch: pytest.MonkeyPatch, **values: str) -> dict[str, str]:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return values


def test_the_defaults(file: Path) -> None:
    settings = load({})
    assert settings.listen_address == ("127.0.0.1", 8080)
    assert settings.database_url is None
    assert settings.ami_url is None
    assert settings.node is None
    assert settings.key_file == Path("gateway-data/secret.key")
    assert settings.trusted_proxies == ()


def test_the_file_is_read_and_the_environment_wins(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(
        'GATEWAY_LISTEN = "127.0.0.1:9000"\nGATEWAY_NODE = "pbx2"\nGATEWAY_TRUSTED_PROXIES = ["10.0.0.0/8"]\n'
        'GATEWAY_FORWARDED_HEADER = "Forwarded"\n'
    )
    settings = load(with_environment(monkeypatch, GATEWAY_LISTEN="[::1]:9001"))
    assert settings.listen_address == ("::1", 9001)
    assert settings.node == "pbx2"
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"),)


def test_lists_are_words_between_commas(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(
        with_environment(
            monkeypatch,
            GATEWAY_TRUSTED_PROXIES="10.0.0.0/8, 2001:db8::/32",
            GATEWAY_FORWARDED_HEADER="X-Forwarded-For",
            GATEWAY_CORS_ORIGINS="https://a.example,https://b.example",
        )
    )
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
    assert settings.cors_origins == ("https://a.example", "https://b.example")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEWAY_LISTEN", "8080"),
        ("GATEWAY_LISTEN", "127.0.0.1:99999"),
        ("GATEWAY_LISTEN", "127.0.0.1:80?x"),
        ("GATEWAY_LISTEN", "127.0.0.1:80#x"),
        ("GATEWAY_LISTEN", "127.0.0.1:80\n"),
        ("GATEWAY_LISTEN", "user:hush@127.0.0.1:80"),
        ("GATEWAY_METRICS_LISTEN", "127.0.0.1:80?x"),
        ("GATEWAY_NODE", "my pbx"),
        ("GATEWAY_NODE", "pbx1\n"),
        ("GATEWAY_NODE", "-pbx1"),
        ("GATEWAY_FORWARDED_HEADER", "X Foo: bar"),
        ("GATEWAY_AMI_URL", "http://gateway:hush@pbx"),
        ("GATEWAY_AMI_URL", "ami://pbx:5038"),
        ("GATEWAY_AMI_URL", "ami://gateway:hush\uff0f@pbx"),
        ("GATEWAY_AMI_URL", "ami://gateway:hush@[pbx"),
        ("GATEWAY_DATABASE_URL", "postgresql://gateway:hush\u2100@db/x"),
        ("GATEWAY_DATABASE_URL", "mysql://gateway:hush@db/x"),
        ("GATEWAY_TRUSTED_PROXIES", "the proxy"),
        ("GATEWAY_TRUSTED_PROXIES", "10.0.0.0/8"),
        ("GATEWAY_FORWARDED_HEADER", "Forwarded"),
        ("GATEWAY_CORS_ORIGINS", "*"),
        ("GATEWAY_CORS_ORIGINS", "https://*.example"),
        ("GATEWAY_CORS_ORIGINS", "https://crm.example/"),
        ("GATEWAY_CORS_ORIGINS", "crm.example"),
        ("GATEWAY_CORS_ORIGINS", "null"),
        ("GATEWAY_QUEUE_LOG", "/var/log/asterisk/queue_log"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_it_and_tells_no_secret(
    file: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(with_environment(monkeypatch, **{name: value}))
    assert str(caught.value).startswith(f"{name}: ")
    assert "\n" not in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_name_that_is_no_setting(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"^GATEWAY_LISTNE: there is no such setting$"):
        load({"GATEWAY_LISTNE": "x"})
    file.write_text('listen = "127.0.0.1:9000"\n')
    with pytest.raises(SettingsError, match=r"^listen in gateway.toml: there is no such setting$"):
        load({})


def test_a_file_that_is_named_must_be_there_and_must_be_toml(file: Path) -> None:
    with pytest.raises(SettingsError, match="there is no such file"):
        load({"GATEWAY_CONFIG": "elsewhere.toml"})
    file.write_text("listen: 8080")
    with pytest.raises(SettingsError, match=r"^gateway.toml: "):
        load({})


def test_secrets_are_not_in_the_settings_text(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(
        with_environment(
            monkeypatch, GATEWAY_AMI_URL="ami://gateway:hush@pbx:5038", GATEWAY_DATABASE_URL="postgresql://g:hush@db/g"
        )
    )
    assert settings.ami_url is not None
    assert "hush" not in repr(settings)


@pytest.mark.parametrize("name", ["GATEWAY_CEL_JOURNAL", "GATEWAY_QUEUE_LOG"])
@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("nowhere/Master.csv", ": there is no directory nowhere"),
        ("here", ": here is a directory: name the file in it"),
        ("file/Master.csv", ": there is no directory file"),
        ("x" * 300, ": File name too long"),
    ],
)
def test_a_file_that_can_never_be_there_is_one_line_that_names_it(file: Path, name: str, value: str, told: str) -> None:
    (file.parent / "here").mkdir()
    (file.parent / "file").touch()
    settings = load({"GATEWAY_CEL_JOURNAL": "Master.csv"} | {name: value})
    with pytest.raises(SettingsError) as caught:
        refuse_files_that_cannot_be(settings)
    assert str(caught.value) == name + told


def test_a_file_may_come_later(file: Path) -> None:
    refuse_files_that_cannot_be(load({"GATEWAY_CEL_JOURNAL": "Master.csv", "GATEWAY_QUEUE_LOG": "queue_log"}))
    refuse_files_that_cannot_be(load({}))
