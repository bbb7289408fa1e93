#!/bin/bash
# What the checks of staying, of credentials, of hiding and of looking around must find, done without harm: one function
# for each check, named after it. Prints `check<TAB>pid` of the process that must be found. Without arguments all are
# run, else those that are named. Needs root, bash, python3, coreutils, util-linux and iproute2.
#
# It runs in a network and a view of the file system of its own: /etc has copies of what programs need, and homes, logs
# and /srv are empty and in memory, so that nothing of the machine is changed, nor read that is secret. Programs that may
# not be installed are copies of `true`.
set -u
if [ "${ATTACKS_INSIDE:-}" != 1 ]; then
    ATTACKS_INSIDE=1 exec unshare --mount --net --propagation private "$BASH" "$0" "$@"
fi

mount -t tmpfs tmpfs /srv && mkdir /srv/etc || exit 2
for name in alternatives group hostname ld.so.cache ld.so.conf localtime nsswitch.conf passwd; do
    [ -e "/etc/$name" ] && cp -a "/etc/$name" /srv/etc/
done
echo 'root:*:1:0:99999:7:::' > /srv/etc/shadow
mount --bind /srv/etc /etc || exit 2
for folder in /root /home /var/log; do mount -t tmpfs tmpfs "$folder" || exit 2; done
mkdir -p /etc/cron.d /etc/systemd/system /etc/pam.d /etc/ssh /root/.ssh
export HOME=/root
temporary=$(mktemp -d /tmp/.attacks-XXXXXX)
started=()
trap 'kill "${started[@]}" 2> /dev/null; rm -rf "$temporary"' EXIT

# Runs a program as a process of its own, waits for it, and says that it must be found.
run() {
    local check=$1
    shift
    "$@" > /dev/null 2>&1 &
    local pid=$!
    wait "$pid"
    printf '%s\t%s\n' "$check" "$pid"
}

# Starts what must be there for others; it is ended when the script ends.
start() {
    "$@" > /dev/null 2>&1 &
    started+=($!)
}

# A program of that name that does nothing.
named() {
    cp /usr/bin/true "/srv/$1"
    printf '/srv/%s' "$1"
}

cron_change() { run cron_change bash -c 'echo "* * * * * root true" > /etc/cron.d/job'; }

systemd_unit_change() {
    run systemd_unit_change python3 -c "open('/etc/systemd/system/x.service', 'w').write('[Service]')"
}

shell_profile_change() { run shell_profile_change bash -c 'cd /; echo true >> /root/.bashrc'; }

authorized_keys_change() {
    run authorized_keys_change bash -c 'echo ssh-ed25519 AAAA >> /root/.ssh/authorized_keys'
}

# The list is empty: it is read by all that starts afterwards.
preload_file_change() {
    run preload_file_change python3 -c "import os
open('/etc/new', 'w').close()
os.rename('/etc/new', '/etc/ld.so.preload')"
    rm /etc/ld.so.preload
}

account_change() { run account_change bash -c 'echo "x:x:0:0::/:/bin/true" >> /etc/passwd'; }

pam_change() { run pam_change bash -c 'echo "# x" >> /etc/pam.d/other'; }

ssh_config_change() { run ssh_config_change bash -c 'echo "# x" >> /etc/ssh/sshd_config'; }

startup_script_change() { run startup_script_change bash -c 'echo true > /etc/rc.local'; }

password_file_read() {
    run password_file_read cat /etc/shadow
    # Relative to a directory that was entered.
    run password_file_read python3 -c "import os; os.chdir('/etc'); open('shadow').read()"
}

ssh_key_read() {
    echo key > /root/.ssh/id_ed25519
    run ssh_key_read cat /root/.ssh/id_ed25519
}

cloud_metadata_access() {
    ip link set lo up && ip address add 169.254.169.254/32 dev lo
    start python3 -m http.server 80 --bind 169.254.169.254 --directory /srv
    run cloud_metadata_access python3 -c "import socket, time
for _ in range(100):
    try:
        socket.create_connection(('169.254.169.254', 80)).close()
        break
    except OSError:
        time.sleep(0.1)"
}

# The folders are put in place under another name, so that nobody but the reader opens the file.
browser_store_read() {
    mkdir -p /root/store/Default /root/.config
    echo x > '/root/store/Default/Login Data'
    mv /root/store /root/.config/google-chrome
    run browser_store_read cat '/root/.config/google-chrome/Default/Login Data'
}

cloud_credentials_read() {
    mkdir /root/store
    echo x > /root/store/credentials
    mv /root/store /root/.aws
    run cloud_credentials_read cat /root/.aws/credentials
}

environ_read() {
    local files=() _
    for _ in 1 2 3 4; do
        start sleep 60
        files+=("/proc/$!/environ")
    done
    run environ_read cat "${files[@]}"
}

memory_dump() {
    start sleep 60
    run memory_dump python3 -c "import sys
for name in ['maps', 'mem']:
    open('/proc/' + sys.argv[1] + '/' + name, 'rb').close()" "$!"
}

log_tampering() {
    echo x > /var/log/x && mv /var/log/x /var/log/auth.log
    run log_tampering rm /var/log/auth.log
}

timestomp() { run timestomp touch -d '2020-01-01 12:00' /etc/hostname; }

history_clearing() {
    echo x > /root/.bash_history
    run history_clearing ln -sf /dev/null /root/.bash_history
}

masquerading_name() { run masquerading_name bash -c 'exec -a "[kworker/0:1]" sleep 0.1'; }

hidden_program() {
    cp /usr/bin/true "$temporary/run"
    run hidden_program "$temporary/run"
}

self_deletion() {
    echo 'rm "$0"; true' > "$temporary/script"
    run self_deletion bash "$temporary/script"
}

# Another process than its parent ends it.
security_tool_killed() {
    cp /usr/bin/sleep /srv/auditd
    start /srv/auditd 60
    run security_tool_killed bash -c 'sleep 0.2; kill "$1"' - "$!"
}

security_tool_tampering() { run security_tool_tampering "$(named systemctl)" stop auditd.service; }

access_control_off() { run access_control_off "$(named setenforce)" 0; }

firewall_tampering() { run firewall_tampering "$(named iptables)" -F; }

file_attribute_hiding() { run file_attribute_hiding "$(named chattr)" +i /etc/hostname; }

discovery_burst() { run discovery_burst bash -c 'whoami; id; uname -a; who; groups; ip address; lscpu; lsblk; true'; }

setuid_file_search() { run setuid_file_search "$(named find)" / -perm -4000 -type f; }

proc_scan() {
    run proc_scan python3 -c "import os
for name in os.listdir('/proc'):
    if name.isdigit():
        open('/proc/' + name + '/cmdline').read()"
}

archive_staging() { run archive_staging "$(named tar)" czf /tmp/x.tgz /etc; }

if [ $# = 0 ]; then
    set -- cron_change systemd_unit_change shell_profile_change authorized_keys_change preload_file_change \
        account_change pam_change ssh_config_change startup_script_change password_file_read ssh_key_read \
        cloud_metadata_access browser_store_read cloud_credentials_read environ_read memory_dump log_tampering \
        timestomp history_clearing masquerading_name hidden_program self_deletion security_tool_killed \
        security_tool_tampering access_control_off firewall_tampering file_attribute_hiding discovery_burst \
        setuid_file_search proc_scan archive_staging
fi
for stage; do "$stage"; done
