#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the Docker image that stands for a bare Debian 12 host: systemd as PID 1, Debian's Python, nothing of ours.
# It is bootstrapped from Debian's packages, so no image registry is needed. Prints the image's name.
#
# Run it unprivileged, as: docker run -d --tmpfs /run --tmpfs /run/lock -v /sys/fs/cgroup:/sys/fs/cgroup:ro NAME
# shellcheck source=tools/lib.sh
. "$(dirname "$0")/lib.sh"

suite=bookworm
# What an operator's freshly installed host has and the roles may count on.
packages=systemd,systemd-sysv,dbus,python3,procps,iproute2,sudo
image=rocketmq-cluster/debian12:$(content_key "$0")

have_image() { docker image inspect "$image" >/dev/null 2>&1; }

# The mirror that apt on this machine already uses for Debian itself; none: debootstrap's own default.
debian_mirror() {
    # shellcheck disable=SC2016  # apt's own placeholders
    apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk -v suite="$suite" '$1 == "Debian" && $2 == suite {print $3; exit}'
}

# A container has no hardware, consoles or kernel of its own: units for those only cost start-up time.
trim() {
    local root=$1
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale,info}/*
    find "$root/var/log" -type f -delete
    : >"$root/etc/machine-id"
    chroot "$root" systemctl mask --quiet \
        dev-hugepages.mount sys-fs-fuse-connections.mount sys-kernel-config.mount sys-kernel-debug.mount \
        systemd-udevd.service systemd-udev-trigger.service systemd-logind.service systemd-modules-load.service \
        systemd-remount-fs.service getty.target console-getty.service apt-daily.timer apt-daily-upgrade.timer \
        dpkg-db-backup.timer e2scrub_all.timer fstrim.timer
}

"$ROOT/tools/setup-docker.sh"
if ! have_image; then
    only_one image
    if ! have_image; then
        command -v debootstrap >/dev/null || apt_install debootstrap debian-archive-keyring
        [ "$(id -u)" -eq 0 ] || die "only root can bootstrap the base image"
        say "bootstrapping $image (about a minute, once)"
        work=$(mktemp -d "$CACHE/image.XXXXXX")
        trap 'rm -rf "$work"' EXIT
        mirror=$(debian_mirror)
        if ! debootstrap --variant=minbase --include="$packages" "$suite" "$work/root" ${mirror:+"$mirror"} \
            >"$work/log" 2>&1 </dev/null; then
            tail -20 "$work/log" >&2
            die "debootstrap failed"
        fi
        trim "$work/root"
        tar -C "$work/root" --one-file-system -c . | docker import \
            --change 'ENV container=docker' \
            --change 'CMD ["/lib/systemd/systemd"]' - "$image" >/dev/null
    fi
fi
echo "$image"
