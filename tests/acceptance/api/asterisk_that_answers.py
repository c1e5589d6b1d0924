"""What placing a call needs of an Asterisk, played: it counts what it was told to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway.asterisk.ami import AmiReply
from gateway.asterisk.errors import AmiError


@dataclass
class AsteriskThatAnswers:
    """`contacts`: how many contacts each endpoint name has; `originate_fails`: raised by each Originate.

    `lists`: what actions that give lists give, by their names. `clock`: epoch seconds that it tells, if any.
    `channels` live from the request after the first `channels_after` on.
    """

    connected: bool = True
    contacts: dict[str, int] = field(default_factory=lambda: {"101-desk": 1, "101-mobile": 2, "102": 1})
    originate_fails: AmiError | None = None
    channels: list[Mapping[str, str]] = field(default_factory=list)
    channels_after: int = 0
    lists: dict[str, list[Mapping[str, str]]] = field(default_factory=dict)
    clock: float | None = None
    asked: int = 0
    actions: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)

    async def action(
        self,
        name: str,
        headers: Mapping[str, str] | None = None,
        variables: Sequence[tuple[str, str]] = (),
        timeout: float = 5.0,
    ) -> AmiReply:
        sent = dict(headers or {})
        self.actions.append((name, sent, dict(variables)))
        if name == "Getvar":
            endpoint = sent["Variable"].partition("(")[2].rstrip(")")
            uris = [f"PJSIP/{endpoint}/sip:{endpoint}@127.0.0.{n}" for n in range(self.contacts.get(endpoint, 0))]
            return AmiReply({"Value": "&".join(uris)})
        if name == "Ping" and self.clock is not None:
            return AmiReply({"Ping": "Pong", "Timestamp": f"{self.clock:.6f}"})
        if name == "Originate" and self.originate_fails is not None:
            raise self.originate_fails
        return AmiReply({"Response": "Success"})

    async def list_action(
        self, name: str, headers: Mapping[str, str] | None, complete_event: str, timeout: float = 5.0
    ) -> list[Mapping[str, str]]:
        if name != "CoreShowChannels":
            self.actions.append((name, dict(headers or {}), {}))
            return self.lists.get(name, [])
        self.asked += 1
        return self.channels if self.asked > self.channels_after else []

    def told(self, name: str) -> list[tuple[dict[str, str], dict[str, str]]]:
        """Headers and variables of every action of this name."""
        return [(headers, variables) for action, headers, variables in self.actions if action == name]
