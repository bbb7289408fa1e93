#!/bin/bash
# Debian's cron runs jobs of the system and of a user over one minute's turn: rotation of logs, a backup, a clean-up, a dump
# of a database, a request to a service of the machine, and a job that fails. Ends with 8, the
# number of old files that were cleaned up. In namespaces of its own; folders of its own stand in the place of /etc/cron.d and its like.
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
if [ "${CRON_INSIDE:-}" != 1 ]; then
    CRON_INSIDE=1 exec unshare --mount --net --pid --fork --kill-child --propagation private "$BASH" "$0"
fi
mount -t proc proc /proc
ip link set lo up
mkdir -p jobs hourly spool run log site backup old data
chmod 755 . jobs hourly data
chown nobody data

# What cron reads is there before it, and not written where it is looked for.
cat > jobs/site << CRON
SHELL=/bin/sh
PATH=/usr/sbin:/usr/bin:/sbin:/bin
* * * * * root cd / && run-parts --report /etc/cron.hourly
* * * * * nobody test -x /usr/bin/sqlite3 && sqlite3 $PWD/data/site.db .dump | gzip > $PWD/data/dump.gz
* * * * * root find $PWD/old -name '*.tmp' -mmin +5 -delete
* * * * * root false || echo failed
CRON
cat > hourly/logrotate << SH
#!/bin/sh
/usr/sbin/logrotate --state $PWD/log/state $PWD/logrotate.conf
SH
cat > hourly/backup << SH
#!/bin/sh
set -e
tar -C $PWD -czf $PWD/backup/new.tar.gz site
mv $PWD/backup/new.tar.gz $PWD/backup/site-\$(date +%A).tar.gz
SH
cat > hourly/watch << SH
#!/bin/sh
curl -fsS -o /dev/null http://127.0.0.1:18090/page-1 || logger "the site does not answer"
df / | tail -1 > $PWD/log/disk
SH
chmod 755 hourly/*
cat > logrotate.conf << CONF
$PWD/log/site.log {
    rotate 2
    size 1
    compress
    create
    postrotate
        kill -HUP \$(cat $PWD/run/site.pid)
    endscript
}
CONF
chmod 644 logrotate.conf jobs/site
echo "* * * * * echo \$(id -un) >> $PWD/data/turns" > spool/nobody
chown nobody:crontab spool/nobody
chmod 600 spool/nobody
for folder in /etc/cron.d:jobs /etc/cron.hourly:hourly /var/spool/cron/crontabs:spool; do
    mount --bind "${folder#*:}" "${folder%:*}"
done
mount --bind /dev/null /etc/crontab
mount -t tmpfs tmpfs /run
for page in $(seq 20); do head -c 2000 /dev/urandom > "site/page-$page"; done
for file in $(seq 8); do touch -d '-1 hour' "old/$file.tmp"; done
seq 500 > log/site.log
sqlite3 data/site.db 'CREATE TABLE pages (name); INSERT INTO pages VALUES (1), (2), (3)'
chown nobody data/site.db

python3 -ISB - > /dev/null 2>&1 << 'PYTHON' &
import functools, http.server, signal
signal.signal(signal.SIGHUP, signal.SIG_IGN)
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory="site")
http.server.HTTPServer(("127.0.0.1", 18090), handler).serve_forever()
PYTHON
echo $! > run/site.pid
# The turn of a minute is awaited, and cron started shortly before.
sleep $((57 - 10#$(date +%S) % 57))
cron -f &
cron=$!
sleep 8
ls backup old data
kill "$cron"
wait "$cron" || true
[ "$(cat data/turns)" = nobody ] && [ -s data/dump.gz ]
exit $((8 - $(find old -type f | wc -l)))
