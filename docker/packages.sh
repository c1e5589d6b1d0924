#!/usr/bin/env bash
# Installs, on a Debian machine as root, the system packages that the tests and the demo need:
# a browser for the console, mmdebstrap for an Asterisk root, curl for the quick start, venv where the Python that is
# given ($1) came without it.
set -euo pipefail

wanted=(mmdebstrap chromium chromium-driver curl)
"$1" -c 'import ensurepip' 2>/dev/null || wanted+=("python$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv")

missing=()
for package in "${wanted[@]}"; do
  dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ "${#missing[@]}" -eq 0 ]; then
  exit 0
fi
if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
  echo "these packages are missing, and installing them needs apt-get and root: ${missing[*]}" >&2
  exit 1
fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
dpkg --configure --pending # what an interrupted installation left half done
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
