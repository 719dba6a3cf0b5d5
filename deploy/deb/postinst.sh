#!/bin/sh
# User and directories; a daemon that runs is started again with the new program, one that does not is left alone.
set -e
if [ "$1" = configure ]; then
  systemd-sysusers aemonitor.conf
  systemd-tmpfiles --create aemonitor.conf
  # It is to hold hashes of passwords: for root and the service alone. What an administrator chose stays.
  find /etc/aemonitor -name web.yaml -group root -perm 640 -exec chgrp aemonitor {} +
  if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    if [ -n "$2" ]; then
      systemctl try-restart aemonitor.service 'aemonitor@*.service' || true
    else
      echo "aemonitor: write /etc/aemonitor/aemonitor.yaml (aemonitor init), train (systemctl start"
      echo "aemonitor-retrain@aemonitor), then: systemctl enable --now aemonitor aemonitor-retrain@aemonitor.timer"
    fi
  fi
fi
