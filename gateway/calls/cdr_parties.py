"""Who is who in one call's CDRs: whose call it is, who called, from where to where."""

from collections.abc import Sequence
from functools import cached_property

from gateway.calls.case import ToE164
from gateway.calls.cdr_rows import CdrRow, endpoint_of, pair_of
from gateway.calls.directory import Directory, Endpoint, NodeDirectory
from gateway.calls.record import Direction, Party, UserRef

HIDDEN = ("", "s", "anonymous", "Anonymous", "unknown")


def account_of(rows: Sequence[CdrRow], known: NodeDirectory) -> str | None:
    first = rows[0]
    endpoint = known.endpoint(endpoint_of(first.channel))
    if endpoint and not (endpoint.trunk and endpoint.trunk.shared):
        return endpoint.account
    told = known.account_of_number(first.dst) or known.account_of_context(first.context)
    if told:
        return told
    if first.account_code in known.accounts:
        return first.account_code
    for row in rows:
        # The number that was called from outside may have been changed by the dialplan: whom it rang tells.
        rung = known.endpoint(endpoint_of(row.dst_channel))
        if rung and not (rung.trunk and rung.trunk.shared):
            return rung.account
    trunk = endpoint_of(first.channel)
    sharing = [one for one in known.accounts.values() if trunk in {shared.endpoint for shared in one.trunks}]
    reached = [one for one in sharing if _has_extension(one, first)]
    return reached[0].account if len(reached) == 1 else None


def _has_extension(directory: Directory, row: CdrRow) -> bool:
    """Whether what the CDR says was reached is something of this account."""
    if row.app == "Queue":
        return row.app_data.partition(",")[0] in {queue.name for queue in directory.queues}
    groups = (*directory.queues, *directory.ring_groups)
    return row.dst in {*(user.number for user in directory.users), *(group.number for group in groups)}


class Parties:
    """Those of one call, whose CDRs are `in_order`, as the account that owns it knows them."""

    def __init__(self, rows: Sequence[CdrRow], known: NodeDirectory, directory: Directory, to_e164: ToE164) -> None:
        self._rows = rows
        self._first = rows[0]
        self._known = known
        self._directory = directory
        self._to_e164 = to_e164

    def _own(self, channel: str) -> Endpoint | None:
        """The channel's endpoint, if it is this account's."""
        endpoint = self._known.endpoint(endpoint_of(channel))
        shared = bool(endpoint and endpoint.trunk and endpoint.trunk.shared)
        return endpoint if endpoint and (shared or endpoint.account == self._directory.account) else None

    def user_at(self, channel: str) -> UserRef | None:
        endpoint = self._own(channel)
        return endpoint.user.ref if endpoint and endpoint.user else None

    def extension(self, number: str) -> UserRef | None:
        user = self._known.user(self._directory.account, number)
        return user.ref if user else None

    def public(self, number: str) -> str | None:
        return None if number in HIDDEN else self._to_e164(number, self._directory.country) or number

    @cached_property
    def caller(self) -> Party:
        user = self.user_at(self._first.channel)
        if user is None and pair_of(self._first.channel):
            # Placed for a user, whose phone was rung first: by the other half.
            other = f"{pair_of(self._first.channel)};2"
            phones = [row for row in self._rows if row.channel == other and row.answered]
            user = next((found for row in phones if (found := self.user_at(row.dst_channel))), None)
        if user:
            return Party(user.number, user.name, user)
        return Party(self.public(self._first.src), self._first.caller_name or None, None)

    @cached_property
    def direction(self) -> Direction:
        endpoint = self._own(self._first.channel)
        local = pair_of(self._first.channel)
        if not local and (endpoint is None or endpoint.role == "trunk"):
            return "inbound"
        dst = self._first.dst
        queues = (queue.number for queue in self._directory.queues)
        if self.extension(dst) or self._known.ring_group(self._directory.account, dst) or dst in queues:
            return "internal"
        rung = [self._own(row.dst_channel) for row in self._rows]
        outside = any(one and one.role == "trunk" for one in rung) or self._to_e164(dst, self._directory.country)
        return "outbound" if outside else "internal"
