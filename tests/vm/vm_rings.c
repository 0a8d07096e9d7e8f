// SPDX-License-Identifier: MIT
/*
 * Queue pairs of a process: SETUP, each command through the mapped ring, errors, stopping and
 * RESTART, interrupts, the residency map. Needs CAP_SYS_ADMIN. TAP.
 */
#include "vm_ring.h"

#include <sys/eventfd.h>
#include <sys/wait.h>

static struct kvcpu_info device;

/* -- SETUP ------------------------------------------------------------------ */

static int setup_with(int fd, uint32_t flags, uint32_t sq, uint32_t cq, uint32_t count, uint32_t ns)
{
    struct kvcpu_setup setup = {.flags = flags,
                                .sq_entries = sq,
                                .cq_entries = cq,
                                .coalesce_count = count,
                                .coalesce_ns = ns};

    return ioctl(fd, KVCPU_IOC_SETUP, &setup);
}

static void test_bad_setup(void)
{
    struct kvcpu_setup quota = {.sq_entries = 2, .cq_entries = 2, .slots_min = 2, .slots_max = 1};
    int fd = open_device();
    uint32_t stopped;

    fails(ioctl(fd, KVCPU_IOC_SETUP, WILD), EFAULT, "SETUP with a bad pointer");
    fails(setup_with(fd, 2, 2, 2, 0, 0), EINVAL, "an unknown flag");
    fails(setup_with(fd, 0, 3, 2, 0, 0), EINVAL, "three entries");
    fails(setup_with(fd, 0, 1, 2, 0, 0), EINVAL, "one entry");
    fails(setup_with(fd, 0, 2, 8192, 0, 0), EINVAL, "8,192 completions");
    fails(setup_with(fd, 0, 2, 2, 4097, 1), EINVAL, "4,097 completions for an interrupt");
    fails(setup_with(fd, 0, 2, 2, 2, 0), EINVAL, "two completions for an interrupt, and no time");
    fails(setup_with(fd, 0, 2, 2, 0, 5), EINVAL, "a time without a count");
    fails(setup_with(fd, 0, 2, 2, 2, 1000000001), EINVAL, "more than a second");
    if (device.features & KVCPU_FEATURE_QUOTAS) {
        fails(ioctl(fd, KVCPU_IOC_SETUP, &quota), EINVAL, "a minimum above the maximum");
    }
    is(info_of(fd).context, 0, "none of them made a context");
    fails(restart(fd, &stopped), ENXIO, "RESTART without rings");
    fails(coalesce(fd, 1, 0), ENXIO, "COALESCE without rings");
    fails(buffer_remove(fd, 0), ENXIO, "BUFFER_REMOVE without rings");
    ok(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 1LL << 60) == MAP_FAILED && errno == ENXIO,
       "mmap without rings: ENXIO");
    fails(setup_with(fd, 0, 2, 2, 0, 0), 0, "the smallest rings");
    fails(setup_with(fd, 0, 2, 2, 0, 0), EBUSY, "and no second ones");
    close(fd);
}

static int map_error(int fd, struct kvcpu_region region, uint64_t bytes, int protection, int flags)
{
    void *at = mmap(NULL, bytes, protection, flags, fd, (off_t)region.offset);

    if (at == MAP_FAILED) {
        return errno;
    }
    munmap(at, bytes);
    return 0;
}

static void test_mappings(void)
{
    int fd = open_device();
    struct ring ring = ring_open(fd, 64, 64, 0);
    struct kvcpu_setup *setup = &ring.setup;
    struct kvcpu_region hole = {.offset = setup->doorbell.offset + 4096};
    int both = PROT_READ | PROT_WRITE;

    is(setup->sq.bytes, 4096, "a submission ring of 64 entries is a page");
    is(setup->cq.bytes, 4096, "so is a completion ring of as many");
    is(setup->context, info_of(fd).context, "SETUP says which context it is");
    is(map_error(fd, setup->sq, 4096, both, MAP_PRIVATE), EINVAL, "a private mapping: EINVAL");
    is(map_error(fd, setup->sq, 8192, both, MAP_SHARED), EINVAL, "beyond the ring: EINVAL");
    is(map_error(fd, hole, 4096, both, MAP_SHARED), EINVAL, "behind the doorbell: EINVAL");
    is(map_error(fd, setup->residency, 4096, both, MAP_SHARED), EINVAL,
       "a residency map to write to: EINVAL");
    is(map_error(fd, setup->sq, 4096, both, MAP_SHARED), 0, "a ring twice");
    fails(mprotect((void *)ring.residency, 4096, both), EACCES, "nor is it made writable later");
    ring_unmap(&ring);
    close(fd);
}

/* -- Commands ---------------------------------------------------------------- */

static void test_commands(struct ring *ring, uint64_t first, uint8_t *memory, uint32_t buffer)
{
    struct answer answer;
    uint8_t *back = memory + device.block_size;

    memset(memory, 0x5a, device.block_size);
    is(ring_copy(ring, KVCPU_OP_WRITE, first, buffer, 0, device.block_size), KVCPU_SC_SUCCESS,
       "WRITE");
    answer = ring_run(
        ring, (struct entry){.first = first, .count = 2, .arg = LONG_NS, .control = KVCPU_OP_PIN});
    is(status_of(answer.result), KVCPU_SC_SUCCESS, "PIN");
    ok(answer.time > 0 && answer.reserved == 0, "its completion says when, and nothing else");
    is(ring->residency[first] & 0x31, 1, "the residency map has it in the fast tier");
    is(ring_copy(ring, KVCPU_OP_READ, first, buffer, device.block_size, device.block_size),
       KVCPU_SC_SUCCESS, "READ to another place of the buffer");
    ok(memcmp(memory, back, device.block_size) == 0, "gives what was written");
    is(ring_range(ring, KVCPU_OP_FENCE, 0, 0, 0), KVCPU_SC_SUCCESS, "FENCE with nothing waiting");
    is(ring_range(ring, KVCPU_OP_CANCEL, 0, 0, 99), KVCPU_SC_NOT_FOUND, "CANCEL of nothing");
    is(ring_range(ring, KVCPU_OP_UNPIN, first, 2, 0), KVCPU_SC_SUCCESS, "UNPIN");
    is(ring_range(ring, KVCPU_OP_UNPIN, first, 2, 0), KVCPU_SC_NOT_PINNED, "UNPIN again");
    is(ring_range(ring, KVCPU_OP_SEAL, first, 1, 0), KVCPU_SC_SUCCESS, "SEAL");
    is(ring_copy(ring, KVCPU_OP_WRITE, first, buffer, 0, 16), KVCPU_SC_SEALED, "WRITE to it");
    is(ring_range(ring, KVCPU_OP_FREE, first, 1, 0), KVCPU_SC_SUCCESS, "FREE");
    is(ring->residency[first], 0, "the residency map has it no more");
    is(ring_range(ring, KVCPU_OP_FREE, first, 1, 0), KVCPU_SC_NOT_OWNER, "FREE again");
}

static void test_hints(struct ring *ring, uint64_t first)
{
    static const uint16_t hints[] = {KVCPU_OP_STEP,         KVCPU_OP_HOT,     KVCPU_OP_EVICTABLE,
                                     KVCPU_OP_PREFETCHABLE, KVCPU_OP_RELEASE, KVCPU_OP_SHARE,
                                     KVCPU_OP_UNSHARE,      KVCPU_OP_TOUCH,   KVCPU_OP_CLEAR};
    unsigned int i, good = 0, outcome;
    struct answer answer;

    for (i = 0; i < sizeof(hints) / sizeof(hints[0]); ++i) {
        struct entry entry = {.first = first, .count = 1, .arg = 3, .control = hints[i]};

        answer = ring_run(ring, entry);
        outcome = outcome_of(answer.result);
        good += status_of(answer.result) == KVCPU_SC_SUCCESS &&
                (outcome == KVCPU_HO_ACCEPTED ||
                 (outcome == KVCPU_HO_IGNORED && reason_of(answer.result) == KVCPU_HR_POLICY));
    }
    is(good, i, "every hint is accepted, or ignored for the policy");
    answer = ring_run(
        ring, (struct entry){.first = device.blocks - 1, .count = 5, .control = KVCPU_OP_SHARE});
    is(outcome_of(answer.result), KVCPU_HO_IGNORED, "a hint for others' blocks is ignored");
}

static void test_refused(struct ring *ring, uint64_t first, uint32_t buffer)
{
    static const uint16_t admin[] = {KVCPU_OP_CLOSE,
                                     KVCPU_OP_OPEN,
                                     KVCPU_OP_RESTART,
                                     KVCPU_OP_COALESCE,
                                     KVCPU_OP_QUOTA,
                                     KVCPU_OP_BUFFER_ADD,
                                     KVCPU_OP_BUFFER_REMOVE,
                                     KVCPU_OP_RESIDENCY,
                                     KVCPU_OP_HOLD,
                                     KVCPU_OP_UNHOLD,
                                     0,
                                     0xffff};
    uint64_t failed = ring_header(ring, KVCPU_CQH_FAILED);
    unsigned int i, good = 0;
    struct entry entry = {.first = first, .count = 1};

    for (i = 0; i < sizeof(admin) / sizeof(admin[0]); ++i) {
        good += ring_range(ring, admin[i], first, 1, 0) == KVCPU_SC_BAD_OPCODE;
    }
    is(good, i, "the driver's commands, and none at all: BAD_OPCODE");
    is(ring_header(ring, KVCPU_CQH_FAILED), failed + i, "FAILED counts them");
    entry.control = KVCPU_OP_FREE | 1ULL << KVCPU_CTL_CONTEXT_SHIFT;
    is(status_of(ring_run(ring, entry).result), KVCPU_SC_BAD_FIELD, "another context: BAD_FIELD");
    entry.control = KVCPU_OP_FREE | 1ULL << 48;
    is(status_of(ring_run(ring, entry).result), KVCPU_SC_BAD_FIELD, "a reserved bit: BAD_FIELD");
    is(ring_range(ring, KVCPU_OP_FREE, device.blocks, 1, 0), KVCPU_SC_BAD_RANGE, "no such block");
    is(ring_range(ring, KVCPU_OP_FREE, first, UINT64_MAX, 0), KVCPU_SC_BAD_RANGE,
       "a range that wraps");
    is(ring_copy(ring, KVCPU_OP_READ, first, buffer + 1, 0, 16), KVCPU_SC_BAD_BUFFER,
       "no such buffer");
    is(ring_copy(ring, KVCPU_OP_READ, first, buffer, 2 * device.block_size - 8, 16),
       KVCPU_SC_BAD_BUFFER, "bytes beyond the buffer");
    is(ring_copy(ring, KVCPU_OP_READ, first, buffer, 0xffffffffffffULL, 16), KVCPU_SC_BAD_BUFFER,
       "an offset that wraps");
}

/* Blocks of another file, by ring and by SUBMIT. */
static void test_isolation(struct ring *ring)
{
    int other = open_device();
    uint64_t theirs = allocate(other, 1);

    is(ring_range(ring, KVCPU_OP_FREE, theirs, 1, 0), KVCPU_SC_NOT_OWNER,
       "FREE of another's block");
    is(ring_range(ring, KVCPU_OP_PIN, theirs, 1, LONG_NS), KVCPU_SC_NOT_OWNER, "PIN of it");
    is(ring_copy(ring, KVCPU_OP_READ, theirs, 0, 0, 16), KVCPU_SC_NOT_OWNER, "READ of it");
    is(ring->residency[theirs], 0, "the residency map is blank there");
    is(run_range(ring->fd, KVCPU_OP_FREE, theirs, 1, 0), KVCPU_SC_NOT_OWNER, "and by SUBMIT");
    is(run_range(ring->fd, KVCPU_OP_UNHOLD, theirs, 1, 0), KVCPU_SC_BAD_OPCODE,
       "SUBMIT takes none of the driver's commands");
    close(other);
}

/* SUBMIT and the ring act on the same context. */
static void test_beside_submit(struct ring *ring)
{
    uint64_t one = allocate(ring->fd, 1), other = ring_alloc(ring, 1);

    is(ring_range(ring, KVCPU_OP_FREE, one, 1, 0), KVCPU_SC_SUCCESS,
       "SUBMIT's block, the ring's FREE");
    is(run_range(ring->fd, KVCPU_OP_FREE, one, 1, 0), KVCPU_SC_NOT_OWNER, "is gone for SUBMIT");
    is(run_range(ring->fd, KVCPU_OP_FENCE, 0, 0, 0), KVCPU_SC_SUCCESS, "FENCE by SUBMIT");
    is(run_range(ring->fd, KVCPU_OP_FREE, other, 1, 0), KVCPU_SC_SUCCESS,
       "the ring's block, SUBMIT's FREE");
    is(ring_range(ring, KVCPU_OP_FREE, other, 1, 0), KVCPU_SC_NOT_OWNER, "is gone for the ring");
}

/* -- Many entries --------------------------------------------------------------- */

static void test_batches(struct ring *ring, uint64_t first)
{
    uint64_t touches = counter(ring->fd, KVCPU_CNT_HINTS_TOUCH);
    uint64_t before = ring->head;
    struct answer answer;
    struct entry entry = {.first = first, .count = 1, .control = KVCPU_OP_TOUCH};
    unsigned int i;

    for (i = 0; i < 1000; ++i) {
        ring_put(ring, &entry);
        if (i % ring->setup.sq_entries == ring->setup.sq_entries - 1) {
            ring_advance_tail(ring);
        }
    }
    ring_advance_tail(ring);
    is(ring_range(ring, KVCPU_OP_FENCE, 0, 0, 0), KVCPU_SC_SUCCESS, "FENCE behind 1,000 hints");
    is(counter(ring->fd, KVCPU_CNT_HINTS_TOUCH), touches + 1000, "all have been executed");
    is(ring->head, before + 1, "without F_COMPLETE there is no completion");
    entry.control |= (uint64_t)KVCPU_F_COMPLETE << KVCPU_CTL_FLAGS_SHIFT;
    for (i = 0; i < ring->setup.sq_entries; ++i) {
        entry.tag = 5000 + i;
        ring_put(ring, &entry);
    }
    ring_advance_tail(ring);
    for (i = 0; i < ring->setup.sq_entries; ++i) {
        answer = ring_answer(ring);
        if (answer.tag != 5000 + i) {
            break;
        }
    }
    is(i, ring->setup.sq_entries, "more completions than there is room for come in order");
}

/* A pending PIN, and the entries behind it. */
static void test_waiting(struct ring *ring, uint64_t first)
{
    uint64_t complete = (uint64_t)KVCPU_F_COMPLETE << KVCPU_CTL_FLAGS_SHIFT;
    struct entry pin = {
        .first = first, .count = 2, .arg = LONG_NS, .tag = 71, .control = KVCPU_OP_PIN | complete};
    struct entry fence = {.tag = 72, .control = KVCPU_OP_FENCE | complete};
    struct entry touch = {
        .first = first, .count = 1, .tag = 73, .control = KVCPU_OP_TOUCH | complete};
    uint64_t order[3];

    ring_put(ring, &pin);
    ring_put(ring, &fence);
    ring_put(ring, &touch);
    ring_advance_tail(ring);
    for (int i = 0; i < 3; ++i) {
        order[i] = ring_answer(ring).tag;
    }
    is(order[0], 73, "a hint does not wait for the PIN before it");
    is(order[1], 71, "the PIN comes when its blocks have moved");
    is(order[2], 72, "then the FENCE");
    is(ring_range(ring, KVCPU_OP_UNPIN, first, 2, 0), KVCPU_SC_SUCCESS, "its claims are there");
}

/* -- Interrupts -------------------------------------------------------------------- */

/* Returns the number of signals of an eventfd, when one is present or after `milliseconds`. */
static uint64_t signals_within(int event, int milliseconds)
{
    uint64_t count = 0;

    return polled(event, POLLIN, milliseconds) && read(event, &count, sizeof(count)) == 8 ? count : 0;
}

/* The time-out for a signal that must arrive: a busy host may deliver it late. */
static uint64_t signals_of(int event)
{
    return signals_within(event, 60000);
}

/* The wait for a signal that must not arrive. */
static uint64_t signals_soon(int event)
{
    return signals_within(event, 200);
}

/* Submits commands that complete at once, and does not consume their completions. */
static void put_touches(struct ring *ring, uint64_t first, unsigned int count)
{
    struct entry entry = {
        .first = first,
        .count = 1,
        .control = KVCPU_OP_TOUCH | (uint64_t)KVCPU_F_COMPLETE << KVCPU_CTL_FLAGS_SHIFT};

    while (count-- > 0) {
        ring_put(ring, &entry);
    }
    ring_advance_tail(ring);
}

static void take_all(struct ring *ring)
{
    struct answer answer;

    while (ring_take(ring, &answer)) {
    }
}

static void test_interrupts(struct ring *ring, uint64_t first)
{
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct kvcpu_eventfd request = {.fd = event};
    struct kvcpu_eventfd bad = {.fd = ring->fd};

    fails(ioctl(ring->fd, KVCPU_IOC_EVENTFD, &bad), EINVAL, "an eventfd that is none");
    bad.fd = 999;
    fails(ioctl(ring->fd, KVCPU_IOC_EVENTFD, &bad), EBADF, "a descriptor that is none");
    fails(ioctl(ring->fd, KVCPU_IOC_EVENTFD, &request), 0, "an eventfd");
    is((uint64_t)polled(ring->fd, POLLIN, 0), 0, "poll: nothing in the ring");
    put_touches(ring, first, 3);
    is((uint64_t)polled(ring->fd, POLLIN, 0), POLLIN, "poll: completions to take");
    is(signals_soon(event), 0, "no interrupt with a count of 0");
    fails(coalesce(ring->fd, 1, 0), 0, "COALESCE with a count of 1");
    ok(signals_of(event) >= 1, "is told at once of what was there");
    take_all(ring);
    is((uint64_t)polled(ring->fd, POLLIN, 0), 0, "poll: all are taken");
    put_touches(ring, first, 1);
    ok(signals_of(event) >= 1, "and of the next");
    take_all(ring);
    fails(coalesce(ring->fd, 4, 1000000000), 0, "COALESCE with a count of 4 and a second");
    put_touches(ring, first, 3);
    is(signals_soon(event), 0, "three completions raise none");
    put_touches(ring, first, 1);
    is(signals_of(event), 1, "the fourth does");
    take_all(ring);
    fails(coalesce(ring->fd, 4, 1000000), 0, "COALESCE with a count of 4 and a millisecond");
    put_touches(ring, first, 1);
    is(signals_of(event), 1, "one completion, a millisecond later");
    take_all(ring);
    fails(coalesce(ring->fd, 0, 0), 0, "COALESCE with a count of 0");
    request.fd = -1;
    fails(ioctl(ring->fd, KVCPU_IOC_EVENTFD, &request), 0, "no eventfd any more");
    close(event);
}

static void test_wait_ring(struct ring *ring, uint64_t first)
{
    struct kvcpu_wait wait = {.flags = KVCPU_WAIT_RING};
    int fd = open_device();

    fails(ioctl(fd, KVCPU_IOC_WAIT, &wait), EINVAL, "WAIT for a ring that is none");
    close(fd);
    wait.until_ns = info_of(ring->fd).time_ns + SECOND_NS / 100;
    fails(ioctl(ring->fd, KVCPU_IOC_WAIT, &wait), 0, "WAIT for the ring");
    ok(wait.time_ns >= wait.until_ns, "ends at its time");
    put_touches(ring, first, 1);
    wait.until_ns = info_of(ring->fd).time_ns + LONG_NS;
    fails(ioctl(ring->fd, KVCPU_IOC_WAIT, &wait), 0, "WAIT for a completion that is there");
    ok(wait.time_ns < wait.until_ns, "does not wait");
    take_all(ring);
}

/* -- Stopping ------------------------------------------------------------------------ */

static void test_stop(struct ring *ring, uint64_t first, enum kvcpu_doorbell which, uint64_t value,
                      uint32_t state, const char *what)
{
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct kvcpu_eventfd request = {.fd = event};
    uint64_t bad = counter(ring->fd, KVCPU_CNT_BAD_DOORBELL);
    uint32_t stopped;

    fails(restart(ring->fd, &stopped), EBUSY, "RESTART of rings that run");
    ioctl(ring->fd, KVCPU_IOC_EVENTFD, &request);
    ring_store(ring->doorbell, which, value);
    is(ring_header(ring, KVCPU_CQH_STATE), state, what);
    is(counter(ring->fd, KVCPU_CNT_BAD_DOORBELL), bad + 1, "is counted");
    is((uint64_t)polled(ring->fd, POLLPRI, 10000), POLLPRI, "poll says that the rings are stopped");
    ok(signals_of(event) >= 1, "so does the eventfd");
    is(info_of(ring->fd).ring_state, state, "INFO says why");
    fails(ring_sleep(ring, LONG_NS), 0, "WAIT does not wait for them");
    ring_store(ring->doorbell, KVCPU_DB_SQ_TAIL, ring->tail);
    fails(restart(ring->fd, &stopped), 0, "RESTART");
    is(stopped, state, "says why they had stopped");
    ring_from_empty(ring);
    is(ring_range(ring, KVCPU_OP_TOUCH, first, 1, 0), KVCPU_SC_SUCCESS, "they run again");
    is((uint64_t)polled(ring->fd, POLLPRI, 0), 0, "and poll says so");
    request.fd = -1;
    ioctl(ring->fd, KVCPU_IOC_EVENTFD, &request);
    close(event);
}

static void test_doorbell_access(struct ring *ring)
{
    uint64_t bad_size = counter(ring->fd, KVCPU_CNT_BAD_SIZE);
    uint64_t bad_offset = counter(ring->fd, KVCPU_CNT_BAD_OFFSET);

    *(volatile uint32_t *)ring->doorbell = 1;
    ring->doorbell[5] = 1;
    is(counter(ring->fd, KVCPU_CNT_BAD_SIZE), bad_size + 1, "half a doorbell is refused");
    is(counter(ring->fd, KVCPU_CNT_BAD_OFFSET), bad_offset + 1, "so is what is none");
    is(ring_header(ring, KVCPU_CQH_STATE), KVCPU_RS_RUNNING, "and stops nothing");
}

/* A child process has the same rings, as the context is the same. */
static void test_fork(struct ring *ring, uint64_t first)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        _exit(ring_range(ring, KVCPU_OP_TOUCH, first, 1, 0) == KVCPU_SC_SUCCESS ? 0 : 1);
    }
    ok(child > 0 && waitpid(child, &status, 0) == child && status == 0,
       "a forked child uses the rings");
    ++ring->tail;
    ++ring->head;
    is(ring_range(ring, KVCPU_OP_TOUCH, first, 1, 0), KVCPU_SC_SUCCESS, "and its parent goes on");
}

int main(void)
{
    int fd = open_device();
    struct kvcpu_buffer buffer;
    struct ring ring;
    uint8_t *memory;
    uint64_t first;

    device = info_of(fd);
    test_bad_setup();
    test_mappings();
    ring = ring_open(fd, 16, 8, 0);
    is(info_of(fd).ring_state, KVCPU_RS_RUNNING, "the rings run");
    memory = mmap(NULL, 2 * device.block_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                  -1, 0);
    buffer = buffer_add(fd, memory, 2 * device.block_size);
    first = ring_alloc(&ring, 6);
    ok((ring.residency[first] & 1) && (ring.residency[first + 3] & 1),
       "the residency map has them");
    test_commands(&ring, first, memory, buffer.id);
    ++first;
    test_hints(&ring, first);
    test_refused(&ring, first, buffer.id);
    test_isolation(&ring);
    test_beside_submit(&ring);
    test_batches(&ring, first);
    test_waiting(&ring, first + 3);
    test_interrupts(&ring, first);
    test_wait_ring(&ring, first);
    test_stop(&ring, first, KVCPU_DB_SQ_TAIL, ring.tail + 17, KVCPU_RS_BAD_TAIL,
              "a tail too far on");
    test_stop(&ring, first, KVCPU_DB_SQ_TAIL, ring.tail - 1, KVCPU_RS_BAD_TAIL,
              "a tail that goes back");
    test_stop(&ring, first, KVCPU_DB_CQ_HEAD, ring.head + 1, KVCPU_RS_BAD_HEAD,
              "a head too far on");
    test_doorbell_access(&ring);
    test_fork(&ring, first);
    close(fd);
    return tap_end();
}
