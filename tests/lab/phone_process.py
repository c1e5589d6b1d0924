"""A softphone: PJSIP's own Python binding in a process of its own, driven by JSON lines.

Reads commands on standard input, writes what it saw on standard output, one JSON object a line:
`{"at": <epoch seconds>, "what": "invite", …}`. It runs alone in its process because PJSIP is one
endpoint a process. No sound card; RTP flows only from a phone that is told to (`media`): a steady tone.

    python -m tests.lab.phone_process '{"name": "101-desk", "address": "127.9.9.3", "registrar": "127.9.9.1",
                                        "user": "101-desk", "secret": "…"}'

Commands, `call` being a Call-ID, or an empty text for the phone's latest call:
{"do": "behave", "answer_after": 1.0 | null, "code": 200, "redirect_to": "sip:…", "media": false},
{"do": "call", "to": "103", "from": "sip:…", "headers": {…}}, {"do": "hang_up"} (one call, or all),
{"do": "hold"}, {"do": "unhold"}, {"do": "dtmf", "digits": "*2"}, {"do": "answer"},
{"do": "refer", "to": "104"}, {"do": "refer_replaces", "call": …, "other": …}, {"do": "join"}, {"do": "statistics"},
{"do": "unregister"}, {"do": "quit"}.
"""

import contextlib
import json
import os
import select
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pjsua2 as pj

AS_BEFORE: dict[str, Any] = {"answer_after": None, "code": 200, "ring_code": 180, "redirect_to": "", "media": False}
STATES = {
    pj.PJSIP_INV_STATE_EARLY: "ringing",
    pj.PJSIP_INV_STATE_CONFIRMED: "talking",
    pj.PJSIP_INV_STATE_DISCONNECTED: "over",
}


def tell(what: str, **more: Any) -> None:
    sys.stdout.write(json.dumps({"at": time.time(), "what": what, **more}) + "\n")
    sys.stdout.flush()


def with_headers(parameters: pj.CallOpParam, headers: Mapping[str, str]) -> pj.CallOpParam:
    for name, value in headers.items():
        header = pj.SipHeader()
        header.hName, header.hValue = name, value
        parameters.txOption.headers.append(header)
    return parameters


def silence(address: str) -> None:
    """No packet leaves from this address any more: PJSIP itself has no way of sending none at all."""
    for entry in Path("/proc/self/fd").iterdir():
        if not entry.is_socket():
            continue
        with socket.socket(fileno=os.dup(int(entry.name))) as one, contextlib.suppress(OSError):
            if one.type == socket.SOCK_DGRAM and "{}:{}".format(*one.getsockname()) == address:
                one.shutdown(socket.SHUT_WR)  # holds for a socket that is not connected, though an error is told


class Call(pj.Call):  # type: ignore[misc]
    def __init__(self, phone: "Phone", account: "Account", call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(account, call_id)
        self.phone = phone
        self.incoming = call_id != pj.PJSUA_INVALID_ID
        self.answer_at: float | None = None
        self.confirmed = False
        self.held = False
        self.mute = not phone.behaviour["media"]
        self.sip_id = self.getInfo().callIdString if self.incoming else ""

    def onCallState(self, prm: pj.OnCallStateParam) -> None:
        info = self.getInfo()
        self.sip_id = info.callIdString
        self.confirmed = self.confirmed or info.state == pj.PJSIP_INV_STATE_CONFIRMED
        if name := STATES.get(info.state):
            tell(name, call=self.sip_id, incoming=self.incoming, code=int(info.lastStatusCode))
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.phone.over.append(self)

    def onCallMediaState(self, prm: pj.OnCallMediaStateParam) -> None:
        info = self.getInfo()  # held on to: its list of media dies with it
        status = [media.status for media in info.media if media.type == pj.PJMEDIA_TYPE_AUDIO]
        held = pj.PJSUA_CALL_MEDIA_LOCAL_HOLD in status
        if held != self.held:
            self.held = held
            tell("held" if held else "unheld", call=self.sip_id)
        if pj.PJSUA_CALL_MEDIA_ACTIVE in status and not self.mute:
            # Silence would do for packets to flow, but PJSIP falls silent altogether after some of it.
            self.phone.tone().startTransmit(self.getAudioMedia(-1))

    def onStreamCreated(self, prm: pj.OnStreamCreatedParam) -> None:
        if self.mute:
            silence(self.getMedTransportInfo(0).localRtpName)

    def onCallTsxState(self, prm: pj.OnCallTsxStateParam) -> None:
        event = prm.e.body.tsxState
        if event.type != pj.PJSIP_EVENT_RX_MSG:
            return
        message = event.src.rdata.wholeMsg
        method = message.split(" ", 1)[0]
        if method in ("CANCEL", "BYE"):
            tell(method.lower(), call=self.sip_id, message=message)
        elif method == "UPDATE" or (method == "INVITE" and self.confirmed):
            tell("update", call=self.sip_id, message=message)
        elif event.tsx.method == "REFER" and event.tsx.role == pj.PJSIP_ROLE_UAC and event.tsx.statusCode >= 200:
            accepted = event.tsx.statusCode < 300
            tell("refer_accepted" if accepted else "refer_refused", call=self.sip_id, code=int(event.tsx.statusCode))

    def onCallTransferStatus(self, prm: pj.OnCallTransferStatusParam) -> None:
        """As phones do: once the transfer is reported done, they leave."""
        tell("notify", call=self.sip_id, code=int(prm.statusCode), message=prm.reason)
        if prm.finalNotify and prm.statusCode < 300 and self.isActive():
            self.hangup(pj.CallOpParam(True))

    def onDtmfDigit(self, prm: pj.OnDtmfDigitParam) -> None:
        tell("digit", call=self.sip_id, message=prm.digit)


class Account(pj.Account):  # type: ignore[misc]
    def __init__(self, phone: "Phone") -> None:
        super().__init__()
        self.phone = phone

    def onRegState(self, prm: pj.OnRegStateParam) -> None:
        name = ("registered" if prm.expiration > 0 else "unregistered") if prm.code == 200 else "registration"
        tell(name, code=int(prm.code))

    def onIncomingCall(self, prm: pj.OnIncomingCallParam) -> None:
        call = Call(self.phone, self, prm.callId)
        tell("invite", call=call.sip_id, message=prm.rdata.wholeMsg)
        self.phone.receive(call)


class Phone:
    def __init__(self, setup: dict[str, Any]) -> None:
        self.setup = setup
        self.behaviour = AS_BEFORE
        self.calls: list[Call] = []
        self.over: list[Call] = []
        self._tone: pj.ToneGenerator | None = None
        self.endpoint = pj.Endpoint()
        self.endpoint.libCreate()
        config = pj.EpConfig()
        config.logConfig.level = 0
        config.logConfig.consoleLevel = 0
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.uaConfig.maxCalls = 16
        config.medConfig.threadCnt = 1
        config.medConfig.noVad = True
        self.endpoint.libInit(config)
        transport = pj.TransportConfig()
        transport.port = 5060
        transport.boundAddress = setup["address"]
        self.endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
        self.endpoint.libStart()
        self.endpoint.audDevManager().setNullDev()
        own = setup.get("id") or f"sip:{setup['user']}@{setup['registrar']}"
        self.account = Account(self)
        self.account.create(self._account(own, register=bool(setup.get("secret"))))
        self.others: dict[str, Account] = {}

    def _account(self, identity: str, *, register: bool) -> pj.AccountConfig:
        config = pj.AccountConfig()
        setup = self.setup
        config.idUri = identity
        config.mediaConfig.transportConfig.boundAddress = setup["address"]
        config.mediaConfig.transportConfig.port = 4000
        config.callConfig.timerUse = pj.PJSUA_SIP_TIMER_INACTIVE
        if register:
            config.regConfig.registrarUri = f"sip:{setup['registrar']}"
        if setup.get("secret"):
            config.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", setup["user"], 0, setup["secret"]))
        return config

    def _account_of(self, identity: str) -> Account:
        """One that says it is `identity`, for the calls that say so."""
        if identity not in self.others:
            self.others[identity] = Account(self)
            self.others[identity].create(self._account(identity, register=False))
        return self.others[identity]

    def _uri(self, to: str) -> str:
        return to if to.startswith("sip:") else f"sip:{to}@{self.setup['registrar']}"

    def receive(self, call: Call) -> None:
        self.calls.append(call)
        code = int(self.behaviour["code"])
        parameters = pj.CallOpParam()
        after = self.behaviour["answer_after"]
        if code >= 300 and after is None:
            parameters.statusCode = code
            if self.behaviour["redirect_to"]:
                with_headers(parameters, {"Contact": f"<{self._uri(self.behaviour['redirect_to'])}>"})
            call.answer(parameters)
            return
        parameters.statusCode = int(self.behaviour["ring_code"])
        call.answer(parameters)
        if after is not None:
            call.answer_at = time.monotonic() + float(after)

    def tone(self) -> pj.ToneGenerator:
        if self._tone is None:
            self._tone = pj.ToneGenerator()
            self._tone.createToneGenerator()
            tone, tones = pj.ToneDesc(), pj.ToneDescVector()
            tone.freq1, tone.on_msec, tone.off_msec, tone.volume = 440, 1000, 0, 8000
            tones.append(tone)
            self._tone.play(tones, True)
        return self._tone

    def obey(self, command: dict[str, Any]) -> bool:
        what = command["do"]
        if what == "quit":
            return False
        getattr(self, f"do_{what}")(command)
        return True

    def _call(self, command: dict[str, Any], key: str = "call") -> Call:
        wanted = command.get(key)
        for call in reversed(self.calls):
            if call.isActive() and wanted in (None, "", call.sip_id):
                return call
        raise LookupError(f"no such call: {wanted}")

    def do_behave(self, command: dict[str, Any]) -> None:
        self.behaviour = AS_BEFORE | command
        tell("behaving")

    def do_call(self, command: dict[str, Any]) -> None:
        call = Call(self, self._account_of(command["from"]) if "from" in command else self.account)
        self.calls.append(call)
        parameters = with_headers(pj.CallOpParam(True), command.get("headers", {}))
        call.makeCall(self._uri(command["to"]), parameters)
        call.sip_id = call.getInfo().callIdString
        tell("calling", call=call.sip_id)

    def do_unregister(self, command: dict[str, Any]) -> None:
        self.account.setRegistration(False)

    def do_answer(self, command: dict[str, Any]) -> None:
        call = self._call(command)
        call.answer_at = None
        parameters = pj.CallOpParam()
        parameters.statusCode = int(command.get("code", 200))
        call.answer(parameters)

    def do_hang_up(self, command: dict[str, Any]) -> None:
        for call in [self._call(command)] if command.get("call") else list(self.calls):
            if call.isActive():
                call.hangup(pj.CallOpParam(True))
        tell("hung_up", call=command.get("call", ""))

    def do_hold(self, command: dict[str, Any]) -> None:
        self._call(command).setHold(pj.CallOpParam(True))

    def do_unhold(self, command: dict[str, Any]) -> None:
        parameters = pj.CallOpParam(True)
        parameters.opt.flag = pj.PJSUA_CALL_UNHOLD
        self._call(command).reinvite(parameters)

    def do_dtmf(self, command: dict[str, Any]) -> None:
        call = self._call(command)
        if call.mute:
            parameters = pj.CallSendDtmfParam()
            parameters.method, parameters.digits = pj.PJSUA_DTMF_METHOD_SIP_INFO, command["digits"]
            call.sendDtmf(parameters)
        else:
            call.dialDtmf(command["digits"])
        tell("dialled", call=call.sip_id, message=command["digits"])

    def do_refer(self, command: dict[str, Any]) -> None:
        call = self._call(command)
        call.xfer(self._uri(command["to"]), pj.CallOpParam(True))
        tell("referring", call=call.sip_id, message=command["to"])

    def do_refer_replaces(self, command: dict[str, Any]) -> None:
        call = self._call(command)
        call.xferReplaces(self._call(command, "other"), pj.CallOpParam(True))
        tell("referring", call=call.sip_id, message=command["other"])

    def do_join(self, command: dict[str, Any]) -> None:
        one, other, *_ = [call.getAudioMedia(-1) for call in self.calls if call.isActive()]
        one.startTransmit(other)
        other.startTransmit(one)
        tell("joined")

    def do_statistics(self, command: dict[str, Any]) -> None:
        call = self._call(command)
        rtcp = call.getStreamStat(0).rtcp
        tell("statistics", call=call.sip_id, message=json.dumps({"sent": rtcp.txStat.pkt, "received": rtcp.rxStat.pkt}))

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
        self._tone = None
        for account in [*self.others.values(), self.account]:
            account.shutdown()
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
                command = json.loads(line)
                try:
                    going = phone.obey(command) and going
                except (pj.Error, LookupError, ValueError) as error:
                    what = error.info() if isinstance(error, pj.Error) else str(error)
                    tell("refused", message=f"{command['do']}: {what}")
    phone.close()


if __name__ == "__main__":
    main()
