#!/usr/bin/env bash
# The image's command: configure the demo PBX and become Asterisk.
# AMI listens on 127.0.0.1 only: the gateway shares this container's network.
set -euo pipefail
export DIRECTORY=/srv/pbx
/opt/asterisk/configure.sh /opt/asterisk/asterisk-conf "$DIRECTORY"
rm -f "$DIRECTORY"/run/asterisk.{ctl,pid}
exec asterisk -f -C "$DIRECTORY/etc/asterisk.conf"
