// Loads and unloads plugins again and again, in more than one thread, and sorts.
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
static void *(*volatile do_malloc)(size_t) = malloc;
__attribute__((noinline)) int compare(const void *a, const void *b) { free(do_malloc(4321)); return *(int *)a - *(int *)b; }
__attribute__((noinline)) void sorting(void) { int v[8] = {5, 3, 8, 1, 9, 2, 7, 4}; qsort(v, 8, sizeof *v, compare); if (v[0] != 1) abort(); }
static void *others(void *stop) { while (!*(volatile int *)stop) free(do_malloc(55)); return NULL; }
int main(int argc, char **argv) {
    int stop = 0; pthread_t thread; pthread_create(&thread, NULL, others, &stop);
    for (int i = 0; i < 30; i++) {
        void *handle = dlopen(argv[1 + i % 2], RTLD_NOW | RTLD_LOCAL);
        if (!handle) { puts(dlerror()); return 1; }
        void *(*call)(size_t) = (void *(*)(size_t))dlsym(handle, "plugin_malloc");
        for (int n = 0; n < 10; n++) free(call(5000 + n));
        if (dlclose(handle)) return 1;
    }
    stop = 1; pthread_join(thread, NULL);
    sorting();
    return 0;
}
