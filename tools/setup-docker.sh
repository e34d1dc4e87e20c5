#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes sure a Docker engine answers. Where one does already, this changes nothing. Where there is no service
# manager (a container, a small VM), dockerd is started by hand and stays until the machine stops.
# shellcheck source=tools/lib.sh
. "$(dirname "$0")/lib.sh"

# A default that Docker itself has; named here because it is read before the engine runs.
pid_file=/var/run/docker.pid
log=$CACHE/dockerd.log
start_deadline_s=60

answers() { docker info >/dev/null 2>&1; }

# dockerd refuses to start over a pid file whose number some other process has got since.
drop_stale_pid_file() {
    local pid
    pid=$(cat "$pid_file" 2>/dev/null) || return 0
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ] || rm -f "$pid_file"
}

start_by_hand() {
    drop_stale_pid_file
    say "starting dockerd (log: $log)"
    setsid nohup dockerd >"$log" 2>&1 </dev/null 9>&- &
}

answers && exit 0
only_one docker
answers && exit 0
if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then apt_install docker.io iptables; fi
[ "$(id -u)" -eq 0 ] || die "a Docker engine is installed but does not answer, and only root can start it"
if [ -d /run/systemd/system ]; then systemctl start docker; else start_by_hand; fi
deadline=$((SECONDS + start_deadline_s))
until answers; do
    if [ "$SECONDS" -ge "$deadline" ]; then
        tail -20 "$log" >&2 || true
        die "dockerd does not answer after $start_deadline_s s"
    fi
    sleep 0.3
done
