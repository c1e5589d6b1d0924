#!/usr/bin/env bash
# Installs Asterisk inside a Debian sid, as root. What is installed stands in `packages`, which the
# root that tests and the demo run on is made from too (tests/lab/root.py).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
xargs --arg-file="$here/packages" apt-get install -y -qq --no-install-recommends
rm -rf /var/lib/apt/lists/*
