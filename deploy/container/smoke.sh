#!/bin/sh
# Builds the image with a program that is built already, on a base made of Debian's packages, and starts it: a read-only root, no network, no
# privileges, no shell. Asks for its health, stops it, and starts it again on the same volume.
# Wants root, cargo, buildah, podman, mmdebstrap and a Debian mirror, but no registry of images.
# The container runtime refuses hybrid cgroups: mount cgroup2 at /sys/fs/cgroup before, in a mount namespace of its own (`unshare --mount`).
# Usage: deploy/container/smoke.sh PROGRAM [SUITE]
set -eu

program=$(realpath "$1")
suite=${2:-bookworm}
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
container=esoz-smoke

# Storage of its own: images and containers of the machine are neither seen nor changed.
buildah() { command buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"; }
podman() {
    command podman --root "$work/storage" --runroot "$work/run" --tmpdir "$work/tmp" --storage-driver vfs \
        --cgroup-manager cgroupfs "$@"
}
cleanup() {
    podman rm --force --volumes --time 1 "$container" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT

# The health check of the image, until it succeeds. (podman itself would run it by a timer of systemd.)
wait_until_healthy() {
    attempts=0
    # shellcheck disable=SC2046
    until podman exec "$container" $(podman image inspect --format '{{range slice .HealthCheck.Test 1}}{{.}} {{end}}' localhost/esoz); do
        attempts=$((attempts + 1))
        [ "$attempts" -lt 60 ]
        sleep 0.5
    done
}

echo "# base"
# Extracted and not configured: no shell of it is ever run. The certificate bundle is what ca-certificates would write.
# shellcheck disable=SC2016
mmdebstrap --quiet --variant=extract --include=base-files,libc6,libgcc-s1,zlib1g,ca-certificates \
    --customize-hook='cat "$1"/usr/share/ca-certificates/mozilla/*.crt > "$1/etc/ssl/certs/ca-certificates.crt"' \
    "$suite" "$work/base.tar"
base=$(buildah from scratch)
buildah add --quiet "$base" "$work/base.tar" /
buildah commit --quiet "$base" localhost/esoz-base

echo "# image"
mkdir -p target/deploy
install --strip "$program" target/deploy/esoz
cargo xtask licenses
buildah build --quiet --isolation chroot --format docker --file deploy/container/Dockerfile \
    --build-arg PROGRAM=prebuilt --build-arg BASE=localhost/esoz-base --tag localhost/esoz .
podman image inspect --format 'user {{.Config.User}}, stop signal {{.Config.StopSignal}}, size {{.Size}}' localhost/esoz

echo "# start"
podman run --detach --name "$container" --network none --cgroups disabled --read-only --read-only-tmpfs=false \
    --no-healthcheck --ulimit nofile=4096:4096 --ulimit nproc=1024:1024 --cap-drop all --security-opt no-new-privileges \
    --env ESOZ_PATIENT__KEY="$(head -c 24 /dev/urandom | base64)" localhost/esoz
wait_until_healthy
podman cp "$container":/usr/share/doc/esoz/third-party-licenses.txt "$work/licenses.txt"
[ -s "$work/licenses.txt" ]
grep -E '^(Uid|CapEff|NoNewPrivs|Seccomp):' "/proc/$(podman inspect --format '{{.State.Pid}}' "$container")/status"

echo "# stop, and start again"
podman stop --time 20 "$container"
[ "$(podman inspect --format '{{.State.ExitCode}}' "$container")" = 0 ]
podman start "$container"
wait_until_healthy
podman stop --time 20 "$container"
echo "The image works."
