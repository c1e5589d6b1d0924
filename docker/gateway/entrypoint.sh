#!/usr/bin/env bash
# The gateway image's command: bring the database up to date, apply the directory if one is given,
# become the service. Arguments go to `gateway serve`.
#
#   DIRECTORY_FILE   a directory (YAML) to apply; empty or unset: the one in the database stays
#
# Settings are the gateway's own, GATEWAY_…
set -euo pipefail

python -m gateway migrate
if [ -n "${DIRECTORY_FILE:-}" ]; then
  python -m gateway apply "$DIRECTORY_FILE"
fi
exec python -m gateway serve "$@"
