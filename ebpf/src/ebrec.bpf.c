/* The kernel side of ebrec: one object, so that its programs share the state of threads; the loader
 * takes the programs a recording needs. Compiled twice: with task storage, and with a hash instead
 * (EBREC_HASH) for kernels before 5.11. */
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_endian.h>
#include <linux/in.h>

#include "ebrec_events.h"
#include "kernel.h"

#include "ring.h"
#include "cgroups.h"
#include "thread.h"
#include "redact.h"
#include "paths.h"
#include "identity.h"
#include "unwind.h"
#include "mappings.h"
#include "stacks.h"
#include "cpu.h"
#include "memory.h"
#include "usage.h"
#include "processes.h"
#include "syscalls.h"
#include "io_uring_files.h"
#include "io_uring.h"
#include "sched.h"
#include "allocations.h"
#include "sockets.h"
#include "socket_rows.h"
#include "connections.h"
#include "socket_calls.h"
#include "socket_walks.h"

#include "bytes.h"
#include "packet.h"
#include "owner.h"
#include "packets.h"
#include "flows.h"
#include "traffic.h"

#include "dns.h"

#include "disk.h"
#include "signals.h"

#include "snapshot.h"

char LICENSE[] SEC("license") = "GPL";
