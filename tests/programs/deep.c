// Calls itself as often as it is told, then allocates and computes.
#include <stdio.h>
#include <stdlib.h>
static volatile unsigned long sink;
__attribute__((noinline)) void bottom(void)
{
	for (int i = 0; i < 1000; i++)
		free(malloc(100 + i % 10));
	for (long i = 0; i < 300000000; i++)
		sink += i;
	asm volatile("");
}
__attribute__((noinline)) void dive(int depth)
{
	if (depth)
		dive(depth - 1);
	else
		bottom();
	asm volatile("" ::"r"(depth));
}
int main(int argc, char **argv)
{
	dive(argc > 1 ? atoi(argv[1]) : 100);
	puts("done");
	return 0;
}
