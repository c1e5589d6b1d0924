"""A phone that registers a contact of its own wording, as any phone with a password may (RFC 3261, 10; RFC 2617)."""

import asyncio
import hashlib
import re
import socket

from tests.lab.asterisk import SECRET


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


async def register(registrar: str, address: str, user: str, contact: str) -> int:
    """Registers `contact` for the endpoint `user`; gives the status of the last answer."""
    return await asyncio.to_thread(_register, registrar, address, user, contact)


def _register(registrar: str, address: str, user: str, contact: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind((address, 5060))
        line.settimeout(5)
        line.connect((registrar, 5060))
        answer = _ask(line, _request(registrar, address, user, contact, 1, ""))
        challenge = dict(re.findall(r'(\w+)="([^"]*)"', answer))
        uri = f"sip:{registrar}"
        ha1 = _md5(f"{user}:{challenge['realm']}:{SECRET}")
        proof = _md5(f"{ha1}:{challenge['nonce']}:00000001:abc:auth:{_md5(f'REGISTER:{uri}')}")
        parts = [
            f'Digest username="{user}", realm="{challenge["realm"]}", nonce="{challenge["nonce"]}", uri="{uri}"',
            f'response="{proof}", algorithm=MD5, qop=auth, nc=00000001, cnonce="abc"',
        ]
        if "opaque" in challenge:
            parts.append(f'opaque="{challenge["opaque"]}"')
        authorization = f"Authorization: {', '.join(parts)}\r\n"
        answer = _ask(line, _request(registrar, address, user, contact, 2, authorization))
        return int(answer.split(" ", 2)[1])


def _ask(line: socket.socket, request: str) -> str:
    line.send(request.encode())
    return line.recv(65_536).decode()


def _request(registrar: str, address: str, user: str, contact: str, number: int, authorization: str) -> str:
    return (
        f"REGISTER sip:{registrar} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {address}:5060;branch=z9hG4bK{number}{user}\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:{user}@{registrar}>;tag=1\r\nTo: <sip:{user}@{registrar}>\r\n"
        f"Call-ID: {user}@{address}\r\nCSeq: {number} REGISTER\r\nContact: <{contact}>\r\nExpires: 300\r\n"
        f"{authorization}Content-Length: 0\r\n\r\n"
    )
