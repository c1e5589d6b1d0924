#!/usr/bin/env bash
# The softphone image's command: a phone that rings, answers, and tells on standard output what it sees.
#
#   PHONE_NAME     its endpoint at the PBX            REGISTRAR     where the PBX is
#   PHONE_SECRET   empty: it registers nowhere        PHONE_NUMBER  the number it calls from, where not its name
#   PHONE_ADDRESS  its own; default: this machine's   ANSWER_AFTER  seconds it rings; default 2
#   COMMANDS       a pipe for more commands (tests/lab/phone_process.py); default /tmp/phone:
#                    echo '{"do": "hang_up"}' >/tmp/phone
set -euo pipefail

: "${PHONE_NAME:?is not set}" "${REGISTRAR:?is not set}"
commands=${COMMANDS:-/tmp/phone}
address=${PHONE_ADDRESS:-$(hostname -i)}
for value in "$PHONE_NAME" "$REGISTRAR" "${PHONE_SECRET:=}" "${PHONE_NUMBER:=}" "$address" "${ANSWER_AFTER:=2}"; do
  if [[ $value == *[^A-Za-z0-9.+_-]* ]]; then
    echo "run.sh: values may hold letters, digits and .+_- only: $value" >&2
    exit 1
  fi
done

id=
if [ -n "$PHONE_NUMBER" ]; then
  id="\"id\": \"sip:$PHONE_NUMBER@$address\","
fi
setup="{$id \"name\": \"$PHONE_NAME\", \"user\": \"$PHONE_NAME\", \"secret\": \"$PHONE_SECRET\",
        \"registrar\": \"$REGISTRAR\", \"address\": \"$address\"}"

# Open for both reading and writing, so that the phone never sees an end of its commands.
rm -f "$commands"
mkfifo -m 600 "$commands"
exec 3<>"$commands"
echo "{\"do\": \"behave\", \"answer_after\": $ANSWER_AFTER}" >&3
exec python -m tests.lab.phone_process "$setup" <&3 3<&-
