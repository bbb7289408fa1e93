#!/bin/bash
# Logins by SSH, sudo and a container, with servers and settings of its own: logins.sh STAGE..., as root. Stages: `ssh`
# (keys and passwords that are right, and some that are not), `sudo` (the same),
# `right` (logins by SSH that succeed, and no others), `runc` and `crun` (a container each).
# Prints `name<TAB>value` of what is to be found. Runs in views of the network and of the file system of its own: nothing but
# the loopback is there, and users, passwords and settings are files of the script's.
set -eu
if [ "${LOGINS_INSIDE:-}" != 1 ]; then
    LOGINS_INSIDE=1 exec unshare --mount --net --propagation private "$BASH" "$0" "$@"
fi
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
work=$(mktemp -d /tmp/logins.XXXXXX)
started=()
trap 'kill "${started[@]}" 2> /dev/null || true; rm -rf "$work"' EXIT
chmod 755 "$work"
ip link set lo up
mkdir -p "$work/etc" "$work/home"
for name in alternatives bash.bashrc environment group hostname ld.so.cache ld.so.conf localtime login.defs nsswitch.conf \
    pam.conf pam.d passwd profile security/limits.conf security/pam_env.conf ssl/openssl.cnf; do
    [ ! -e "/etc/$name" ] || { mkdir -p "$work/etc/$(dirname "$name")" && cp -a "/etc/$name" "$work/etc/$name"; }
done
echo "anna:x:2000:2000:Anna:$work/home:/bin/bash" >> "$work/etc/passwd"
echo anna:x:2000: >> "$work/etc/group"
# The only password there is.
printf 'root:*:1:0:99999:7:::\nsshd:*:1:0:99999:7:::\nanna:%s:19000:0:99999:7:::\n' \
    "$(openssl passwd -6 -salt salt right)" > "$work/etc/shadow"
chmod 640 "$work/etc/shadow"
printf 'Defaults !lecture, passwd_tries=1, !syslog\nDefaults secure_path="/usr/sbin:/usr/bin:/sbin:/bin"\nroot ALL=(ALL:ALL) ALL\nanna ALL=(ALL:ALL) ALL\n' \
    > "$work/etc/sudoers"
chmod 440 "$work/etc/sudoers"
mount --bind "$work/etc" /etc
mount -t tmpfs tmpfs /run
chown 2000:2000 "$work/home"

ssh() {
    mkdir -p /run/sshd "$work/keys" "$work/home/.ssh"
    ssh-keygen -q -t ed25519 -N '' -f "$work/keys/host"
    ssh-keygen -q -t ed25519 -N '' -f "$work/keys/right"
    ssh-keygen -q -t ed25519 -N '' -f "$work/keys/wrong"
    cp "$work/keys/right.pub" "$work/home/.ssh/authorized_keys"
    chown -R 2000:2000 "$work/home/.ssh"
    cat > "$work/sshd_config" << CONF
Port 2222
ListenAddress 127.0.0.1
HostKey $work/keys/host
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication yes
MaxStartups 100
CONF
    /usr/sbin/sshd -D -f "$work/sshd_config" 2> "$work/sshd.log" &
    local server=$!
    started+=("$server")
    for _ in $(seq 100); do
        (: < /dev/tcp/127.0.0.1/2222) 2> /dev/null && break
        sleep 0.05
    done
    local options=(-F none -p 2222 -o StrictHostKeyChecking=no -o "UserKnownHostsFile=$work/known" -o LogLevel=ERROR)
    local by_key=(-o BatchMode=yes -o IdentitiesOnly=yes)
    local by_password=(-o PubkeyAuthentication=no -o NumberOfPasswordPrompts=1)
    # Prints the password that it is given in the environment.
    printf '#!/bin/sh\nprintf "%%s\\n" "$ANSWER"\n' > "$work/ask"
    chmod 755 "$work/ask"
    export SSH_ASKPASS=$work/ask SSH_ASKPASS_REQUIRE=force
    local n
    for n in $(seq 22); do
        command ssh "${options[@]}" "${by_key[@]}" -i "$work/keys/right" anna@127.0.0.1 id -un < /dev/null
    done > "$work/in"
    ANSWER=right command ssh "${options[@]}" "${by_password[@]}" anna@127.0.0.1 id -un < /dev/null >> "$work/in" 2>&1 || true
    printf 'logged in\t%s\n' "$(grep -cx anna "$work/in")"
    printf 'server\t%s\n' "$server"
    [ "${1:-}" != right ] || return 0
    local refused=0
    for n in $(seq 12); do
        command ssh "${options[@]}" "${by_key[@]}" -i "$work/keys/wrong" anna@127.0.0.1 true < /dev/null 2> /dev/null || refused=$((refused + 1))
        ANSWER=wrong$n command ssh "${options[@]}" "${by_password[@]}" anna@127.0.0.1 true < /dev/null 2> /dev/null || refused=$((refused + 1))
    done
    printf 'refused\t%s\n' "$refused"
}

sudo() {
    local as_anna=(setpriv --reuid 2000 --regid 2000 --init-groups)
    printf 'root\t%s\n' "$(echo right | "${as_anna[@]}" /usr/bin/sudo -S -k -p '' id -un 2> /dev/null)"
    # One shell of the user's, which is not let in six times.
    "${as_anna[@]}" bash -c 'for n in 1 2 3 4 5 6; do echo wrong$n | /usr/bin/sudo -S -k -p "" true 2> /dev/null; done; true' &
    printf 'shell\t%s\n' $!
    wait $!
}

# A program of a container is a copy of busybox in a root of its own; the runtime makes the group.
container() {
    local runtime=$1 bundle=$work/$1
    mkdir -p "$bundle/rootfs"/{bin,proc,dev,sys,tmp,etc}
    cp "$(command -v busybox)" "$bundle/rootfs/bin/busybox"
    for name in sh sleep cat id true; do ln -s busybox "$bundle/rootfs/bin/$name"; done
    echo 'root:x:0:0::/:/bin/sh' > "$bundle/rootfs/etc/passwd"
    echo 'root:*:1:0:99999:7:::' > "$bundle/rootfs/etc/shadow"
    (cd "$bundle" && "$runtime" spec)
    python3 -ISB - "$bundle/config.json" "$work" << 'PYTHON'
import json, sys
path = sys.argv[1]
config = json.load(open(path))
config["process"]["terminal"] = False
config["process"]["args"] = ["sh", "-c", "id; cat /etc/shadow; sleep 0.3"]
config["root"]["readonly"] = True
config["linux"]["resources"] = {}
json.dump(config, open(path, "w"))
PYTHON
    local id
    id=$(printf '%064x' $$)
    printf 'container\t%s\n' "$id"
    "$runtime" --root "$work/state" run --bundle "$bundle" "$id" > "$work/said" || { cat "$work/said"; return 1; }
    printf 'said\t%s\n' "$(head -1 "$work/said")"
}
runc() { container /usr/sbin/runc; }
crun() { container /usr/bin/crun; }

for stage in "$@"; do
    case $stage in right) ssh right ;; *) "$stage" ;; esac
done
