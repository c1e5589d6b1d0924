"""The types of events that the contract names, each of which a webhook may ask for."""

EVENT_TYPES = (
    "call.started",
    "call.ringing",
    "call.answered",
    "call.transferred",
    "call.ended",
    "call.merged",
    "call.amended",
    "user.ringing",
    "user.answered",
    "user.missed",
    "user.ended",
    "queue.entered",
    "queue.answered",
    "queue.left",
    "ring_group.entered",
    "ring_group.answered",
    "ring_group.left",
    "voicemail.received",
    "recording.ready",
    "dialplan.custom",
)
