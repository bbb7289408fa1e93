// Nanoseconds of a pair of malloc and free: of the clock on the wall, and of the thread's own time.
//
// One place calls at one depth, or eight places take turns at depths of 8 to 14 calls.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void *(*volatile do_malloc)(size_t) = malloc;
static void (*volatile do_free)(void *) = free;

static double now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

#define PLACE(n) __attribute__((noinline)) static void place##n(void) { do_free(do_malloc(64 + n)); __asm__ volatile(""); }
PLACE(0) PLACE(1) PLACE(2) PLACE(3) PLACE(4) PLACE(5) PLACE(6) PLACE(7)
static void (*volatile places[8])(void) = {place0, place1, place2, place3, place4, place5, place6, place7};

__attribute__((noinline)) static void descend(int depth, int place) {
    if (depth > 0) descend(depth - 1, place); else places[place]();
    __asm__ volatile("" ::: "memory");
}

// main and what calls it, `run`, the place and this function's last are 6.
static void mixed(long count) {
    for (long i = 0; i < count; i++) descend(2 + (i % 8) * 6 / 7, i % 8);
}

__attribute__((noinline)) static void same(int depth, long count) {
    if (depth > 0) same(depth - 1, count);
    else for (long i = 0; i < count; i++) do_free(do_malloc(64));
    __asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static void run(const char *mode, long count) {
    if (!strcmp(mode, "mixed")) mixed(count); else same(9, count);
    __asm__ volatile("" ::: "memory");
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "same";
    long count = argc > 2 ? atol(argv[2]) : 1000000;
    run(mode, count / 10);
    double wall = now(CLOCK_MONOTONIC), own = now(CLOCK_THREAD_CPUTIME_ID);
    run(mode, count);
    own = now(CLOCK_THREAD_CPUTIME_ID) - own;
    wall = now(CLOCK_MONOTONIC) - wall;
    printf("%.2f %.2f\n", wall / count, own / count);
    return 0;
}
