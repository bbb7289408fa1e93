/* Does the same with files by system calls or by io_uring: by_ring WAY [ARGUMENT]. Prints the result of each.
 *
 *   calls FOLDER     makes, opens, links, renames and removes in a folder, by system calls
 *   ring FOLDER      the same by io_uring
 *   sqpoll FOLDER    the same, submitted by a thread of the kernel
 *   silent FILE      opens a file by io_uring, which is to say nothing of a success
 *   slot FILE        opens a file into the ring's table of files, and reads nothing from standard input
 *   many COUNT       removes files that are not there, all at once
 *
 * Ends with 3 if the kernel makes no ring. Without a library for it, so that it is compiled anywhere. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ring {
	int fd;
	unsigned *sq_head, *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	unsigned enter_flags;
};

static struct ring ring;

static void *map(size_t size, off_t offset)
{
	void *at = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd, offset);
	if (at == MAP_FAILED)
		exit(1);
	return at;
}

static void ring_make(unsigned entries, unsigned flags)
{
	struct io_uring_params p;
	memset(&p, 0, sizeof(p));
	p.flags = flags;
	p.sq_thread_idle = 1000;
	ring.fd = syscall(SYS_io_uring_setup, entries, &p);
	if (ring.fd < 0)
		exit(3);
	ring.enter_flags = flags & IORING_SETUP_SQPOLL ? IORING_ENTER_SQ_WAKEUP : 0;
	char *sq = map(p.sq_off.array + p.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
	char *cq = map(p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
	ring.sqes = map(p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	ring.sq_tail = (unsigned *)(sq + p.sq_off.tail);
	ring.sq_mask = (unsigned *)(sq + p.sq_off.ring_mask);
	ring.sq_array = (unsigned *)(sq + p.sq_off.array);
	ring.cq_head = (unsigned *)(cq + p.cq_off.head);
	ring.cq_tail = (unsigned *)(cq + p.cq_off.tail);
	ring.cq_mask = (unsigned *)(cq + p.cq_off.ring_mask);
	ring.cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
}

static void ring_put(struct io_uring_sqe *sqe)
{
	unsigned tail = *ring.sq_tail, at = tail & *ring.sq_mask;
	ring.sqes[at] = *sqe;
	ring.sq_array[at] = at;
	__atomic_store_n(ring.sq_tail, tail + 1, __ATOMIC_RELEASE);
}

/* Submits what was put, waits for as many completions, and returns the result of the last. */
static long ring_run(unsigned submitted, unsigned completions)
{
	long result = 0;
	while (completions) {
		long entered = syscall(SYS_io_uring_enter, ring.fd, submitted, 1, ring.enter_flags | IORING_ENTER_GETEVENTS, 0, 0);
		if (entered < 0 && errno != EINTR)
			exit(1);
		if (entered > 0)
			submitted -= entered;
		unsigned head = *ring.cq_head;
		while (completions && head != __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE)) {
			result = ring.cqes[head++ & *ring.cq_mask].res;
			completions--;
		}
		__atomic_store_n(ring.cq_head, head, __ATOMIC_RELEASE);
	}
	return result;
}

/* The system call that does what an operation of io_uring does. */
static long call(struct io_uring_sqe *s)
{
	long result = -1;
	switch (s->opcode) {
	case IORING_OP_OPENAT:
		result = syscall(SYS_openat, s->fd, s->addr, s->open_flags, s->len);
		break;
	case IORING_OP_OPENAT2:
		result = syscall(SYS_openat2, s->fd, s->addr, s->addr2, s->len);
		break;
	case IORING_OP_STATX:
		result = syscall(SYS_statx, s->fd, s->addr, s->statx_flags, s->len, s->addr2);
		break;
	case IORING_OP_UNLINKAT:
		result = syscall(SYS_unlinkat, s->fd, s->addr, s->unlink_flags);
		break;
	case IORING_OP_MKDIRAT:
		result = syscall(SYS_mkdirat, s->fd, s->addr, s->len);
		break;
	case IORING_OP_RENAMEAT:
		result = syscall(SYS_renameat, s->fd, s->addr, s->len, s->addr2);
		break;
	case IORING_OP_SYMLINKAT:
		result = syscall(SYS_symlinkat, s->addr, s->fd, s->addr2);
		break;
	case IORING_OP_LINKAT:
		result = syscall(SYS_linkat, s->fd, s->addr, s->len, s->addr2, s->hardlink_flags);
		break;
	}
	return result < 0 ? -errno : result;
}

static int by_call;

/* One operation; what is `flags` is so for all that have them. */
static long operate(const char *name, int opcode, int fd, const void *path, unsigned length, const void *second, unsigned flags)
{
	struct io_uring_sqe sqe;
	memset(&sqe, 0, sizeof(sqe));
	sqe.opcode = opcode;
	sqe.fd = fd;
	sqe.addr = (uintptr_t)path;
	sqe.len = length;
	sqe.addr2 = (uintptr_t)second;
	sqe.open_flags = flags;
	long result;
	if (by_call) {
		result = call(&sqe);
	} else {
		ring_put(&sqe);
		result = ring_run(1, 1);
	}
	printf("%s,%ld\n", name, result);
	return result;
}

static void operations(const char *folder)
{
	static char far[1600];
	struct statx found;
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC };
	if (chdir(folder))
		exit(1);
	for (int i = 0; i < 750; i++)
		strcat(far, "./");
	strcat(far, "new");
	operate("mkdirat", IORING_OP_MKDIRAT, AT_FDCWD, "made", 0750, 0, 0);
	int made = operate("openat", IORING_OP_OPENAT, AT_FDCWD, "made", 0, 0, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	operate("openat", IORING_OP_OPENAT, made, "new", 0640, 0, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC);
	operate("openat", IORING_OP_OPENAT, AT_FDCWD, "nowhere/file", 0, 0, O_RDONLY | O_CLOEXEC);
	operate("openat", IORING_OP_OPENAT, made, far, 0, 0, O_RDONLY | O_CLOEXEC);
	operate("openat2", IORING_OP_OPENAT2, AT_FDCWD, "made/new", sizeof(how), &how, 0);
	operate("statx", IORING_OP_STATX, made, "new", STATX_SIZE, &found, AT_SYMLINK_NOFOLLOW);
	operate("symlinkat", IORING_OP_SYMLINKAT, made, "../made/new", 0, "soft", 0);
	operate("linkat", IORING_OP_LINKAT, made, "soft", AT_FDCWD, "hard", AT_SYMLINK_FOLLOW);
	operate("renameat", IORING_OP_RENAMEAT, AT_FDCWD, "hard", made, "moved", 0);
	operate("unlinkat", IORING_OP_UNLINKAT, made, "moved", 0, 0, 0);
	operate("unlinkat", IORING_OP_UNLINKAT, AT_FDCWD, "made/soft", 0, 0, 0);
	operate("unlinkat", IORING_OP_UNLINKAT, made, "new", 0, 0, 0);
	operate("unlinkat", IORING_OP_UNLINKAT, AT_FDCWD, "made", 0, 0, AT_REMOVEDIR);
}

/* Opens a file without a completion; a link to an operation that has one tells when that is done. */
static void silent(const char *file)
{
	struct io_uring_sqe sqe;
	memset(&sqe, 0, sizeof(sqe));
	sqe.opcode = IORING_OP_OPENAT;
	sqe.fd = AT_FDCWD;
	sqe.addr = (uintptr_t)file;
	sqe.flags = IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK;
	ring_put(&sqe);
	memset(&sqe, 0, sizeof(sqe));
	sqe.opcode = IORING_OP_NOP;
	ring_put(&sqe);
	printf("nop,%ld\n", ring_run(2, 1));
}

static void slot(const char *file)
{
	int none[8];
	memset(none, -1, sizeof(none));
	if (syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, none, 8))
		exit(1);
	struct io_uring_sqe sqe;
	memset(&sqe, 0, sizeof(sqe));
	sqe.opcode = IORING_OP_OPENAT;
	sqe.fd = AT_FDCWD;
	sqe.addr = (uintptr_t)file;
	sqe.file_index = 6;
	ring_put(&sqe);
	long result = ring_run(1, 1);
	/* The descriptor of the same number is another file. */
	if (read(result, none, 0))
		exit(1);
	printf("openat,%ld\n", result);
}

static void many(unsigned count)
{
	struct io_uring_sqe sqe;
	memset(&sqe, 0, sizeof(sqe));
	sqe.opcode = IORING_OP_UNLINKAT;
	sqe.fd = AT_FDCWD;
	sqe.addr = (uintptr_t)"nowhere/file";
	for (unsigned i = 0; i < count; i++)
		ring_put(&sqe);
	printf("unlinkat,%ld\n", ring_run(count, count));
}

int main(int count, char **arguments)
{
	if (count != 3)
		return 2;
	const char *way = arguments[1], *what = arguments[2];
	by_call = !strcmp(way, "calls");
	if (!by_call)
		ring_make(!strcmp(way, "many") ? 4096 : 8, strcmp(way, "sqpoll") ? 0 : IORING_SETUP_SQPOLL);
	if (!strcmp(way, "silent"))
		silent(what);
	else if (!strcmp(way, "slot"))
		slot(what);
	else if (!strcmp(way, "many"))
		many(atoi(what));
	else
		operations(what);
	return 0;
}
