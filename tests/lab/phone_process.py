"""A softphone: PJSIP's own Python binding in a process of its own, driven by JSON lines.

Reads commands on standard input, writes what it saw on standard output, one JSON object a line:
`{"at": <epoch seconds>, "what": "invite", …}`. It runs alone in its process because PJSIP is one
endpoint a process. No sound: the null audio device, but real RTP.

    python -m tests.lab.phone_process '{"name": "101-desk", "address": "127.9.9.3", "registrar": "127.9.9.1",
                                        "user": "101-desk", "secret": "…"}'

Commands: {"do": "behave", "answer_after": 1.0 | null, "code": 200}, {"do": "call", "to": "103"},
{"do": "hang_up"}, {"do": "quit"}.
"""

import json
import os
import select
import sys
import time
from typing import Any

import pjsua2 as pj


def tell(what: str, **more: Any) -> None:
    sys.stdout.write(json.dumps({"at": time.time(), "what": what, **more}) + "\n")
    sys.stdout.flush()


class Call(pj.Call):  # type: ignore[misc]
    def __init__(self, phone: "Phone", call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(phone.account, call_id)
        self.phone = phone
        self.incoming = call_id != pj.PJSUA_INVALID_ID
        self.answer_at: float | None = None

    def onCallState(self, prm: pj.OnCallStateParam) -> None:
        info = self.getInfo()
        names = {
            pj.PJSIP_INV_STATE_EARLY: "ringing",
            pj.PJSIP_INV_STATE_CONFIRMED: "talking",
            pj.PJSIP_INV_STATE_DISCONNECTED: "over",
        }
        name = names.get(info.state)
        if name:
            tell(name, call=info.callIdString, incoming=self.incoming, code=int(info.lastStatusCode))
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.phone.over.append(self)

    def onCallTsxState(self, prm: pj.OnCallTsxStateParam) -> None:
        event = prm.e.body.tsxState
        if event.type == pj.PJSIP_EVENT_RX_MSG:
            message = event.src.rdata.wholeMsg
            method = message.split(" ", 1)[0]
            if method in ("CANCEL", "BYE"):
                tell(method.lower(), call=self.getInfo().callIdString, message=message)


class Account(pj.Account):  # type: ignore[misc]
    def __init__(self, phone: "Phone") -> None:
        super().__init__()
        self.phone = phone

    def onRegState(self, prm: pj.OnRegStateParam) -> None:
        tell("registered" if prm.code == 200 and prm.expiration > 0 else "registration", code=int(prm.code))

    def onIncomingCall(self, prm: pj.OnIncomingCallParam) -> None:
        call = Call(self.phone, prm.callId)
        tell("invite", call=call.getInfo().callIdString, message=prm.rdata.wholeMsg)
        self.phone.receive(call)


class Phone:
    def __init__(self, setup: dict[str, Any]) -> None:
        self.setup = setup
        self.behaviour: dict[str, Any] = {"answer_after": None, "code": 200}
        self.calls: list[Call] = []
        self.over: list[Call] = []
        self.endpoint = pj.Endpoint()
        self.endpoint.libCreate()
        config = pj.EpConfig()
        config.logConfig.level = 0
        config.logConfig.consoleLevel = 0
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.medConfig.threadCnt = 1
        config.medConfig.noVad = True
        self.endpoint.libInit(config)
        transport = pj.TransportConfig()
        transport.port = 5060
        transport.boundAddress = setup["address"]
        self.endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
        self.endpoint.libStart()
        self.endpoint.audDevManager().setNullDev()
        self.account = Account(self)
        self.account.create(self._account())

    def _account(self) -> pj.AccountConfig:
        config = pj.AccountConfig()
        setup = self.setup
        config.idUri = setup.get("id") or f"sip:{setup['user']}@{setup['registrar']}"
        config.mediaConfig.transportConfig.boundAddress = setup["address"]
        config.mediaConfig.transportConfig.port = 4000
        config.callConfig.timerUse = pj.PJSUA_SIP_TIMER_INACTIVE
        if setup.get("secret"):
            config.regConfig.registrarUri = f"sip:{setup['registrar']}"
            config.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", setup["user"], 0, setup["secret"]))
        return config

    def receive(self, call: Call) -> None:
        self.calls.append(call)
        code = int(self.behaviour["code"])
        parameters = pj.CallOpParam()
        after = self.behaviour["answer_after"]
        if code >= 300 and after is None:
            parameters.statusCode = code
            call.answer(parameters)
            return
        parameters.statusCode = int(self.behaviour.get("ring_code", 180))
        call.answer(parameters)
        if after is not None:
            call.answer_at = time.monotonic() + float(after)

    def obey(self, command: dict[str, Any]) -> bool:
        match command["do"]:
            case "behave":
                self.behaviour = {"answer_after": None, "code": 200} | command
                tell("behaving")
            case "call":
                call = Call(self)
                self.calls.append(call)
                to = command["to"]
                parameters = pj.CallOpParam(True)
                if "from" in command:
                    config = self._account()
                    config.idUri = command["from"]
                    self.account.modify(config)
                call.makeCall(to if to.startswith("sip:") else f"sip:{to}@{self.setup['registrar']}", parameters)
                tell("calling", call=call.getInfo().callIdString)
            case "hang_up":
                for call in list(self.calls):
                    if call.isActive():
                        call.hangup(pj.CallOpParam(True))
                tell("hung_up")
            case "quit":
                return False
        return True

    def step(self) -> None:
        self.endpoint.libHandleEvents(20)
        now = time.monotonic()
        for call in self.calls:
            if call.answer_at is not None and now >= call.answer_at and call.isActive():
                call.answer_at = None
                parameters = pj.CallOpParam()
                parameters.statusCode = int(self.behaviour["code"])
                call.answer(parameters)
        for call in self.over:
            if call in self.calls:
                self.calls.remove(call)
        self.over.clear()

    def close(self) -> None:
        self.calls.clear()
        self.account.shutdown()
        # Says goodbye, and does not wait a second for answers.
        self.endpoint.libDestroy(pj.PJSUA_DESTROY_NO_RX_MSG)


def main() -> None:
    phone = Phone(json.loads(sys.argv[1]))
    tell("ready")
    pending = b""
    going = True
    while going:
        phone.step()
        while select.select([0], [], [], 0)[0]:
            chunk = os.read(0, 65536)
            if not chunk:
                going = False
                break
            pending += chunk
            *lines, pending = pending.split(b"\n")
            for line in lines:
                going = phone.obey(json.loads(line)) and going
    phone.close()


if __name__ == "__main__":
    main()
