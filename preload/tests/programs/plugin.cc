// A plugin that allocates when loaded, when called and when unloaded.
#include <cstdlib>
#include <string>
#include <vector>
static std::vector<std::string> *things = new std::vector<std::string>(10, std::string(100, 'x'));
static void *(*volatile do_malloc)(size_t) = malloc;
extern "C" __attribute__((noinline, visibility("default"))) void *plugin_malloc(size_t n) { void *p = do_malloc(n); asm volatile(""); return p; }
__attribute__((destructor)) static void over() { delete things; free(do_malloc(77)); }
