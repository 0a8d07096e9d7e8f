// SPDX-License-Identifier: MIT
/*
 * The driver's own interface: INFO, SUBMIT, WAIT, poll, BLOCK, COUNTERS: effects and errors of
 * each. Needs CAP_SYS_ADMIN. TAP.
 */
#include "kvcpu_hw_log.h"
#include "vm_test.h"

#include <poll.h>
#include <stddef.h>
#include <sys/mman.h>

static struct kvcpu_info device;

/* -- Structures that grow -------------------------------------------------- */

static void test_sizes(int fd) {
    struct {
        struct kvcpu_info known;
        uint64_t unknown;
    } longer = {.unknown = 0};
    unsigned long longer_info = _IOWR('K', 0x40, longer);

    fails(ioctl(fd, longer_info, &longer), 0, "a longer INFO whose end is zero");
    is(longer.known.blocks, device.blocks, "is answered");
    longer.unknown = 1;
    fails(ioctl(fd, longer_info, &longer), E2BIG, "a longer INFO whose end is not");
    memset(&longer, 0xff, sizeof(longer));
    fails(ioctl(fd, _IOC(_IOC_READ | _IOC_WRITE, 'K', 0x40, KVCPU_INFO_SIZE_1), &longer), 0,
          "an INFO of version 1");
    is(longer.known.blocks, device.blocks, "is answered");
    is(longer.known.occupancy[0], ~0ULL, "as far as it goes");
    memset(&longer, 0, sizeof(longer));
    fails(ioctl(fd, _IOWR('K', 0x40, uint64_t), &longer), ENOTTY, "an INFO shorter than version 1");
    fails(ioctl(fd, _IOW('K', 0x40, struct kvcpu_info), &longer), ENOTTY, "of another direction");
    fails(ioctl(fd, _IOWR('K', 0x45, uint64_t), &longer), ENOTTY, "number 0x45");
    fails(ioctl(fd, KVCPU_IOC_INFO, WILD), EFAULT, "INFO with a bad pointer");
    fails(ioctl(fd, KVCPU_IOC_SUBMIT, WILD), EFAULT, "SUBMIT with a bad pointer");
    fails(ioctl(fd, KVCPU_IOC_WAIT, WILD), EFAULT, "WAIT with a bad pointer");
    fails(ioctl(fd, KVCPU_IOC_BLOCK, WILD), EFAULT, "BLOCK with a bad pointer");
    fails(ioctl(fd, KVCPU_IOC_COUNTERS, WILD), EFAULT, "COUNTERS with a bad pointer");
    fails(ioctl(fd, KVCPU_IOC_HISTORY, WILD), EFAULT, "HISTORY with a bad pointer");
}

/* The capabilities that the driver should report for those of the device. */
static uint64_t features_of(uint64_t caps) {
    uint64_t features = KVCPU_FEATURE_SUBMIT | KVCPU_FEATURE_INSPECT | KVCPU_FEATURE_ADVICE;

    features |= caps & KVCPU_CAP_HISTORY ? KVCPU_FEATURE_HISTORY : 0;
    if ((caps & KVCPU_CAP_RINGS) == 0) {
        return features;
    }
    features |= KVCPU_FEATURE_RINGS | KVCPU_FEATURE_BUFFERS;
    features |= caps & KVCPU_CAP_RESIDENCY ? KVCPU_FEATURE_RESIDENCY : 0;
    features |= caps & KVCPU_CAP_HOLDS ? KVCPU_FEATURE_VIEW : 0;
    features |= caps & KVCPU_CAP_QUOTAS ? KVCPU_FEATURE_QUOTAS : 0;
    return features;
}

static void test_info(int fd) {
    struct kvcpu_info info = info_of(fd);

    is(info.uapi_version, KVCPU_UAPI_VERSION, "uapi_version");
    is(info.features, features_of(KVCPU_CAPS_VALUE), "features");
    is(info.id, KVCPU_ID_VALUE, "id");
    is(info.caps, KVCPU_CAPS_VALUE, "caps");
    ok(info.block_size && (info.block_size & (info.block_size - 1)) == 0, "block_size");
    ok(info.fast_slots && info.fast_slots <= info.blocks, "fast_slots");
    is(info.context, 0, "a file that submitted nothing has no context");
    is(info.blocks_free, info.blocks, "all blocks are free");
    ok(info_of(fd).time_ns > info.time_ns, "time passes");
    is(info.ring_state, KVCPU_RS_NO_RING, "no rings yet");
}

/* -- Commands that work ---------------------------------------------------- */

static uint64_t test_alloc(int fd) {
    struct kvcpu_command command = {
        .opcode = KVCPU_OP_ALLOC, .count = 4, .arg = 1000, .meta = 0x0000001005030007ULL};
    struct kvcpu_block block;
    uint64_t blocks_free = info_of(fd).blocks_free;

    is(run(fd, &command), KVCPU_SC_SUCCESS, "ALLOC of 4 blocks");
    is(command.count, 4, "gives 4");
    is(command.first, command.result >> KVCPU_RES_VALUE_SHIFT, "first is what the result says");
    is(info_of(fd).blocks_free, blocks_free - 4, "4 fewer are free");
    ok(info_of(fd).context != 0, "the file has a context now");
    block = block_at(fd, command.first + 1);
    is(block.state >> KVCPU_BST_OWNER_SHIFT & KVCPU_BST_OWNER_MASK, info_of(fd).context,
       "its blocks are that context's");
    is(block.tag, command.meta, "and have the tag");
    is(block.tokens & KVCPU_BTK_FIRST_MASK, 1016, "the second starts 16 tokens on");
    return command.first;
}

static void fill(uint8_t *bytes, size_t count, uint8_t seed) {
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)(seed + i * 7 + (i >> 8));
    }
}

static void test_copy(int fd, uint64_t first) {
    uint32_t size = (uint32_t)device.block_size;
    uint8_t *out = malloc(size), *in = malloc(size), *zero = calloc(1, size);

    memset(in, 0xee, size);
    is(run_copy(fd, KVCPU_OP_READ, first, in, 0, size), KVCPU_SC_SUCCESS, "READ of a new block");
    ok(memcmp(in, zero, size) == 0, "gives zeros");
    fill(out, size, 1);
    is(run_copy(fd, KVCPU_OP_WRITE, first, out, 0, size), KVCPU_SC_SUCCESS, "WRITE of a block");
    is(run_copy(fd, KVCPU_OP_READ, first, in, 0, size), KVCPU_SC_SUCCESS, "READ of it");
    ok(memcmp(in, out, size) == 0, "gives what was written");
    memset(out + 100, 0x5a, 33);
    is(run_copy(fd, KVCPU_OP_WRITE, first, out + 100, 100, 33), KVCPU_SC_SUCCESS,
       "WRITE of a part");
    memset(in, 0, size);
    is(run_copy(fd, KVCPU_OP_READ, first, in + 99, 99, 40), KVCPU_SC_SUCCESS, "READ around it");
    ok(memcmp(in + 99, out + 99, 40) == 0, "gives both old and new bytes");
    ok(memcmp(in, zero, 99) == 0 && in[139] == 0, "and no more than was asked for");
    is(run_copy(fd, KVCPU_OP_READ, first + 1, in, 0, size), KVCPU_SC_SUCCESS, "READ of the next");
    ok(memcmp(in, zero, size) == 0, "gives zeros still");
    free(out);
    free(in);
    free(zero);
}

static void test_pin(int fd, uint64_t first) {
    struct kvcpu_completion completion = {0};
    struct kvcpu_block block;
    uint64_t before;

    is(wait_for(fd, &completion, 1, 0, 0), 0, "no completion yet");
    before = info_of(fd).time_ns;
    is(run_pin(fd, first, 1, LONG_NS, 0xfeedULL << 40), KVCPU_SC_PENDING,
       "PIN of a block in the slow tier waits");
    is(wait_for(fd, &completion, 1, 1, LONG_NS), 1, "WAIT gets its completion");
    is(completion.user_data, 0xfeedULL << 40, "with its user_data");
    is(status_of(completion.result), KVCPU_SC_SUCCESS, "SUCCESS");
    ok(completion.time_ns > before && completion.time_ns <= info_of(fd).time_ns, "and when");
    block = block_at(fd, first);
    is(block.state & KVCPU_BST_STATE_MASK, KVCPU_BS_FAST, "the block is FAST");
    is(block.place >> KVCPU_BPL_CLAIMS_SHIFT & KVCPU_BPL_CLAIMS_MASK, 1, "with one claim");
    is(run_pin(fd, first, 1, LONG_NS, 2), KVCPU_SC_SUCCESS, "a second PIN succeeds at once");
    is(wait_for(fd, &completion, 1, 0, 0), 0, "and leaves no completion");
    is(run_range(fd, KVCPU_OP_FREE, first, 1, 0), KVCPU_SC_PINNED, "FREE of it: PINNED");
    is(run_range(fd, KVCPU_OP_UNPIN, first, 1, 0), KVCPU_SC_SUCCESS, "UNPIN");
    is(run_range(fd, KVCPU_OP_UNPIN, first, 1, 0), KVCPU_SC_SUCCESS, "UNPIN again");
    is(run_range(fd, KVCPU_OP_UNPIN, first, 1, 0), KVCPU_SC_NOT_PINNED, "a third time: NOT_PINNED");
    is(pin_and_wait(fd, first + 1, 1, 1), KVCPU_SC_TIMED_OUT, "PIN with a deadline of 1 ns");
    is(run_pin(fd, first, 1, 0, 0), KVCPU_SC_BAD_FIELD, "PIN with a deadline of 0");
    is(run_pin(fd, first, 0, LONG_NS, 0), KVCPU_SC_BAD_RANGE, "PIN of an empty range");
}

static void test_hints(int fd, uint64_t first) {
    static const uint16_t ranged[] = {KVCPU_OP_HOT,     KVCPU_OP_EVICTABLE, KVCPU_OP_PREFETCHABLE,
                                      KVCPU_OP_RELEASE, KVCPU_OP_SHARE,     KVCPU_OP_UNSHARE,
                                      KVCPU_OP_TOUCH,   KVCPU_OP_CLEAR,     KVCPU_OP_SEAL};
    struct kvcpu_command command = {.opcode = KVCPU_OP_STEP, .arg = 5};
    uint8_t byte = 1;

    fails(attribute_write("policy", "hepc"), 0, "policy hepc");
    is(run(fd, &command), KVCPU_SC_SUCCESS, "STEP");
    for (size_t i = 0; i < sizeof(ranged) / sizeof(ranged[0]); i++) {
        command =
            (struct kvcpu_command){.opcode = ranged[i], .first = first + 2, .count = 1, .arg = 50};
        printf("# hint %#x\n", ranged[i]);
        is(run(fd, &command), KVCPU_SC_SUCCESS, "a hint succeeds");
        is(outcome_of(command.result), KVCPU_HO_ACCEPTED, "and is accepted");
    }
    is(run_copy(fd, KVCPU_OP_WRITE, first + 2, &byte, 0, 1), KVCPU_SC_SEALED, "WRITE after SEAL");
    command = (struct kvcpu_command){
        .opcode = KVCPU_OP_EVICTABLE, .flags = KVCPU_F_NOW, .first = first, .count = 1};
    is(run(fd, &command), KVCPU_SC_SUCCESS, "EVICTABLE now");
    command = (struct kvcpu_command){
        .opcode = KVCPU_OP_HOT, .first = device.blocks, .count = 1, .arg = 50};
    is(run(fd, &command), KVCPU_SC_SUCCESS, "HOT outside the space succeeds");
    is(outcome_of(command.result), KVCPU_HO_IGNORED, "and is ignored");
    is(reason_of(command.result), KVCPU_HR_OUTSIDE, "as outside");
}

/* -- What is refused ------------------------------------------------------- */

static void test_bad_commands(int fd, uint64_t first) {
    struct kvcpu_command command = {.opcode = KVCPU_OP_CLOSE};
    uint8_t byte = 0;

    is(run(fd, &command), KVCPU_SC_BAD_OPCODE, "CLOSE is not for processes");
    command = (struct kvcpu_command){.opcode = 0x7777};
    is(run(fd, &command), KVCPU_SC_BAD_OPCODE, "an unknown opcode");
    command = (struct kvcpu_command){.opcode = KVCPU_OP_STEP, .flags = 0x8000};
    is(run(fd, &command), KVCPU_SC_BAD_FIELD, "an unknown flag");
    command = (struct kvcpu_command){.opcode = KVCPU_OP_ALLOC, .count = 0};
    is(run(fd, &command), KVCPU_SC_BAD_RANGE, "ALLOC of nothing");
    is(command.count, 0, "leaves count as it was");
    is(run_range(fd, KVCPU_OP_FREE, device.blocks, 1, 0), KVCPU_SC_BAD_RANGE, "FREE outside");
    is(run_range(fd, KVCPU_OP_FREE, UINT64_MAX, 2, 0), KVCPU_SC_BAD_RANGE, "FREE that wraps");
    is(run_range(fd, KVCPU_OP_FREE, first + 4, 1, 0), KVCPU_SC_NOT_OWNER,
       "FREE of a block without an owner");
    is(run_copy(fd, KVCPU_OP_READ, first, &byte, 0, 0), KVCPU_SC_BAD_FIELD, "READ of no byte");
    is(run_copy(fd, KVCPU_OP_READ, first, &byte, (uint32_t)device.block_size, 1),
       KVCPU_SC_BAD_FIELD, "READ behind the block's end");
    is(run_copy(fd, KVCPU_OP_READ, first, &byte, UINT32_MAX, 1), KVCPU_SC_BAD_FIELD,
       "READ at an offset near 2^32");
    is(run_range(fd, KVCPU_OP_FREE, first + 3, 1, 0), KVCPU_SC_SUCCESS, "FREE");
    is(run_copy(fd, KVCPU_OP_READ, first + 3, &byte, 0, 1), KVCPU_SC_NOT_OWNER, "READ after FREE");
}

static int submit_raw(int fd, struct kvcpu_submit request) {
    return ioctl(fd, KVCPU_IOC_SUBMIT, &request);
}

static void test_bad_submit(int fd, uint64_t first) {
    struct kvcpu_command command = {.opcode = KVCPU_OP_TOUCH, .first = first, .count = 1};
    struct kvcpu_submit good = {
        .commands = (uintptr_t)&command, .count = 1, .command_size = sizeof(command)};
    struct kvcpu_submit bad;

    fails(submit_raw(fd, good), 0, "a good SUBMIT");
    bad = good, bad.flags = 2;
    fails(submit_raw(fd, bad), EINVAL, "an unknown flag of SUBMIT");
    bad = good, bad.count = KVCPU_SUBMIT_MAX + 1;
    fails(submit_raw(fd, bad), EINVAL, "too many commands");
    bad = good, bad.command_size = sizeof(command) - 1;
    fails(submit_raw(fd, bad), EINVAL, "a command_size too small");
    bad = good, bad.command_size = 1U << 20;
    fails(submit_raw(fd, bad), EINVAL, "a command_size too large");
    bad = good, bad.commands = (uintptr_t)WILD;
    fails(submit_raw(fd, bad), EFAULT, "commands at a bad address");
    bad = good, bad.count = 0;
    fails(submit_raw(fd, bad), 0, "no command at all");
    command.reserved = 1;
    fails(submit_raw(fd, good), EINVAL, "a reserved field of a command");
    command = (struct kvcpu_command){.opcode = KVCPU_OP_READ, .first = first, .count = 1};
    command.length = (uint32_t)device.block_size + 1;
    command.buffer = (uintptr_t)&command;
    fails(submit_raw(fd, good), EINVAL, "a length above the block size");
    command.length = 8, command.count = 2;
    fails(submit_raw(fd, good), EINVAL, "READ of two blocks");
    command.count = 1, command.buffer = (uintptr_t)WILD;
    fails(submit_raw(fd, good), EFAULT, "READ to a bad address");
    command.opcode = KVCPU_OP_WRITE;
    fails(submit_raw(fd, good), EFAULT, "WRITE from a bad address");
}

static void test_read_only_memory(int fd, uint64_t first) {
    void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct kvcpu_command command = {.opcode = KVCPU_OP_READ,
                                    .first = first,
                                    .count = 1,
                                    .buffer = (uintptr_t)page,
                                    .length = 16};

    if (page == MAP_FAILED) {
        bail_out("mmap");
    }
    fails(submit(fd, &command, 1, 0, NULL), EFAULT, "READ to memory that is read-only");
    command.opcode = KVCPU_OP_WRITE;
    fails(submit(fd, &command, 1, 0, NULL), 0, "WRITE from it");
    munmap(page, 4096);
}

static void test_batches(int fd, uint64_t first) {
    static struct kvcpu_command many[KVCPU_SUBMIT_MAX];
    uint32_t done, good = 0;

    for (uint32_t i = 0; i < KVCPU_SUBMIT_MAX; i++) {
        many[i] = (struct kvcpu_command){
            .opcode = KVCPU_OP_SHARE, .first = first, .count = 1, .result = UINT64_MAX};
    }
    many[700].first = device.blocks;
    many[700].opcode = KVCPU_OP_FREE;
    fails(submit(fd, many, KVCPU_SUBMIT_MAX, 0, &done), 0, "a batch with a command that fails");
    is(done, 701, "ends with it");
    is(status_of(many[700].result), KVCPU_SC_BAD_RANGE, "its status is there");
    is(many[701].result, UINT64_MAX, "those behind it are untouched");
    fails(submit(fd, many, KVCPU_SUBMIT_MAX, KVCPU_SUBMIT_CONTINUE, &done), 0, "told to go on");
    is(done, KVCPU_SUBMIT_MAX, "all are executed");
    for (uint32_t i = 0; i < KVCPU_SUBMIT_MAX; i++) {
        good += status_of(many[i].result) == KVCPU_SC_SUCCESS;
    }
    is(good, KVCPU_SUBMIT_MAX - 1, "all but one well");
    many[3].reserved = 1;
    fails(submit(fd, many, 10, 0, &done), EINVAL, "a batch with a command that cannot be");
    is(done, 3, "those before it were executed");
}

static void test_longer_commands(int fd, uint64_t first) {
    struct {
        struct kvcpu_command known;
        uint64_t unknown;
    } longer[3];
    struct kvcpu_submit request = {
        .commands = (uintptr_t)longer, .count = 3, .command_size = sizeof(longer[0])};

    memset(longer, 0, sizeof(longer));
    for (int i = 0; i < 3; i++) {
        longer[i].known = (struct kvcpu_command){
            .opcode = KVCPU_OP_TOUCH, .first = first, .count = 1, .result = UINT64_MAX};
    }
    fails(ioctl(fd, KVCPU_IOC_SUBMIT, &request), 0, "commands of a later version");
    is(request.done, 3, "all are executed");
    is(status_of(longer[2].known.result), KVCPU_SC_SUCCESS, "the third too");
    longer[1].unknown = 1;
    fails(ioctl(fd, KVCPU_IOC_SUBMIT, &request), E2BIG, "with something new in them");
}

/* -- WAIT and poll --------------------------------------------------------- */

static void test_wait(int fd) {
    struct kvcpu_completion some[2];
    struct kvcpu_wait request = {.completions = (uintptr_t)some, .capacity = 2};
    struct kvcpu_wait bad = request;
    uint64_t until;

    bad.min = 3;
    fails(ioctl(fd, KVCPU_IOC_WAIT, &bad), EINVAL, "WAIT for more than there is room for");
    bad = request, bad.flags = 0x80000000;
    fails(ioctl(fd, KVCPU_IOC_WAIT, &bad), EINVAL, "a reserved field of WAIT");
    until = info_of(fd).time_ns + SECOND_NS / 50;
    request.until_ns = until;
    fails(ioctl(fd, KVCPU_IOC_WAIT, &request), 0, "WAIT for a time");
    ok(request.time_ns >= until, "lasts until then");
    is(request.count, 0, "and finds no completion");
    request.min = 1;
    fails(ioctl(fd, KVCPU_IOC_WAIT, &request), 0, "WAIT until a time that has passed");
    is(request.count, 0, "does not wait");
}

static void test_poll(int fd, uint64_t first) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    struct kvcpu_completion completion;

    is((uint64_t)poll(&poll_fd, 1, 0), 0, "poll: nothing to read");
    run_range(fd, KVCPU_OP_EVICTABLE, first + 1, 1, 0);
    if (!is(run_pin(fd, first + 1, 1, LONG_NS, 77), KVCPU_SC_PENDING, "a PIN waits")) {
        bail_out("there would be nothing to poll for");
    }
    is((uint64_t)poll(&poll_fd, 1, -1), 1, "poll: its completion is there");
    is((uint64_t)poll_fd.revents, POLLIN, "as POLLIN");
    is(wait_for(fd, WILD, 1, 1, 0) == -1 ? (uint64_t)errno : 0, EFAULT, "WAIT to a bad address");
    is(wait_for(fd, &completion, 1, 1, 0), 1, "loses no completion");
    is(completion.user_data, 77, "it is the PIN's");
    is((uint64_t)poll(&poll_fd, 1, 0), 0, "poll: nothing to read again");
    run_range(fd, KVCPU_OP_UNPIN, first + 1, 1, 0);
}

static void test_counters(int fd, uint64_t first) {
    uint64_t values[4] = {0, 0, 0, 0xabcd};
    struct kvcpu_counters request = {.values = (uintptr_t)values, .capacity = 3};
    uint64_t touches = counter(fd, KVCPU_CNT_HINTS_TOUCH);
    uint64_t not_owner = counter(fd, KVCPU_COUNTER_COUNT + KVCPU_SC_NOT_OWNER);

    run_range(fd, KVCPU_OP_TOUCH, first, 1, 0);
    is(counter(fd, KVCPU_CNT_HINTS_TOUCH), touches + 1, "COUNTERS: a TOUCH counts");
    run_range(fd, KVCPU_OP_FREE, first + 1000, 1, 0);
    is(counter(fd, KVCPU_COUNTER_COUNT + KVCPU_SC_NOT_OWNER), not_owner + 1, "a status counts");
    fails(ioctl(fd, KVCPU_IOC_COUNTERS, &request), 0, "COUNTERS with room for three");
    is(request.count, KVCPU_COUNTER_COUNT + KVCPU_STATUS_COUNT, "says how many there are");
    is(values[3], 0xabcd, "and writes three");
    request.values = (uintptr_t)WILD;
    fails(ioctl(fd, KVCPU_IOC_COUNTERS, &request), EFAULT, "COUNTERS to a bad address");
}

static void test_history(int fd, uint64_t first) {
    struct kvcpu_record records[3];
    struct kvcpu_history history = {
        .block = first, .before = ~0ULL, .records = (uintptr_t)records, .capacity = 1};
    struct kvcpu_info info;

    run_range(fd, KVCPU_OP_RELEASE, first, 2, 0);
    run_range(fd, KVCPU_OP_TOUCH, first, 1, 0);
    fails(ioctl(fd, KVCPU_IOC_HISTORY, &history), 0, "HISTORY of one record");
    is(history.count, 1, "gives it");
    is(records[0].what & 0xffffffff, KVCPU_EV_HINT | KVCPU_OP_TOUCH << 16, "the latest");
    is(history.before, records[0].sequence, "and says where to go on");
    history.capacity = 3;
    fails(ioctl(fd, KVCPU_IOC_HISTORY, &history), 0, "HISTORY goes on");
    is(history.count, 3, "with three");
    is(records[0].what & 0xffffffff, KVCPU_EV_HINT | KVCPU_OP_RELEASE << 16, "from the one before");
    is(records[0].first, first, "a range");
    is(records[0].value, 2, "of two");
    ok(records[1].sequence < records[0].sequence, "back in time");
    history.before = 0;
    fails(ioctl(fd, KVCPU_IOC_HISTORY, &history), 0, "HISTORY of before the log");
    is(history.count, 0, "is empty");
    history.block = device.blocks;
    fails(ioctl(fd, KVCPU_IOC_HISTORY, &history), EINVAL, "HISTORY of no block");
    history.block = first;
    history.capacity = KVCPU_HISTORY_MAX + 1;
    fails(ioctl(fd, KVCPU_IOC_HISTORY, &history), EINVAL, "HISTORY of too many records");
    history.capacity = 0;
    fails(ioctl(fd, KVCPU_IOC_HISTORY, &history), EINVAL, "HISTORY of none");
    history.capacity = 1;
    history.before = ~0ULL;
    history.records = (uintptr_t)WILD;
    fails(ioctl(fd, KVCPU_IOC_HISTORY, &history), EFAULT, "HISTORY to a bad address");
    info = info_of(fd);
    is(info.occupancy[0] + info.occupancy[1] + info.occupancy[2] + info.occupancy[3] +
           info.occupancy[4] + info.occupancy[5] + info.occupancy[6] + info.occupancy[7],
       device.blocks, "every block is somewhere");
}

int main(void) {
    int fd = open_device();
    uint64_t first, refused;

    device = info_of(fd);
    test_info(fd);
    test_sizes(fd);
    first = test_alloc(fd);
    test_copy(fd, first);
    test_pin(fd, first);
    test_hints(fd, first);
    test_bad_commands(fd, first);
    test_bad_submit(fd, first);
    test_read_only_memory(fd, first);
    test_batches(fd, first);
    test_longer_commands(fd, first);
    test_wait(fd);
    test_poll(fd, first);
    test_counters(fd, first);
    test_history(fd, first);
    refused = counter(fd, KVCPU_CNT_BAD_OFFSET) + counter(fd, KVCPU_CNT_BAD_SIZE) +
              counter(fd, KVCPU_CNT_BAD_ALIGNMENT) + counter(fd, KVCPU_CNT_BAD_DIRECTION) +
              counter(fd, KVCPU_CNT_BAD_VALUE);
    is(refused, 0, "the device refused no register access");
    close(fd);
    return tap_end();
}
