#!/bin/sh
# Compiles two files, one of which is wrong, and links the other.
printf '#include <stdio.h>\nint main(void) { printf("23\\n"); return 23; }\n' > good.c
printf 'int broken( { return 0; }\n' > bad.c
gcc -O1 -c good.c -o good.o
gcc -O1 -c bad.c -o bad.o 2> errors
gcc good.o -o good
./good > result
exit $?
