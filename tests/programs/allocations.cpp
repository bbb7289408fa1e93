// Allocates in every way there is and knows what it did: prints `operation count bytes` of what its
// own code asked for, `live SITE count bytes` of what it never gives back, and `peak bytes`.
//
// Every call comes from a function of its own that is not inlined, so that its name is that of the
// caller. Calls are counted where they are made, not by asking the allocator.
#include <malloc.h>
#include <new>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define APART __attribute__((noinline))

static const char *const NAMES[] = {"malloc",	    "calloc",	     "realloc", "reallocarray", "posix_memalign",
				    "aligned_alloc", "memalign", "new",	"free",		"delete"};
enum { MALLOC, CALLOC, REALLOC, REALLOCARRAY, POSIX_MEMALIGN, ALIGNED_ALLOC, MEMALIGN, NEW, FREE, DELETE, OPERATIONS };

static uint64_t counts[OPERATIONS], sizes[OPERATIONS];

// The compiler must not take a pair of calls for one it can leave out.
static void *volatile keep;

static void count(int operation, uint64_t size)
{
	__atomic_fetch_add(&counts[operation], 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&sizes[operation], size, __ATOMIC_RELAXED);
}

static APART void *get(size_t size)
{
	count(MALLOC, size);
	void *got = malloc(size);
	keep = got;
	return got;
}

static APART void put(void *memory)
{
	if (memory)
		count(FREE, 0);
	free(memory);
	asm volatile("");
}

static APART void leak_small(void)
{
	for (int i = 0; i < 100; i++) {
		count(MALLOC, 1000);
		keep = malloc(1000);
	}
	asm volatile("");
}

static APART void leak_large(void)
{
	for (int i = 0; i < 10; i++) {
		count(CALLOC, 50 * 1001);
		keep = calloc(50, 1001);
	}
	asm volatile("");
}

struct Thing {
	char bytes[72];
};

static APART void leak_things(void)
{
	for (int i = 0; i < 33; i++) {
		count(NEW, sizeof(Thing));
		keep = new Thing;
	}
	asm volatile("");
}

static APART void churn(int rounds)
{
	for (int i = 0; i < rounds; i++)
		put(get(i % 512 + 1));
	asm volatile("");
}

static APART void grow(void)
{
	void *memory = NULL;
	for (size_t size = 16; size <= 1 << 20; size *= 2) {
		count(REALLOC, size);
		memory = realloc(memory, size);
	}
	count(REALLOCARRAY, 100 * 30);
	memory = reallocarray(memory, 100, 30);
	put(memory);
}

static APART void aligned(void)
{
	void *memory = NULL;
	count(POSIX_MEMALIGN, 4000);
	if (posix_memalign(&memory, 4096, 4000))
		abort();
	put(memory);
	count(ALIGNED_ALLOC, 640);
	put(aligned_alloc(64, 640));
	count(MEMALIGN, 333);
	put(memalign(32, 333));
}

struct alignas(128) Wide {
	char bytes[256];
};

static APART void objects(void)
{
	for (int i = 0; i < 500; i++) {
		count(NEW, sizeof(Thing));
		Thing *thing = new Thing;
		keep = thing;
		count(DELETE, 0);
		delete thing;
		count(NEW, 10 * sizeof(int));
		int *numbers = new (std::nothrow) int[10];
		keep = numbers;
		count(DELETE, 0);
		delete[] numbers;
		count(NEW, sizeof(Wide));
		Wide *wide = new Wide;
		keep = wide;
		count(DELETE, 0);
		delete wide;
	}
}

// What cannot be had is asked for as well.
static APART void fail(void)
{
	volatile size_t much = (size_t)1 << 60;
	count(MALLOC, much);
	keep = malloc(much);
	count(NEW, much);
	try {
		keep = new char[much];
		abort();
	} catch (const std::bad_alloc &) {
	}
}

static int rounds = 10000;

static void *thread(void *)
{
	churn(rounds < 5000 ? rounds : 5000);
	objects();
	return NULL;
}

static APART void peak(void)
{
	void *held[64];
	for (int i = 0; i < 64; i++)
		held[i] = get(1 << 20);
	for (int i = 0; i < 64; i++)
		put(held[i]);
}

static APART void leak_in_child(void)
{
	for (int i = 0; i < 7; i++)
		keep = malloc(333);
	asm volatile("");
}

int main(int argc, char **argv)
{
	if (argc > 1)
		rounds = atoi(argv[1]);
	// So that what is attached to processes is so by the time they allocate.
	int patience_us = argc > 2 ? atoi(argv[2]) : 0;
	usleep(argc > 3 ? patience_us : 0);
	peak();
	leak_small();
	leak_large();
	leak_things();
	churn(rounds);
	grow();
	aligned();
	objects();
	fail();
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, thread, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 3; i++) {
		pid_t child = fork();
		if (!child) {
			usleep(patience_us);
			leak_in_child();
			_exit(0);
		}
		waitpid(child, NULL, 0);
	}
	for (int i = 0; i < OPERATIONS; i++)
		printf("%s %llu %llu\n", NAMES[i], (unsigned long long)counts[i], (unsigned long long)sizes[i]);
	printf("live leak_small 100 100000\nlive leak_large 10 500500\nlive leak_things 33 2376\n");
	printf("live leak_in_child 21 6993\npeak %d\n", 64 << 20);
	return 0;
}
