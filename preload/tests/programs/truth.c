// Allocates in all ways of C and keeps its own account of it.
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

// Compilers know what the functions do and leave pairs out.
static void *(*volatile do_malloc)(size_t) = malloc;
static void *(*volatile do_calloc)(size_t, size_t) = calloc;
static void *(*volatile do_realloc)(void *, size_t) = realloc;
static void (*volatile do_free)(void *) = free;

static uint64_t op[11], failed, live, peak, pieces;
static void up(uint64_t n) { live += n; pieces++; if (live > peak) peak = live; }
static void down(uint64_t n) { live -= n; pieces--; }

__attribute__((noinline)) void *leak_here(void) { void *p = do_malloc(1234); op[1]++; up(1234); asm volatile(""); return p; }
__attribute__((noinline)) void *leak_there(void) { void *p = do_calloc(10, 77); op[2]++; up(770); asm volatile(""); return p; }

__attribute__((constructor)) static void early(void) { void *p = do_malloc(99); op[1]++; up(99); do_free(p); down(99); }

static void all_ways(void) {
    char *p = do_malloc(100); op[1]++; up(100);
    memset(p, 7, 100);
    p = do_realloc(p, 60); op[3]++; down(100); up(60);
    for (size_t n = 120, old = 60; n < 3000000; old = n, n = n * 3 / 2) {
        p = do_realloc(p, n); op[3]++; down(old); up(n);
        if (p[59] != 7) abort();
        if (n * 3 / 2 >= 3000000) { do_free(p); down(n); }
    }
    p = do_realloc(NULL, 50); op[3]++; up(50);
    p = do_realloc(p, 0); down(50);
    if (p) { do_free(p); puts("realloc 0 allocates"); }
    p = reallocarray(NULL, 7, 9); op[4]++; up(63);
    p = reallocarray(p, 70, 9); op[4]++; down(63); up(630);
    do_free(p); down(630);
    void *q;
    if (posix_memalign(&q, 256, 333)) abort(); op[5]++; up(333); do_free(q); down(333);
    if (posix_memalign(&q, 3, 333) != EINVAL) abort(); op[5]++; failed++;
    q = aligned_alloc(64, 640); op[6]++; up(640); do_free(q); down(640);
    q = memalign(4096, 10); op[7]++; up(10); do_free(q); down(10);
    q = valloc(11); op[7]++; up(11); do_free(q); down(11);
    q = pvalloc(12); op[7]++; up(12); do_free(q); down(12);
    q = do_malloc(0); op[1]++; up(0); do_free(q); down(0);
    do_free(NULL);
    errno = 0;
    if (do_malloc(SIZE_MAX / 2)) abort(); op[1]++; failed++;
    if (errno != ENOMEM) abort();
    p = do_malloc(40); op[1]++; up(40);
    if (do_realloc(p, SIZE_MAX / 2)) abort(); op[3]++; failed++;
    if (do_calloc(SIZE_MAX / 2, 3)) abort(); op[2]++; failed++;
    if (reallocarray(NULL, SIZE_MAX / 2, 3)) abort(); op[4]++; failed++;
    do_free(p); down(40);
    errno = 77; p = do_malloc(5); op[1]++; up(5); do_free(p); down(5); if (errno != 77) abort();
    for (int i = 0; i < 3; i++) leak_here();
    for (int i = 0; i < 5; i++) leak_there();
}

static void account(void) {
    char line[1000]; int n = 0;
    for (int i = 1; i < 11; i++) n += sprintf(line + n, "op%d=%lu\n", i, op[i]);
    n += sprintf(line + n, "failed=%lu\nlive=%lu\npeak=%lu\npieces=%lu\n", failed, live, peak, pieces);
    if (write(1, line, n) != n) abort();
}

static void *storm(void *arg) {
    unsigned seed = (uintptr_t)arg;
    void *slots[64] = {0};
    for (int i = 0; i < 20000; i++) {
        int at = rand_r(&seed) % 64;
        if (slots[at] && rand_r(&seed) % 3 == 0) slots[at] = do_realloc(slots[at], 1 + rand_r(&seed) % 3000);
        else if (slots[at]) { do_free(slots[at]); slots[at] = NULL; }
        else slots[at] = do_malloc(1 + rand_r(&seed) % 3000);
    }
    for (int i = 0; i < 64; i++) do_free(slots[i]);
    return NULL;
}
// Threads that give each other memory, so that addresses move between them at once.
static void *volatile shared[16];
static void *exchange(void *arg) {
    unsigned seed = (uintptr_t)arg;
    for (int i = 0; i < 30000; i++) {
        void *p = do_malloc(16 + rand_r(&seed) % 200);
        if (rand_r(&seed) % 2) p = do_realloc(p, 16 + rand_r(&seed) % 2000);
        p = __atomic_exchange_n(&shared[rand_r(&seed) % 16], p, __ATOMIC_SEQ_CST);
        if (p && rand_r(&seed) % 2) p = do_realloc(p, 16 + rand_r(&seed) % 2000);
        do_free(p);
    }
    return NULL;
}
// Threads that all have the same few pieces of memory in turn, handed over with no more than a plain
// load and store where the machine allows it. Its allocator must not keep any for one thread.
static void *handover(void *arg) {
    static void *volatile slots[2];
    for (long i = 0; i < 150000; i++) {
        void *p = do_malloc(48);
        void *volatile *slot = &slots[(i + (long)arg) % 2];
        if (i % 2) p = __atomic_exchange_n(slot, p, __ATOMIC_RELAXED);
        do_free(p);
    }
    return NULL;
}
// One thread gets, the other gives back.
static void *volatile given;
static void *giver(void *arg) {
    for (long i = 0; i < 200000; i++) {
        void *p = do_malloc(80);
        while (__atomic_load_n(&given, __ATOMIC_RELAXED)) ;
        __atomic_store_n(&given, p, __ATOMIC_RELEASE);
    }
    return arg;
}
static void *taker(void *arg) {
    for (long i = 0; i < 200000; i++) {
        void *p;
        while (!(p = __atomic_load_n(&given, __ATOMIC_ACQUIRE))) ;
        __atomic_store_n(&given, NULL, __ATOMIC_RELAXED);
        do_free(p);
    }
    return arg;
}
static void *give_or_take(void *arg) { return (long)arg % 2 ? giver(arg) : taker(arg); }
static void *pairs(void *arg) { for (int i = 0; i < 50000; i++) do_free(do_malloc(10)); return arg; }
static pthread_barrier_t crowd;
static void *in_crowd(void *arg) {
    pthread_barrier_wait(&crowd);
    for (int i = 0; i < 200; i++) do_free(do_malloc(24));
    pthread_barrier_wait(&crowd);
    return arg;
}
static void threads(int n, void *(*run)(void *)) {
    pthread_t ids[512];
    for (long i = 0; i < n; i++) if (pthread_create(&ids[i], NULL, run, (void *)(i + 1))) abort();
    for (int i = 0; i < n; i++) pthread_join(ids[i], NULL);
}
static void *one(void *arg) { void *p = do_malloc(48); do_free(p); return leak_here(), arg; }
static void *forker(void *arg) {
    pid_t pid = fork();
    if (pid == 0) { leak_here(); do_free(do_malloc(9)); _exit(0); }
    int status; waitpid(pid, &status, 0); if (status) abort();
    return arg;
}
static volatile sig_atomic_t ticks;
static void tick(int s) { ticks++; }
static void tick_allocating(int s) { do_free(do_malloc(33)); ticks++; }
__attribute__((noinline)) static int recurse(int n) {
    char pad[32]; memset(pad, n, sizeof pad);
    if (n == 0) { do_free(do_malloc(21)); return pad[3]; }
    int r = recurse(n - 1); asm volatile("" ::"r"(pad) : "memory"); return r + pad[1];
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "all";
    if (!strcmp(mode, "all")) all_ways();
    else if (!strcmp(mode, "closed")) { for (int i = 3; i < 1024; i++) close(i); all_ways(); if (open("/dev/null", 0) != 3) abort(); }
    else if (!strcmp(mode, "storm")) threads(8, storm);
    else if (!strcmp(mode, "exchange")) { threads(4, exchange); for (int i = 0; i < 16; i++) do_free(shared[i]); }
    else if (!strcmp(mode, "handover")) { threads(3, handover); }
    else if (!strcmp(mode, "give")) { threads(2, give_or_take); }
    else if (!strcmp(mode, "pairs")) { threads(2, pairs); op[1] += 100000; }
    else if (!strcmp(mode, "crowd")) { pthread_barrier_init(&crowd, NULL, 300); threads(300, in_crowd); }
    else if (!strcmp(mode, "chroot")) {
        if (chroot(argv[2]) || chdir("/")) abort();
        all_ways();
        threads(4, pairs);
        forker(NULL);
    } else if (!strcmp(mode, "churn")) { for (int i = 0; i < 2000; i++) threads(1, one); }
    else if (!strcmp(mode, "fork")) {
        leak_here();
        for (int i = 0; i < 20; i++) forker(NULL);
        threads(8, forker);
        // The child of a child.
        if (fork() == 0) { leak_here(); if (fork() == 0) { leak_here(); _exit(0); } wait(NULL); _exit(0); }
        wait(NULL);
    } else if (!strcmp(mode, "signal") || !strcmp(mode, "signal-allocating")) {
        int allocating = mode[6] != 0;
        signal(SIGALRM, allocating ? tick_allocating : tick);
        struct itimerval every = {{0, 200}, {0, 200}};
        setitimer(ITIMER_REAL, &every, NULL);
        sigset_t alarm; sigemptyset(&alarm); sigaddset(&alarm, SIGALRM);
        while (ticks < 500) {
            // An allocator is not safe in a handler that interrupts it; we must be in all others.
            if (allocating) sigprocmask(SIG_BLOCK, &alarm, NULL);
            do_free(do_malloc(17)); op[1]++;
            if (allocating) sigprocmask(SIG_UNBLOCK, &alarm, NULL);
        }
        memset(&every, 0, sizeof every); setitimer(ITIMER_REAL, &every, NULL);
        if (allocating) op[1] += ticks;
    } else if (!strcmp(mode, "recurse")) { for (int i = 0; i < 200; i++) recurse(5000); }
    else if (!strcmp(mode, "abort")) { all_ways(); account(); abort(); }
    else if (!strcmp(mode, "exec")) { leak_here(); execl(argv[0], argv[0], "all", NULL); abort(); }
    else if (!strcmp(mode, "vfork")) {
        for (int i = 0; i < 50; i++) {
            pid_t pid = vfork();
            if (pid == 0) { execl("/bin/true", "true", NULL); _exit(1); }
            int status; waitpid(pid, &status, 0); if (status) abort();
            do_free(do_malloc(17)); op[1]++;
        }
    } else if (!strcmp(mode, "limit")) {
        struct rlimit small = {1000, 1000};
        setrlimit(RLIMIT_FSIZE, &small);
        threads(4, one);
    } else if (!strcmp(mode, "forever")) { for (;;) { do_free(do_malloc(10)); } }
    else if (!strcmp(mode, "many")) { for (int i = 0; i < 200000; i++) do_free(do_malloc(10)); }
    else if (!strcmp(mode, "altstack")) {
        stack_t alt = {.ss_sp = mmap(0, 65536, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), .ss_size = 65536};
        sigaltstack(&alt, NULL);
        struct sigaction act = {.sa_handler = tick_allocating, .sa_flags = SA_ONSTACK};
        sigaction(SIGUSR1, &act, NULL);
        for (int i = 0; i < 10; i++) raise(SIGUSR1);
    }
    account();
    return 0;
}
