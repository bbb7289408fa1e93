// So many pairs of malloc and free, ten calls deep; prints the CPU time of a pair in ns. A second
// argument is how many ms to wait before.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#define APART __attribute__((noinline))
static void *volatile keep;
static APART void f0(long pairs)
{
	for (long i = 0; i < pairs; i++) {
		void *memory = malloc(100 + i % 8);
		keep = memory;
		free(memory);
	}
	asm volatile("");
}
#define DEEPER(name, inner) static APART void name(long pairs) { inner(pairs); asm volatile(""); }
DEEPER(f1, f0)
DEEPER(f2, f1)
DEEPER(f3, f2)
DEEPER(f4, f3)
DEEPER(f5, f4)
DEEPER(f6, f5)
DEEPER(f7, f6)
int main(int argc, char **argv)
{
	long pairs = argc > 1 ? atol(argv[1]) : 1000000;
	struct timespec from, to;
	usleep(argc > 2 ? atol(argv[2]) * 1000 : 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	f7(pairs);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	printf("%.1f\n", ((to.tv_sec - from.tv_sec) * 1e9 + to.tv_nsec - from.tv_nsec) / pairs);
	return 0;
}
