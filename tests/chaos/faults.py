"""How each fault is made. Each returns when what was broken is whole again."""

import asyncio
import gzip
import os
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from tests.chaos.plant import Plant
from tests.chaos.schedule import Fault, FaultKind
from tests.chaos.service import Service

TAKEN_OVER_SECONDS = 6.5
"""A paused leader is passed over after as long; some pauses are shorter, some longer."""

DEAF_MARGIN_SECONDS = 1.5
PLACING_SECONDS = 3.0
ROTATED_KEPT = 14


async def gateway_killed(plant: Plant, fault: Fault) -> None:
    """At any moment, or just while it places a call: before Asterisk has heard of it, or before it has answered."""
    if fault.variant < 0.3:
        victims = plant.gateways
    elif fault.variant < 0.8:
        victims = [await _that_places(plant, before_asterisk=fault.variant < 0.5)]
    else:
        victims = [await plant.leader()]
    for victim in victims:
        victim.resume()
        await victim.kill()
    for service in plant.gateways:
        service.proxy.release()
    await asyncio.sleep(fault.hold / 2)
    await asyncio.gather(*(service.start() for service in plant.gateways if service.pid is None))


async def _that_places(plant: Plant, *, before_asterisk: bool) -> Service:
    """The gateway whose Originate was seen to pass, or was withheld; it hears no answer to it."""
    seen = {service.name: service.proxy.originates for service in plant.gateways}
    for service in plant.gateways:
        service.proxy.hold_originate, service.proxy.hold_answers_to_it = before_asterisk, True
    plant.place_a_call()
    deadline = time.monotonic() + PLACING_SECONDS
    while time.monotonic() < deadline:
        for service in plant.gateways:
            if service.proxy.originates > seen[service.name]:
                await asyncio.sleep(0.2)
                return service
        await asyncio.sleep(0.002)
    return await plant.leader()


async def leader_paused(plant: Plant, fault: Fault) -> None:
    leader = await plant.leader()
    began = time.time()
    leader.pause()
    await asyncio.sleep(fault.hold + (TAKEN_OVER_SECONDS if fault.variant < 0.6 else 0))
    leader.resume()
    plant.history.deaf.append((began, time.time() + DEAF_MARGIN_SECONDS))


async def asterisk_died(plant: Plant, fault: Fault) -> None:
    await plant.asterisk_dies(orderly=fault.variant > 0.75)
    await asyncio.sleep(fault.hold / 2)
    await plant.asterisk_returns()


async def ami_cut(plant: Plant, fault: Fault) -> None:
    for service in plant.gateways:
        service.proxy.cut()


async def ami_stalled(plant: Plant, fault: Fault) -> None:
    """Half-open: nothing comes through, nobody is told. In the end the network forgets it, or not."""
    for service in plant.gateways:
        service.proxy.stall()
    await asyncio.sleep(fault.hold * (4 if fault.variant < 0.3 else 1))
    for service in plant.gateways:
        if fault.variant < 0.6:
            service.proxy.cut()
        service.proxy.release()


async def ami_trickling(plant: Plant, fault: Fault) -> None:
    for service in plant.gateways:
        service.proxy.trickling = True
    await asyncio.sleep(fault.hold)
    for service in plant.gateways:
        service.proxy.trickling = False


async def ami_garbled(plant: Plant, fault: Fault) -> None:
    for service in plant.gateways:
        service.proxy.garble(whole=fault.variant < 0.5)


async def postgres_stopped(plant: Plant, fault: Fault) -> None:
    await plant.postgres.stop("immediate" if fault.variant < 0.5 else "fast")
    await asyncio.sleep(fault.hold)
    await _postgres_runs(plant)


async def _postgres_runs(plant: Plant) -> None:
    for _ in range(20):
        if await plant.postgres.runs() or await plant.postgres.start():
            return
        await asyncio.sleep(0.5)
    raise RuntimeError(f"Postgres does not start: {plant.work / 'postgres.log'}")


async def journal_rotated(plant: Plant, fault: Fault) -> None:
    """As logrotate does it: renamed, the one before it compressed. Asterisk holds on to queue_log until it is told."""
    for path in (plant.pbx.cel_journal, plant.pbx.queue_log):
        await asyncio.to_thread(_rotate, path)
    if plant.asterisk_up.is_set():
        await plant.pbx.command("logger reload")


def _rotate(path: Path) -> None:
    numbered = {number: path.with_name(f"{path.name}.{number}") for number in range(1, ROTATED_KEPT + 40)}
    for number in sorted(numbered, reverse=True)[1:]:
        for suffix in ("", ".gz"):
            old = Path(f"{numbered[number]}{suffix}")
            if old.exists():
                old.rename(f"{numbered[number + 1]}{suffix}")
    if path.exists():
        path.rename(numbered[1])
    if numbered[2].exists():
        status = numbered[2].stat()
        packed = Path(f"{numbered[2]}.gz")
        with numbered[2].open("rb") as plain, gzip.open(packed, "wb") as output:
            shutil.copyfileobj(plain, output)
        os.utime(packed, ns=(status.st_atime_ns, status.st_mtime_ns))
        numbered[2].unlink()


async def disk_full(plant: Plant, fault: Fault) -> None:
    """The gateway's own directory, Postgres's, or both, as where it is embedded."""
    disks = [plant.data] if fault.variant < 0.4 else [plant.database] if fault.variant < 0.6 else []
    began = time.time()
    disks = disks or [plant.data, plant.database]
    for disk in disks:
        await asyncio.to_thread(disk.fill)
    await asyncio.sleep(fault.hold)
    for disk in disks:
        await asyncio.to_thread(disk.empty)
    if plant.data in disks:
        plant.history.deaf.append((began, time.time() + DEAF_MARGIN_SECONDS))
    if plant.database in disks:
        await _postgres_runs(plant)


MAKE: Mapping[FaultKind, Callable[[Plant, Fault], Awaitable[None]]] = {
    "gateway_killed": gateway_killed,
    "leader_paused": leader_paused,
    "asterisk_died": asterisk_died,
    "ami_cut": ami_cut,
    "ami_stalled": ami_stalled,
    "ami_trickling": ami_trickling,
    "ami_garbled": ami_garbled,
    "postgres_stopped": postgres_stopped,
    "journal_rotated": journal_rotated,
    "disk_full": disk_full,
}
