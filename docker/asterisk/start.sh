#!/bin/sh
# Fills in the demo PBX's configuration and becomes Asterisk.
#
#   CONFIGURATION   where asterisk-conf lies            DIRECTORY      where everything of this instance goes
#   SIP_ADDRESS     where phones register               TRUNK_ADDRESS  where the carrier is
#   SIP_SECRET, AMI_SECRET   passwords; required        AMI_PORT, RING_SECONDS
set -eu
umask 027

: "${CONFIGURATION:?}" "${DIRECTORY:?}" "${AMI_SECRET:?}" "${SIP_SECRET:?}"
: "${SIP_ADDRESS:=127.0.0.2}" "${TRUNK_ADDRESS:=127.0.0.3}" "${AMI_PORT:=5038}" "${RING_SECONDS:=20}"

for value in "$AMI_SECRET" "$SIP_SECRET" "$SIP_ADDRESS" "$TRUNK_ADDRESS" "$AMI_PORT" "$RING_SECONDS" "$DIRECTORY"; do
  case $value in
    '' | *[!A-Za-z0-9./_-]*) echo "start-demo-pbx: a value holds what a configuration cannot" >&2; exit 1 ;;
  esac
done

mkdir -p "$DIRECTORY/etc" "$DIRECTORY/run" "$DIRECTORY/log/cel-custom" "$DIRECTORY/spool" "$DIRECTORY/db"
for file in "$CONFIGURATION"/gateway/*.conf "$CONFIGURATION"/demo-pbx/*.conf; do
  sed -e "s|@DIRECTORY@|$DIRECTORY|g" -e "s|@SIP_ADDRESS@|$SIP_ADDRESS|g" -e "s|@TRUNK_ADDRESS@|$TRUNK_ADDRESS|g" \
      -e "s|@SIP_SECRET@|$SIP_SECRET|g" -e "s|@AMI_PORT@|$AMI_PORT|g" -e "s|@AMI_SECRET@|$AMI_SECRET|g" \
      -e "s|@RING_SECONDS@|$RING_SECONDS|g" "$file" >"$DIRECTORY/etc/${file##*/}"
done
if grep -n '@[A-Z_]*@' "$DIRECTORY"/etc/*.conf >&2; then
  echo "start-demo-pbx: these are not filled in" >&2
  exit 1
fi
exec asterisk -f -C "$DIRECTORY/etc/asterisk.conf"
