#!/usr/bin/env bash
# Makes a PBX of asterisk-conf/: its directories below TARGET, its configuration in TARGET/etc with
# every @NAME@ filled in from the environment. Run by the image, by the tests and by the demo.
#
#   DIRECTORY=… SIP_ADDRESS=… TRUNK_ADDRESS=… SIP_SECRET=… AMI_PORT=… AMI_SECRET=… RING_SECONDS=… \
#     configure.sh CONFIGURATION TARGET [MORE…]
#
# CONFIGURATION is asterisk-conf; DIRECTORY is TARGET as Asterisk sees it, which may run in a root of its own.
# What lies in MORE takes the place of a file of the same name.
set -euo pipefail
configuration=$1 target=$2

# cel_custom writes nothing, and says nothing, where cel-custom does not exist.
mkdir -p "$target"/{etc,run,log/cel-custom,spool,db}

program=
for name in DIRECTORY SIP_ADDRESS TRUNK_ADDRESS SIP_SECRET AMI_PORT AMI_SECRET RING_SECONDS; do
  value=${!name-}
  if [[ -z $value || $value == *[^A-Za-z0-9./:_-]* ]]; then
    echo "configure.sh: $name must be set, of letters, digits and ./:_- only" >&2
    exit 1
  fi
  program+="s|@$name@|$value|g;"
done
for directory in "$configuration"/gateway "$configuration"/demo-pbx "${@:3}"; do
  for file in "$directory"/*.conf; do
    sed "$program" "$file" >"$target/etc/${file##*/}"
  done
done
