// Nanoseconds of a pair of malloc and free, 12 calls deep.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void *(*volatile do_malloc)(size_t) = malloc;
static void (*volatile do_free)(void *) = free;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

__attribute__((noinline)) static double at_depth(int depth, long count) {
    if (depth > 0) {
        double result = at_depth(depth - 1, count);
        __asm__ volatile("" ::: "memory");
        return result;
    }
    double begin = now();
    for (long i = 0; i < count; i++) do_free(do_malloc(64));
    return (now() - begin) / count;
}

int main(int argc, char **argv) {
    long count = argc > 1 ? atol(argv[1]) : 1000000;
    at_depth(9, count / 10);
    printf("%.2f\n", at_depth(9, count));
    return 0;
}
