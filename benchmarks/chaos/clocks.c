/* A clock that may be turned while its process runs, put before libc's by LD_PRELOAD: benchmarks/chaos/clocks.py compiles it.
 * CHAOS_CLOCK names a file of two 64-bit numbers, nanoseconds: how far the clock is off, and where it stands still (0: it does
 * not). Clocks that count from a start of their own are left as they are, for waits are measured by those. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t SECOND = 1000000000;
static const volatile int64_t *turned;

__attribute__((constructor)) static void open_clock(void) {
    const char *name = getenv("CHAOS_CLOCK");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    void *seen = file < 0 ? MAP_FAILED : mmap(NULL, 2 * sizeof *turned, PROT_READ, MAP_SHARED, file, 0);
    if (seen == MAP_FAILED) abort();
    close(file);
    turned = seen;
}

static int64_t now(void) {
    struct timespec real;
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &real);
    return turned[1] ? turned[1] : real.tv_sec * SECOND + real.tv_nsec + turned[0];
}

int clock_gettime(clockid_t which, struct timespec *told) {
    if (which != CLOCK_REALTIME && which != CLOCK_REALTIME_COARSE) return (int)syscall(SYS_clock_gettime, which, told);
    int64_t at = now();
    *told = (struct timespec){at / SECOND, at % SECOND};
    return 0;
}

int gettimeofday(struct timeval *restrict told, void *restrict zone) {
    (void)zone;
    int64_t at = now();
    *told = (struct timeval){at / SECOND, at % SECOND / 1000};
    return 0;
}

time_t time(time_t *told) {
    time_t at = now() / SECOND;
    if (told) *told = at;
    return at;
}
