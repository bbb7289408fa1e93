// One thread sleeps 10 ms a hundred times; another waits 20 times for a lock that main holds for 50 ms.
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#define APART __attribute__((noinline))
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void nap(long ms)
{
	struct timespec time = {.tv_nsec = ms * 1000000};
	nanosleep(&time, 0);
}
static APART void sleep_often(void)
{
	for (int i = 0; i < 100; i++)
		nap(10);
	asm volatile("");
}
static APART void take_lock(void)
{
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
	asm volatile("");
}
static APART void release_lock(void)
{
	pthread_mutex_unlock(&lock);
	asm volatile("");
}
static void *sleeper(void *unused)
{
	sleep_often();
	return unused;
}
static void *waiter(void *unused)
{
	take_lock();
	return unused;
}
int main(void)
{
	pthread_t first, second;
	printf("%p\n", (void *)&lock);
	pthread_create(&first, 0, sleeper, 0);
	for (int i = 0; i < 20; i++) {
		pthread_mutex_lock(&lock);
		pthread_create(&second, 0, waiter, 0);
		nap(50);
		release_lock();
		pthread_join(second, 0);
	}
	pthread_join(first, 0);
	return 0;
}
