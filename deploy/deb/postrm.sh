#!/bin/sh
# State, models, logs and configuration stay until the package is purged.
set -e
if [ "$1" = purge ]; then
  rm -rf /var/lib/aemonitor /var/lib/aemonitor-textfile /var/log/aemonitor /etc/aemonitor
fi
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
fi
