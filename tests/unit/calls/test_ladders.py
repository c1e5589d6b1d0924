"""The pictures in docs/call-records.md are those of the recordings as they are."""

from tests.lab.ladder import PAGE, PICTURE, drawn


def test_the_pictures_are_drawn_from_the_recordings() -> None:
    text = PAGE.read_text()
    assert PICTURE.search(text)
    assert drawn(text) == text
