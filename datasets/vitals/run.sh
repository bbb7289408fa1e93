#!/bin/sh
# 101 writes and 101 reads of 4 KiB past the cache, 17 signals to itself, 3 children ended by SIGTERM,
# and two seconds of work.
dd if=/dev/zero of=data bs=4k count=101 oflag=direct 2> /dev/null
dd if=data of=/dev/null bs=4k iflag=direct 2> /dev/null
rm data
caught=0
trap 'caught=$((caught + 1))' USR1
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do kill -USR1 $$; done
for i in 1 2 3; do
	sleep 60 &
	sleep 0.1
	kill -TERM $!
	wait $! 2> /dev/null
done
timeout 2 sh -c 'while :; do :; done'
exit $caught
