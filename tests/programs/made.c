// Makes code and runs it for a second; says so in a perf map with lines that are wrong.
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <time.h>
int main(void)
{
	// mov ecx, 100000000; loop: dec ecx; jnz loop; ret
	static const unsigned char code[] = {0xb9, 0x00, 0xe1, 0xf5, 0x05, 0xff, 0xc9, 0x75, 0xfc, 0xc3};
	void *memory = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(memory, code, sizeof(code));
	char path[64];
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	FILE *map = fopen(path, "w");
	fprintf(map, "this is no line\n%lx %zx made_code\nffffffffffffffffffff 10 too_large\n\n12 \n",
		(unsigned long)memory, sizeof(code));
	fclose(map);
	time_t end = time(0) + 2;
	while (time(0) < end)
		((void (*)(void))memory)();
	// The recording names functions when it has ended; the map stays until then.
	return 0;
}
