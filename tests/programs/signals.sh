# Signals of every outcome, known by number: sent to itself and to one child at a time.
exec 2> /dev/null
trap 'caught=$((caught + 1))' USR1
caught=0 i=0
while [ $i -lt 7 ]; do kill -USR1 $$; i=$((i + 1)); done
trap '' USR2
i=0
while [ $i -lt 5 ]; do kill -USR2 $$; i=$((i + 1)); done
# A child that a signal ends, one that ends by itself, and one that the kernel ends.
sleep 60 &
kill -TERM $!
wait $!
(exit 3)
(ulimit -f 1; head -c 1000000 /dev/zero > "$1/too-large")
[ $caught = 7 ]
