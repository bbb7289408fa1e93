# A server of names and its client, in a network namespace of their own: 61 questions with known answers.
set -e
if [ "$1" != inside ]; then exec /usr/bin/unshare -n /bin/sh run.sh inside; fi
PATH=/usr/bin:/bin:/usr/sbin:/sbin
ip link set lo up
text=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
records=
for i in $(seq 17); do records="$records --txt-record=large.test,$text"; done
for i in $(seq 31); do records="$records --host-record=host$i.test,192.0.2.$i,2001:db8::$i"; done
# It goes to the background when it is ready to answer.
dnsmasq --conf-file=/dev/null --no-resolv --no-hosts --user=root --pid-file="$PWD/pid" --log-facility=/dev/null \
	--local=/test/ --local-ttl=77 --edns-packet-max=1232 --listen-address=127.0.0.1,::1 --bind-interfaces \
	--cname=alias.test,host1.test --mx-host=mail.test,host2.test,10 $records
for i in $(seq 31); do echo "host$i.test A"; done > questions
for i in $(seq 13); do echo "host$i.test AAAA"; done >> questions
for i in $(seq 7); do echo "nobody$i.test A"; done >> questions
printf '%s\n' 'alias.test A' 'mail.test MX' 'large.test TXT' >> questions
dig +tries=1 @127.0.0.1 -f questions > /dev/null
dig +tries=1 @::1 host1.test AAAA host2.test AAAA > /dev/null
dig +tries=1 +tcp @127.0.0.1 host3.test A host4.test A host5.test A host6.test A host7.test A > /dev/null
kill "$(cat pid)"
