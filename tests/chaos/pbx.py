"""The PBX of the chaos run: the demo's Asterisk with people of its own, who are known by their addresses.

Nobody registers, so that nobody has to do it again when Asterisk was killed. Each number that calls
from outside, or is called there, is one call's alone.
"""

from pathlib import Path

import yaml

from tests.lab.asterisk import AsteriskInstance

ACCOUNT = "acme"
PREFIX = "+61290000"
DIRECT = ("201", "202", "203", "204", "205", "206")
CLICKING = ("221", "222", "223", "224")
GROUPS = {"611": ("241", "242"), "612": ("243", "244"), "613": ("245", "246")}
QUEUES = {
    "721": ("251", "252"),
    "722": ("253", "254"),
    "723": ("255", "256"),
    "724": ("257", "258"),
    "725": ("259", "260"),
    "726": ("261", "262"),
}
TARGETS = ("271", "272", "273")
RING_SECONDS = 4
MAIN_NUMBER = f"{PREFIX}001"

DEVICES = {
    **{user: (user,) for user in (*DIRECT, *TARGETS)},
    **{user: (f"{user}-desk", f"{user}-mobile") for user in CLICKING},
    **{member: (member,) for members in (*GROUPS.values(), *QUEUES.values()) for member in members},
}

_PJSIP = """
[transport]
type = transport
protocol = udp
bind = {sip}:5060

[global]
type = global
endpoint_identifier_order = ip

[trunk]
type = endpoint
context = from-trunk
disallow = all
allow = ulaw
aors = trunk
direct_media = no
media_address = {sip}
bind_rtp_to_media_address = yes
[trunk]
type = aor
contact = sip:{trunk}:5060
[trunk]
type = identify
endpoint = trunk
match = {trunk}
"""

_PHONE = """
[{name}]
type = endpoint
context = from-internal
disallow = all
allow = ulaw
aors = {name}
direct_media = no
media_address = {sip}
bind_rtp_to_media_address = yes
callerid = "User {user}" <{user}>
set_var = OWN_NUMBER={main}
[{name}]
type = aor
contact = sip:{name}@{address}:5060
[{name}]
type = identify
endpoint = {name}
match = {address}
"""

_EXTENSIONS = """
[general]
static = yes
writeprotect = yes

#include "extensions-gateway.conf"

[from-internal]
exten => _2XX,1,Dial(PJSIP/${{EXTEN}},{ring},tT)
 same => n,Hangup(${{HANGUPCAUSE}})
{groups}
{queues}
exten => _+X.,1,GotoIf($["${{GW_ID}}" != ""]?placed)
 same => n,Set(CALLERID(all)="" <${{OWN_NUMBER}}>)
 same => n,Set(CALLERID(ANI)=${{OWN_NUMBER}})
 same => n,Dial(PJSIP/${{EXTEN}}@trunk,{ring},tT)
 same => n,Hangup(${{HANGUPCAUSE}})
 same => n(placed),Dial(PJSIP/${{EXTEN}}@trunk,${{GW_ANSWER_TIMEOUT}},I)
 same => n,Hangup(${{HANGUPCAUSE}})

[from-trunk]
exten => _{prefix}[2-7]XX,1,Goto(from-internal,${{EXTEN:-3}},1)
"""

_GROUP = """exten => {number},1,Dial({members},{ring},tT)
 same => n,Hangup(${{HANGUPCAUSE}})"""

_QUEUE = """exten => {number},1,Answer()
 same => n,Queue(queue-{number},tT,,,{ring})
 same => n,CELGenUserEvent(QUEUESTATUS,${{QUEUESTATUS}})
 same => n,Hangup()"""

_QUEUE_MEMBERS = """
[queue-{number}]
strategy = ringall
timeout = {ring}
retry = 1
ringinuse = yes
joinempty = yes
{members}
"""


class ChaosPbx(AsteriskInstance):
    """`address_of`: of each device. Killed and started as often as one likes."""

    def __init__(self) -> None:
        super().__init__(ring_seconds=RING_SECONDS)
        names = [device for devices in DEVICES.values() for device in devices]
        self.address_of = dict(zip(names, self.phone_addresses, strict=False))

    def _configure(self) -> None:
        super()._configure()
        etc = self.directory / "etc"
        parts = [_PJSIP.format(sip=self.sip_address, trunk=self.trunk_address)]
        parts += [
            _PHONE.format(
                name=device, user=user, sip=self.sip_address, address=self.address_of[device], main=MAIN_NUMBER
            )
            for user, devices in DEVICES.items()
            for device in devices
        ]
        (etc / "pjsip.conf").write_text("".join(parts))
        (etc / "extensions.conf").write_text(_extensions())
        (etc / "queues.conf").write_text(_queues())
        (etc / "rtp.conf").write_text("[general]\nrtpstart = 20000\nrtpend = 29999\n")


def _extensions() -> str:
    groups = "\n".join(
        _GROUP.format(number=number, ring=RING_SECONDS, members="&".join(f"PJSIP/{one}" for one in members))
        for number, members in GROUPS.items()
    )
    queues = "\n".join(_QUEUE.format(number=number, ring=RING_SECONDS) for number in QUEUES)
    return _EXTENSIONS.format(ring=RING_SECONDS, prefix=PREFIX, groups=groups, queues=queues)


def _queues() -> str:
    return "[general]\npersistentmembers = no\nautofill = yes\n" + "".join(
        _QUEUE_MEMBERS.format(
            number=number,
            ring=RING_SECONDS,
            members="\n".join(f"member => PJSIP/{one},0,{one},PJSIP/{one}" for one in members),
        )
        for number, members in QUEUES.items()
    )


def did(extension: str) -> str:
    return f"{PREFIX}{extension}"


def write_directory(path: Path) -> None:
    """The account's directory, as an operator would apply it."""
    extensions = [*DEVICES, *GROUPS, *QUEUES]
    path.write_text(
        yaml.safe_dump(
            {
                "account": ACCOUNT,
                "name": "Acme Pty Ltd",
                "time_zone": "Australia/Sydney",
                "country": "AU",
                "nodes": ["pbx1"],
                "numbers": [MAIN_NUMBER, *(did(extension) for extension in extensions)],
                "contexts": ["from-trunk"],
                "trunks": [{"name": "carrier", "endpoint": "PJSIP/trunk"}],
                "users": [
                    {
                        "number": user,
                        "name": f"User {user}",
                        "caller_id": MAIN_NUMBER,
                        "devices": [f"PJSIP/{device}" for device in devices],
                    }
                    for user, devices in DEVICES.items()
                ],
                "queues": [{"number": number, "name": f"queue-{number}"} for number in QUEUES],
                "ring_groups": [{"number": number, "name": f"group-{number}"} for number in GROUPS],
                "inbound_routes": {did(extension): extension for extension in extensions},
                "outbound": {
                    "context": "from-internal",
                    "allow": ["+"],
                    "deny": ["+61190"],
                    "calls_per_minute": 100_000,
                    "simultaneous_calls": 10_000,
                },
                "limits": {"requests_per_minute": 1_000_000, "requests_per_minute_per_key": 1_000_000},
            },
            sort_keys=False,
        )
    )
