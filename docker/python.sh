#!/usr/bin/env bash
# Prints the first of the commands given that is a Python with which the tests and the demo run: 3.11 or 3.12.
# Their SIP phones, pjsua2-python, come as wheels for no newer one, and cannot be built from what is published.
#
#   docker/python.sh python3 python3.12 python3.11
set -euo pipefail

found=()
for python in "$@"; do
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || version=
  case $version in
    3.11 | 3.12) echo "$python" && exit ;;
    '') found+=("there is no $python") ;;
    *) found+=("$python is $version") ;;
  esac
done
told=$(printf ', %s' "${found[@]}")
echo "Python 3.11 or 3.12 is needed here: ${told:2}. Name one that is: PYTHON=/path/to/python3.12 make …" >&2
exit 1
