#!/bin/sh
# 23 children that exec, one that cannot, one that ends with 3; ends with 7 itself.
for child in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23; do
	/bin/true "$child"
done
/nowhere/program 2>/dev/null
(exit 3)
exit 7
