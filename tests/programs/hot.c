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
	for (long i = argc > 1 ? atol(argv[1]) : 1000; i; i--) {
		seventy(200000);
		twenty(200000);
		ten(200000);
	}
	return 0;
}
