// Touches so many pages for the first time, prints how many page faults the kernel counted, and
// stays for so many seconds.
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
__attribute__((noinline)) void touch(volatile char *memory, long pages)
{
	for (long i = 0; i < pages; i++)
		memory[i * 4096] = 1;
	asm volatile("");
}
int main(int argc, char **argv)
{
	long pages = argc > 1 ? atol(argv[1]) : 100;
	char *memory = mmap(0, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(memory, pages * 4096, MADV_NOHUGEPAGE);
	struct rusage before, after;
	getrusage(RUSAGE_SELF, &before);
	touch(memory, pages);
	getrusage(RUSAGE_SELF, &after);
	printf("%ld\n", after.ru_minflt - before.ru_minflt);
	fflush(stdout);
	if (argc > 2)
		sleep(atoi(argv[2]));
	return 0;
}
