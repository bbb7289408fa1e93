#!/bin/bash
# Builds a package with a service, a user, a library, a timer and a cron job, installs it with apt from its file,
# upgrades it with dpkg, and purges it; it ends with 10, the files of version 2. In views of the network and the
# file system of its own: /etc, /usr and /var are written to in memory.
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
if [ "${PACKAGES_INSIDE:-}" != 1 ]; then
    PACKAGES_INSIDE=1 exec unshare --mount --net --propagation private "$BASH" "$0"
fi
mkdir layers
mount -t tmpfs tmpfs layers
for folder in etc usr var; do
    mkdir -p "layers/$folder" "layers/$folder.work"
    mount -t overlay -o "lowerdir=/$folder,upperdir=layers/$folder,workdir=layers/$folder.work" overlay "/$folder"
done
export DEBIAN_FRONTEND=noninteractive
# As if nothing were installed but what packages need to be: which packages this machine has is nobody's business.
mkdir -p layers/dpkg/{info,updates,alternatives,parts}
cp -r /var/lib/dpkg/triggers layers/dpkg/
for package in adduser apt base-files debconf dpkg init-system-helpers libc-bin passwd perl-base systemd; do
    dpkg-query -s "$package" | sed '/^\(Pre-\)\?Depends:/d'
    echo
    cp "/var/lib/dpkg/info/$package".* layers/dpkg/info/
done > layers/dpkg/status
: > layers/dpkg/available
mount --bind layers/dpkg /var/lib/dpkg

# The tree of a package; version 2 has a file more.
build() {
    local version=$1 tree=meter-$1
    mkdir -p "$tree"/DEBIAN "$tree"/etc/{cron.d,meter,logrotate.d,profile.d} "$tree"/usr/{bin,lib/meter,share/doc/meter} \
        "$tree"/lib/systemd/system
    printf '%s\n' 'Package: meter' "Version: $version" 'Architecture: all' 'Maintainer: Nobody <nobody@example.org>' \
        'Depends: adduser' 'Description: counts' > "$tree/DEBIAN/control"
    printf '%s\n' /etc/meter/meter.conf /etc/cron.d/meter /etc/logrotate.d/meter /etc/profile.d/meter.sh \
        > "$tree/DEBIAN/conffiles"
    cat > "$tree/DEBIAN/preinst" << 'SH'
#!/bin/sh
set -e
if [ "$1" = install ]; then
    adduser --system --group --no-create-home --home /var/lib/meter --quiet meter
fi
SH
    cat > "$tree/DEBIAN/postinst" << 'SH'
#!/bin/sh
set -e
if [ "$1" = configure ]; then
    install -d -o meter -g meter -m 750 /var/lib/meter /var/log/meter
    ldconfig
    if command -v deb-systemd-helper > /dev/null; then
        deb-systemd-helper unmask meter.service > /dev/null || true
        deb-systemd-helper enable meter.service > /dev/null || true
    fi
    command -v invoke-rc.d > /dev/null && invoke-rc.d meter start || true
fi
SH
    cat > "$tree/DEBIAN/prerm" << 'SH'
#!/bin/sh
set -e
[ ! -x /usr/bin/meter ] || /usr/bin/meter --flush
SH
    cat > "$tree/DEBIAN/postrm" << 'SH'
#!/bin/sh
set -e
if [ "$1" = purge ]; then
    rm -rf /var/lib/meter /var/log/meter
    command -v deb-systemd-helper > /dev/null && deb-systemd-helper purge meter.service > /dev/null || true
    deluser --system --quiet meter || true
fi
ldconfig
SH
    chmod 755 "$tree"/DEBIAN/{preinst,postinst,prerm,postrm}
    printf '#!/bin/sh\nexit 0\n' > "$tree/usr/bin/meter"
    chmod 755 "$tree/usr/bin/meter"
    cp /usr/bin/true "$tree/usr/lib/meter/helper"
    cp /lib/x86_64-linux-gnu/libutil.so.1 "$tree/usr/lib/libmeter.so.1"
    printf '[Unit]\nDescription=counts\n[Service]\nUser=meter\nExecStart=/usr/bin/meter\n[Install]\nWantedBy=multi-user.target\n' \
        > "$tree/lib/systemd/system/meter.service"
    echo '17 * * * * meter /usr/bin/meter --flush' > "$tree/etc/cron.d/meter"
    echo 'every=10' > "$tree/etc/meter/meter.conf"
    printf '/var/log/meter/*.log { weekly\nmissingok }\n' > "$tree/etc/logrotate.d/meter"
    echo 'export METER=1' > "$tree/etc/profile.d/meter.sh"
    echo 'counts' > "$tree/usr/share/doc/meter/README"
    [ "$version" = 1 ] || echo 'more' > "$tree/usr/lib/meter/table"
    dpkg-deb --build --root-owner-group "$tree" "meter_$version.deb"
}
build 1
build 2
apt-get install -y ./meter_1.deb
getent passwd meter
dpkg -i meter_2.deb
files=$(dpkg -L meter | while read -r path; do [ -d "$path" ] || echo "$path"; done | wc -l)
apt-get purge -y meter
exit "$files"
