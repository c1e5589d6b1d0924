"""What the pages in docs/ show of the API is so: their Python is run, their JSON is held against the models."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from gateway.api.answers import calls, placing, problems
from gateway.calls.directory import Directory
from gateway.store.connection import Pool
from tests.acceptance.api.whole import furnished

DOCS = Path(__file__).parents[3] / "docs"


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


async def test_the_walk_of_the_page_about_lists_gives_every_row(
    client: httpx.AsyncClient, pool: Pool, acme: Directory
) -> None:
    await furnished(pool, acme)
    every = (await client.get("/v1/user-calls")).json()["data"]
    (walk,) = blocks("paging.md", "python")
    walk, replaced = re.subn(r'"https://[^/]+(/[^"]+)limit=1000"', rf'"{client.base_url}\1limit=1"', walk)
    assert replaced == 1
    loop = asyncio.get_running_loop()

    class Blocking:
        """As the page's client: it waits for each answer."""

        def get(self, url: str) -> httpx.Response:
            return asyncio.run_coroutine_threadsafe(client.get(url), loop).result()

    kept: list[list[dict[str, Any]]] = []
    await asyncio.to_thread(exec, walk, {"client": Blocking(), "keep": kept.append})
    assert [len(page) for page in kept] == [1, 1, 1]
    assert [row for page in kept for row in page] == every


@pytest.mark.parametrize(
    ("page", "model"), [("errors.md", problems.ProblemAnswer), ("placing-calls.md", placing.CallCheck)]
)
def test_answers_that_are_shown_are_answers(page: str, model: type[BaseModel]) -> None:
    shown = blocks(page, "json")
    assert shown
    for one in shown:
        model.model_validate_json(one, strict=True)


def test_the_page_of_a_list_that_is_shown_has_the_members_of_one() -> None:
    (shown,) = blocks("paging.md", "json")
    required = {name for name, field in calls.CallPage.model_fields.items() if field.is_required()}
    assert json.loads(shown).keys() == required
