#!/bin/sh
# Installs the package into a fresh Debian root, boots systemd there, and holds the service to what its unit says: start, health, reload, watchdog,
# stop. Then removes the package. Wants root, mmdebstrap, systemd-nspawn and a Debian mirror.
# Usage: deploy/debian/smoke.sh PACKAGE.deb [SUITE]
set -eu

package=$1
suite=${2:-bookworm}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

mmdebstrap --quiet --variant=minbase --include=ca-certificates,procps,systemd,systemd-sysv,dbus "$suite" "$root"
# The folder is root's alone, and users of the container must get through.
chmod 755 "$root"
cp "$package" "$root/esoz.deb"

cat > "$root/smoke" <<'INNER'
set -eux
property() { systemctl show --value --property "$1" esoz; }
# A property has that value soon.
wait_for() {
    attempts=0
    until [ "$(property "$1")" = "$2" ]; do
        attempts=$((attempts + 1))
        [ "$attempts" -lt 120 ]
        sleep 0.25
    done
}
health() { esoz health --config /etc/esoz/esoz.toml; }

dpkg --install /esoz.deb
[ "$(stat --format '%A %U:%G' /etc/esoz)" = 'drwxr-x--- root:esoz' ]
[ "$(stat --format '%A %U:%G' /etc/esoz/esoz.toml)" = '-rw-r----- root:esoz' ]
[ "$(systemctl is-enabled esoz)" = disabled ]
[ "$(property ActiveState)" = inactive ]
systemd-analyze verify --man=no /lib/systemd/system/esoz.service
systemd-analyze security --no-pager --threshold=20 esoz

# Without a patient key it does not start.
systemctl start esoz && exit 1
systemctl stop esoz

sh -c 'umask 027; head -c 32 /dev/urandom | base64 > /etc/esoz/patient.key; chgrp esoz /etc/esoz/patient.key'
systemctl enable --now esoz
# It returns when the server listens.
health
case $(property StatusText) in 'listening on http://127.0.0.1:8080') ;; *) exit 1 ;; esac
grep -E '^(Uid|CapEff|NoNewPrivs|Seccomp):' "/proc/$(property MainPID)/status"
[ "$(stat --format '%A %U:%G' /var/lib/esoz/esoz.sqlite)" = '-rw------- esoz:esoz' ]
setpriv --reuid esoz --regid esoz --init-groups esoz doctor --config /etc/esoz/esoz.toml

first=$(property MainPID)
sed -i 's/^level = "info"/level = "debug"/' /etc/esoz/esoz.toml
systemctl reload esoz
attempts=0
until journalctl --unit esoz | grep 'the log level was reloaded'; do
    attempts=$((attempts + 1))
    [ "$attempts" -lt 120 ]
    sleep 0.25
done
wait_for ActiveState active
[ "$(property MainPID)" = "$first" ]

# The watchdog restarts a process that does not run.
mkdir -p /run/systemd/system/esoz.service.d
printf '[Service]\nWatchdogSec=2\n' > /run/systemd/system/esoz.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart esoz
kill -STOP "$(property MainPID)"
wait_for NRestarts 1
wait_for ActiveState active
health

systemctl stop esoz
[ "$(property Result)" = success ]
[ "$(property ExecMainStatus)" = 0 ]

dpkg --purge esoz
[ ! -e /usr/bin/esoz ]
[ ! -e /etc/esoz/esoz.toml ]
# Data and the key stay: an administrator deletes them.
[ -e /var/lib/esoz/esoz.sqlite ]
[ -e /etc/esoz/patient.key ]
touch /smoke.passed
INNER

cat > "$root/etc/systemd/system/smoke.service" <<'INNER'
[Unit]
After=basic.target
Requires=basic.target
[Service]
Type=oneshot
StandardOutput=file:/smoke.log
StandardError=file:/smoke.log
ExecStart=/bin/sh /smoke
ExecStopPost=/bin/systemctl exit --no-block
INNER

timeout 300 systemd-nspawn --quiet --register=no --keep-unit --private-network --directory "$root" --boot \
    systemd.unit=smoke.service systemd.show_status=no </dev/null >"$root/console.log" 2>&1 || true
cat "$root/smoke.log"
[ -e "$root/smoke.passed" ] || { cat "$root/console.log"; exit 1; }
echo "The package works."
