#!/bin/bash
# A session of a user: an X server without a screen, a session bus, a window manager, a terminal in which commands are typed
# and a file is edited, a file manager, and a browser that shows a page of a server of this machine. Ends with 6, the lines of
# the file that was typed: the last is empty. In namespaces of its own, with a user of its own.
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
if [ "${DESKTOP_INSIDE:-}" = "" ]; then
    DESKTOP_INSIDE=root exec unshare --mount --net --pid --fork --kill-child --propagation private "$BASH" "$0"
fi
if [ "$DESKTOP_INSIDE" = root ]; then
    mount -t proc proc /proc
    ip link set lo up
    mount -t tmpfs tmpfs /run
    mkdir -p files/home files/run /run/user/2000
    { cat /etc/passwd; echo "anna:x:2000:2000:Anna:$PWD/files/home:/bin/bash"; } > files/passwd
    { cat /etc/group; echo anna:x:2000:; } > files/group
    mount --bind files/passwd /etc/passwd
    mount --bind files/group /etc/group
    chown -R 2000:2000 files/home /run/user/2000
    chmod 700 /run/user/2000
    # As a display manager does: the server runs as root, the session as the user.
    Xvfb :7 -screen 0 1024x768x24 -nolisten tcp > /dev/null 2>&1 &
    for _ in $(seq 50); do [ -S /tmp/.X11-unix/X7 ] && break; sleep 0.1; done
    cd files/home
    code=0
    env -i PATH="$PATH" LANG=C.UTF-8 HOME="$PWD" USER=anna LOGNAME=anna SHELL=/bin/bash DISPLAY=:7 NO_AT_BRIDGE=1 \
        XDG_RUNTIME_DIR=/run/user/2000 DESKTOP_INSIDE=user \
        setpriv --reuid 2000 --regid 2000 --init-groups dbus-run-session -- "$BASH" "$OLDPWD/run.sh" || code=$?
    rm -f /tmp/.X7-lock /tmp/.X11-unix/X7
    exit "$code"
fi

mkdir -p Documents Pictures site .config
echo '<html><title>Notes</title><p>Nothing new. <img src="picture.png"></html>' > site/index.html
cp /usr/share/icons/hicolor/48x48/apps/*.png Pictures/ 2> /dev/null || true
cp /usr/share/pixmaps/*.png Pictures/ 2> /dev/null || true
find Pictures -name '*.png' | head -1 | xargs -r -I{} cp {} site/picture.png
for n in $(seq 12); do seq "$n" > "Documents/notes-$n.txt"; done
python3 -ISB -m http.server --bind 127.0.0.1 --directory site 8000 > /dev/null 2>&1 &
openbox &
sleep 1
type() { xdotool type --delay 15 "$1"; xdotool key Return; }
xterm -title work -e bash &
sleep 1
type 'ls -l Documents'
type 'for n in 1 2 3; do wc -l Documents/notes-$n.txt; done'
type 'tar czf notes.tar.gz Documents && ls -lh notes.tar.gz'
type 'ps x | tail -3; df -h . ; date; whoami'
type 'nano Documents/letter.txt'
sleep 1
for line in Dear Anna, all is well. ; do type "$line"; done
xdotool key ctrl+o Return ctrl+x
sleep 1
type 'gzip -k Documents/letter.txt; rm Documents/notes-12.txt; grep -c . Documents/letter.txt'
pcmanfm --no-desktop Documents &
sleep 2
xdotool key ctrl+a F5
dillo http://127.0.0.1:8000/ > /dev/null 2>&1 &
sleep 2
xdotool key F5
sleep 1
xdotool search --name work windowactivate 2> /dev/null || true
sleep 1
lines=$(wc -l < Documents/letter.txt)
kill %openbox 2> /dev/null || true
kill $(jobs -p) 2> /dev/null || true
exit "$lines"
