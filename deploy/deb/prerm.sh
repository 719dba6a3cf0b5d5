#!/bin/sh
# Before the program goes its daemons end; an upgrade leaves them running until the new one is there.
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl stop aemonitor.service 'aemonitor@*.service' 'aemonitor-retrain@*.service' 'aemonitor-retrain@*.timer'
  for link in /etc/systemd/system/*.wants/aemonitor*; do
    [ ! -L "$link" ] || systemctl disable --quiet "$(basename "$link")"
  done
fi
