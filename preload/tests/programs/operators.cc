// Allocates in all ways of C++ and keeps its own account of it.
#include <cstdio>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

static unsigned long news, deletes, failed, caught;
static void *volatile keep;
#define GOT(p) (keep = (p), news++, keep)
#define GAVE (deletes++)

struct alignas(128) Wide { char bytes[256]; ~Wide() {} };

static bool handled;
static void handler() { handled = true; std::set_new_handler(nullptr); }
__attribute__((noinline)) static void *huge() { return ::operator new(size_t(1) << 62); }

int main() {
    for (int i = 0; i < 100; i++) {
        operator delete(GOT(operator new(10 + i))), GAVE;
        operator delete[](GOT(operator new[](20 + i))), GAVE;
        operator delete(GOT(operator new(30 + i, std::nothrow)), std::nothrow), GAVE;
        operator delete[](GOT(operator new[](40 + i, std::nothrow)), std::nothrow), GAVE;
        operator delete(GOT(operator new(50)), size_t(50)), GAVE;
        operator delete[](GOT(operator new[](60)), size_t(60)), GAVE;
        auto align = std::align_val_t(256);
        operator delete(GOT(operator new(70, align)), align), GAVE;
        operator delete[](GOT(operator new[](80, align)), align), GAVE;
        operator delete(GOT(operator new(90, align)), size_t(90), align), GAVE;
        operator delete[](GOT(operator new[](100, align)), size_t(100), align), GAVE;
        operator delete(GOT(operator new(110, align, std::nothrow)), align, std::nothrow), GAVE;
        operator delete[](GOT(operator new[](120, align, std::nothrow)), align, std::nothrow), GAVE;
        auto *wide = new Wide[3];
        if (reinterpret_cast<size_t>(wide) % 128) abort();
        GOT(wide); delete[] wide; GAVE;
    }
    for (int i = 0; i < 10; i++) {
        news++, failed++;
        try { keep = huge(); } catch (const std::bad_alloc &) { caught++; }
        news++, failed++;
        try { keep = operator new[](size_t(1) << 61, std::align_val_t(64)); } catch (const std::bad_alloc &) { caught++; }
        news++, failed++;
        if (operator new(size_t(1) << 60, std::nothrow)) abort();
    }
    std::set_new_handler(handler);
    news++, failed++;
    try { keep = huge(); } catch (const std::bad_alloc &) { caught++; }
    if (!handled) abort();
    // An exception that goes through frames of a thread.
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) threads.emplace_back([] { try { keep = huge(); } catch (const std::bad_alloc &) { __atomic_add_fetch(&caught, 1, __ATOMIC_SEQ_CST); } });
    for (auto &thread : threads) thread.join();
    news += 4, failed += 4;
    printf("news=%lu\ndeletes=%lu\nfailed=%lu\ncaught=%lu\n", news, deletes, failed, caught);
}
