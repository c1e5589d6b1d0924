"""The documentation is whole: every setting is in it, and nothing that is none."""

import re
from pathlib import Path

from gateway.settings import PREFIX, Settings

PAGE = Path(__file__).resolve().parents[2] / "docs/settings.md"


def test_every_setting_is_documented() -> None:
    told = set(re.findall(r"GATEWAY_[A-Z_]*[A-Z]", PAGE.read_text())) - {"GATEWAY_CONFIG"}
    assert told == {PREFIX + name.upper() for name in Settings.model_fields}
