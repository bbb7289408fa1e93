// Spends 70, 20 and 10 percent of its time in three functions.
#include <stdlib.h>
static volatile unsigned long sink;
#define APART __attribute__((noinline))
static APART void spin(long rounds)
{
	for (long i = 0; i < rounds; i++)
		sink += i * i;
	asm volatile("");
}
static APART void seventy(long rounds)
{
	spin(7 * rounds);
	asm volatile("");
}
static APART void twenty(long rounds)
{
	spin(2 * rounds);
	asm volatile("");
}
static APART void ten(long rounds)
{
	spin(rounds);
	asm volatile("");
}
int main(int argc, char **argv)
{
	// No two turns are alike: what looks at regular times must not fall into step with them.
	unsigned int random = 1;
	for (long i = argc > 1 ? atol(argv[1]) : 1000; i; i--) {
		random = random * 1103515245 + 12345;
		long rounds = 100000 + (random >> 8) % 200000;
		seventy(rounds);
		twenty(rounds);
		ten(rounds);
	}
	return 0;
}
