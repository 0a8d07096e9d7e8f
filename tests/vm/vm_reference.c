// SPDX-License-Identifier: MIT
/*
 * The reference interface: ioctls 0x01 to 0x07, telemetry, sysfs; and this driver's own attributes.
 * Needs a device without commands since the module bound it. TAP.
 */
#include "vm_test.h"

#include <stddef.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

typedef struct kv_cpu_telemetry Telemetry;
typedef struct kv_cpu_block_info Range;

static Telemetry telemetry(int fd)
{
    Telemetry t;

    memset(&t, 0xa5, sizeof(t));
    if (ioctl(fd, KV_CPU_GET_TELEMETRY, &t)) {
        bail_out("KV_CPU_GET_TELEMETRY");
    }
    return t;
}

static int say_through(int fd, unsigned long command, void *payload)
{
    int result = ioctl(fd, command, payload);
    int error = errno;

    close(fd);
    errno = error;
    return result;
}

/*
 * Opens the node, sends one command and closes the node, as programs of the reference interface do.
 */
static int say(unsigned long command, void *payload)
{
    return say_through(open_device(), command, payload);
}

/* The node, and the folder of its attributes. */
static void test_node(void)
{
    char wanted[32], got[32];
    struct stat node;

    ok(stat(DEVICE, &node) == 0 && S_ISCHR(node.st_mode), DEVICE " is a character device");
    snprintf(wanted, sizeof(wanted), "%u:%u\n", major(node.st_rdev), minor(node.st_rdev));
    ok(attribute_read("dev", got, sizeof(got)) > 0 && strcmp(got, wanted) == 0,
       SYSFS " is its device");
}

/* The published encoding: 'K', the number, the direction, the size. */
static void test_numbers(void)
{
    is(KV_CPU_STEP_ADVANCE, 0x40084b01, "STEP_ADVANCE is _IOW('K', 1, 8 bytes)");
    is(KV_CPU_MARK_HOT, 0x40184b02, "MARK_HOT is _IOW('K', 2, 24 bytes)");
    is(KV_CPU_EVICT, 0x40184b03, "EVICT is _IOW('K', 3, 24 bytes)");
    is(KV_CPU_PREFETCH, 0x40184b04, "PREFETCH is _IOW('K', 4, 24 bytes)");
    is(KV_CPU_SHARE_PREFIX, 0x40184b05, "SHARE_PREFIX is _IOW('K', 5, 24 bytes)");
    is(KV_CPU_SET_WEIGHTS, 0x40184b06, "SET_WEIGHTS is _IOW('K', 6, 24 bytes)");
    is(KV_CPU_GET_TELEMETRY, 0x80604b07, "GET_TELEMETRY is _IOR('K', 7, 96 bytes)");
    is(offsetof(Telemetry, last_va), 48, "last_va is the seventh word of the telemetry");
    is(offsetof(Telemetry, w_r), 72, "weights follow nine words");
}

static void test_defaults(int fd)
{
    static const Telemetry fresh = {.w_r = 1,
                                    .w_f = 1,
                                    .w_s = 2,
                                    .w_d = 200,
                                    .evict_thresh = 0x1000,
                                    .prefetch_thresh = 0xe000};
    Telemetry t = telemetry(fd);

    ok(memcmp(&t, &fresh, sizeof(t)) == 0, "after probe all counts are 0, weights the published");
}

static void test_steps(int fd)
{
    uint64_t step = 41;
    Telemetry t;

    fails(say(KV_CPU_STEP_ADVANCE, &step), 0, "STEP_ADVANCE 41");
    t = telemetry(fd);
    is(t.current_step, 41, "current_step follows, beyond the file that said it");
    is(t.last_target_step, 41, "last_target_step is the step");
    is(t.step_count, 1, "step_count counts");
    ok(t.last_va == 0 && t.last_len == 0, "it has no range");
    step = 7;
    fails(say_through(open(DEVICE, O_RDONLY), KV_CPU_STEP_ADVANCE, &step), 0,
          "STEP_ADVANCE back to 7, through a file opened for reading alone");
    is(telemetry(fd).current_step, 7, "a smaller step is taken");
    is(attribute_number("current_step"), 7, "sysfs current_step agrees");
    step = UINT64_MAX;
    fails(say(KV_CPU_STEP_ADVANCE, &step), 0, "STEP_ADVANCE to 2^64 - 1");
    is(telemetry(fd).step_count, 3, "three steps were counted");
    step = 8;
    fails(say(KV_CPU_STEP_ADVANCE, &step), 0, "STEP_ADVANCE to 8");
}

struct hint {
    const char *name;
    unsigned long command;
    size_t count;      /* its count in the telemetry */
    unsigned int seen; /* the device's counter of such hints */
};

static const struct hint hints[] = {
    {"MARK_HOT", KV_CPU_MARK_HOT, offsetof(Telemetry, hot_count), KVCPU_CNT_HINTS_HOT},
    {"EVICT", KV_CPU_EVICT, offsetof(Telemetry, evict_count), KVCPU_CNT_HINTS_EVICTABLE},
    {"PREFETCH", KV_CPU_PREFETCH, offsetof(Telemetry, prefetch_count),
     KVCPU_CNT_HINTS_PREFETCHABLE},
    {"SHARE_PREFIX", KV_CPU_SHARE_PREFIX, offsetof(Telemetry, share_count), KVCPU_CNT_HINTS_SHARE},
};

static uint64_t field(const Telemetry *t, size_t offset)
{
    uint64_t value;

    memcpy(&value, (const char *)t + offset, sizeof(value));
    return value;
}

static uint64_t field_now(int fd, size_t offset)
{
    Telemetry t = telemetry(fd);

    return field(&t, offset);
}

/* A valid hint increments its own count, sets the last_* fields, and reaches the device. */
static void test_hint(int fd, const struct hint *hint)
{
    Range range = {.va = 0x1234, .len = 5000, .target_step = 99};
    uint64_t seen = counter(fd, hint->seen);
    Telemetry before = telemetry(fd), after;
    size_t i;

    printf("# %s\n", hint->name);
    fails(say(hint->command, &range), 0, hint->name);
    after = telemetry(fd);
    for (i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        uint64_t moved = field(&after, hints[i].count) - field(&before, hints[i].count);

        is(moved, &hints[i] == hint, "of the four counts its own moved, by one");
    }
    is(after.last_va, 0x1234, "last_va");
    is(after.last_len, 5000, "last_len");
    is(after.last_target_step, 99, "last_target_step");
    is(after.step_count, before.step_count, "no step was counted");
    is(counter(fd, hint->seen), seen + 1, "the device saw one such hint");
    range.target_step = 0;
    fails(say(hint->command, &range), 0, "again, with no target step");
    is(telemetry(fd).last_target_step, 0, "last_target_step is 0 too");
}

/* A STEP sets last_target_step, and keeps the last range. */
static void test_step_after_hint(int fd)
{
    uint64_t step = 9;

    fails(say(KV_CPU_STEP_ADVANCE, &step), 0, "STEP_ADVANCE after a hint");
    is(telemetry(fd).last_va, 0x1234, "last_va is still the hint's");
    is(telemetry(fd).last_len, 5000, "so is last_len");
    is(telemetry(fd).last_target_step, 9, "last_target_step is the step's");
}

/*
 * Programs also send addresses of ordinary memory, of any alignment: the call returns 0 and is
 * counted.
 */
static void test_arbitrary_addresses(int fd, const struct hint *hint)
{
    static const uint64_t addresses[] = {0x7f001000, 0x7f002000, 0x7f001234, 0x7fffdeadbeef};
    uint64_t capacity = info_of(fd).blocks * info_of(fd).block_size;
    uint64_t ignored = counter(fd, KVCPU_CNT_HINTS_IGNORED);
    uint64_t clipped = counter(fd, KVCPU_CNT_HINTS_CLIPPED);
    uint64_t said = field_now(fd, hint->count);
    Range edge = {.va = capacity - 1, .len = 2};

    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        Range range = {.va = addresses[i], .len = 333 + i, .target_step = 4};

        fails(say(hint->command, &range), 0, "an address of ordinary memory");
    }
    is(field_now(fd, hint->count), said + 4, "each was counted as said");
    is(counter(fd, KVCPU_CNT_HINTS_IGNORED), ignored + 4, "and as ignored");
    fails(say(hint->command, &edge), 0, "a range that leaves the space behind its first byte");
    is(counter(fd, KVCPU_CNT_HINTS_IGNORED) + counter(fd, KVCPU_CNT_HINTS_CLIPPED),
       ignored + clipped + 5,
       "is clipped, or ignored by a policy that has no use for it");
}

static void test_hint_errors(int fd, const struct hint *hint)
{
    static const Range empty = {.va = 4096};
    static const Range wrapping = {.va = UINT64_MAX - 10, .len = 100};
    static const Range touching = {.va = UINT64_MAX - 99, .len = 100};
    static const Range arbitrary = {.va = 0x7f0010000123, .len = 777};
    uint64_t ignored = counter(fd, KVCPU_CNT_HINTS_IGNORED);
    Telemetry before = telemetry(fd), after;

    fails(ioctl(fd, hint->command, &empty), EINVAL, "length 0");
    fails(ioctl(fd, hint->command, &wrapping), EINVAL, "a range that wraps");
    fails(ioctl(fd, hint->command, &touching), EINVAL, "a range that ends at 2^64");
    fails(ioctl(fd, hint->command, WILD), EFAULT, "a bad pointer");
    after = telemetry(fd);
    ok(memcmp(&before, &after, sizeof(after)) == 0, "what was refused left no trace");
    is(counter(fd, KVCPU_CNT_HINTS_IGNORED), ignored, "and did not reach the device");
    fails(ioctl(fd, hint->command, &arbitrary), 0, "an address of nothing of ours");
    is(counter(fd, KVCPU_CNT_HINTS_IGNORED), ignored + 1, "is counted as ignored");
    after = telemetry(fd);
    is(field(&after, hint->count), field(&before, hint->count) + 1, "and as said");
    is(after.last_va, arbitrary.va, "last_va is that address");
}

static void test_unknown(int fd)
{
    uint64_t payload[16] = {0};

    fails(ioctl(fd, _IOW('K', 0x08, uint64_t), payload), ENOTTY, "number 0x08");
    fails(ioctl(fd, _IOW('K', 0x00, uint64_t), payload), ENOTTY, "number 0x00");
    fails(ioctl(fd, _IOW('L', 0x01, uint64_t), payload), ENOTTY, "another magic");
    fails(ioctl(fd, _IOW('K', 0x01, uint32_t), payload), ENOTTY, "STEP_ADVANCE of another size");
    fails(ioctl(fd, _IOR('K', 0x02, Range), payload), ENOTTY, "MARK_HOT of another direction");
    fails(ioctl(fd, KV_CPU_STEP_ADVANCE, WILD), EFAULT, "STEP_ADVANCE with a bad pointer");
    fails(ioctl(fd, KV_CPU_SET_WEIGHTS, WILD), EFAULT, "SET_WEIGHTS with a bad pointer");
    fails(ioctl(fd, KV_CPU_GET_TELEMETRY, WILD), EFAULT, "GET_TELEMETRY with a bad pointer");
}

static void test_weights(int fd)
{
    struct kv_cpu_weights weights = {3, 5, 7, 11, 0x123, UINT32_MAX};
    Telemetry t;

    fails(say(KV_CPU_SET_WEIGHTS, &weights), 0, "SET_WEIGHTS");
    t = telemetry(fd);
    ok(memcmp(&t.w_r, &weights, sizeof(weights)) == 0, "telemetry has the six, in order");
}

/* The attribute of each, in the order of struct kv_cpu_weights. */
static const char *const weight_names[] = {"w_r", "w_f",          "w_s",
                                           "w_d", "evict_thresh", "prefetch_thresh"};

static uint32_t weight(int fd, size_t index)
{
    Telemetry t = telemetry(fd);

    return (&t.w_r)[index];
}

static void test_weight_attribute(int fd, size_t index)
{
    const char *name = weight_names[index];
    char wanted[32], got[32];

    printf("# %s\n", name);
    snprintf(wanted, sizeof(wanted), "%u\n", weight(fd, index));
    ok(attribute_read(name, got, sizeof(got)) > 0 && strcmp(got, wanted) == 0,
       "is what SET_WEIGHTS set, in decimal");
    fails(attribute_write(name, "21"), 0, "takes decimal");
    is(weight(fd, index), 21, "and is that");
    fails(attribute_write(name, "0xAbC\n"), 0, "takes 0x, and a newline");
    is(weight(fd, index), 0xabc, "and is that");
    fails(attribute_write(name, "seven"), EINVAL, "refuses a word");
    fails(attribute_write(name, "-1"), EINVAL, "refuses a negative number");
    fails(attribute_write(name, "0x100000000"), ERANGE, "refuses 33 bits");
    is(weight(fd, index), 0xabc, "and is what it was");
}

static void test_attributes(int fd)
{
    size_t i;

    for (i = 0; i < sizeof(weight_names) / sizeof(weight_names[0]); i++) {
        test_weight_attribute(fd, i);
    }
    fails(attribute_write("current_step", "1"), EACCES, "current_step is read-only");
    fails(attribute_write("telemetry", "1"), EACCES, "telemetry is read-only");
}

static void test_sysfs_telemetry(int fd)
{
    Telemetry t = telemetry(fd);
    char wanted[1024], got[1024];

    snprintf(wanted, sizeof(wanted),
             "current_step=%llu\nstep_count=%llu\nhot_count=%llu\nevict_count=%llu\n"
             "prefetch_count=%llu\nshare_count=%llu\nlast_va=0x%llx\nlast_len=%llu\n"
             "last_target_step=%llu\nw_r=%u\nw_f=%u\nw_s=%u\nw_d=%u\nevict_thresh=%u\n"
             "prefetch_thresh=%u\n",
             t.current_step, t.step_count, t.hot_count, t.evict_count, t.prefetch_count,
             t.share_count, t.last_va, t.last_len, t.last_target_step, t.w_r, t.w_f, t.w_s,
             t.w_d, t.evict_thresh, t.prefetch_thresh);
    ok(attribute_read("telemetry", got, sizeof(got)) > 0, "sysfs telemetry can be read");
    ok(strcmp(wanted, got) == 0, "sysfs telemetry is name=value lines in the struct's order");
}

static unsigned int state_of(int fd, uint64_t number)
{
    return block_at(fd, number).state >> KVCPU_BST_STATE_SHIFT & KVCPU_BST_STATE_MASK;
}

/* Returns the state of a block when it is `wanted`, or after a time-out. */
static unsigned int state_becomes(int fd, uint64_t number, unsigned int wanted)
{
    uint64_t end = info_of(fd).time_ns + LONG_NS;

    while (state_of(fd, number) != wanted && info_of(fd).time_ns < end) {
        if (wait_for(fd, NULL, 0, 0, SECOND_NS / 1000) != 0) {
            bail_out("KVCPU_IOC_WAIT");
        }
    }
    return state_of(fd, number);
}

/* Hints move blocks: byte addresses are addresses of context 0's space. */
static void test_effect(int fd)
{
    uint64_t size = info_of(fd).block_size, step = 100;
    Range hot = {.va = 5 * size + 1, .len = 1};
    Range later = {.va = 9 * size, .len = 2 * size, .target_step = 103};

    fails(attribute_write("policy", "hepc"), 0, "policy hepc");
    say(KV_CPU_STEP_ADVANCE, &step);
    is(state_of(fd, 5), KVCPU_BS_FREE, "block 5 is in the slow tier");
    say(KV_CPU_MARK_HOT, &hot);
    say(KV_CPU_PREFETCH, &later);
    is(state_becomes(fd, 5, KVCPU_BS_FAST), KVCPU_BS_FAST, "MARK_HOT of a byte of block 5 brings it in");
    is(state_of(fd, 6), KVCPU_BS_FREE, "and no other");
    is(state_becomes(fd, 9, KVCPU_BS_FAST), KVCPU_BS_FAST, "PREFETCH of two blocks brings the first");
    is(state_becomes(fd, 10, KVCPU_BS_FAST), KVCPU_BS_FAST, "and the second");
    say(KV_CPU_EVICT, &hot);
    is(state_becomes(fd, 5, KVCPU_BS_FREE), KVCPU_BS_FREE, "EVICT sends block 5 away");
}

/* Weights and thresholds determine the place of blocks without a hint. */
static void test_score(int fd)
{
    struct kv_cpu_weights keep = {1, 1, 2, 200, 0, 0xc000}, published = {1, 1, 2, 200, 0x1000, 0xe000};
    uint64_t size = info_of(fd).block_size;
    Range shared = {.va = 20 * size, .len = size};
    Range hot = {.va = 30 * size, .len = size};

    fails(attribute_write("hot_lease", "16"), 0, "a HOT lasts 16 steps");
    say(KV_CPU_SET_WEIGHTS, &keep);
    say(KV_CPU_SHARE_PREFIX, &shared);
    say(KV_CPU_MARK_HOT, &hot);
    is(state_of(fd, 20), KVCPU_BS_FREE, "SHARE_PREFIX moves nothing");
    say(KV_CPU_STEP_ADVANCE, &(uint64_t){101});
    is(state_becomes(fd, 20, KVCPU_BS_FAST), KVCPU_BS_FAST, "the next step promotes a prefix above prefetch_thresh");
    is(state_becomes(fd, 30, KVCPU_BS_FAST), KVCPU_BS_FAST, "and a HOT is fast");
    say(KV_CPU_STEP_ADVANCE, &(uint64_t){200});
    /* No condition ends the wait for a block that stays: give the device time to evict it. */
    wait_for(fd, NULL, 0, 0, SECOND_NS / 100);
    is(state_of(fd, 30), KVCPU_BS_FAST, "with evict_thresh 0 a HOT that ended stays");
    say(KV_CPU_SET_WEIGHTS, &published);
    say(KV_CPU_STEP_ADVANCE, &(uint64_t){201});
    is(state_becomes(fd, 30, KVCPU_BS_FREE), KVCPU_BS_FREE, "with the published it leaves at the next step");
    is(state_of(fd, 20), KVCPU_BS_FAST, "and a prefix with a sharer does not");
}

#define POLICY_NAME(name, number, text) text " "
/* This driver's own attributes, in the same folder. */
static void test_administration(int fd)
{
    char wanted[] = KVCPU_POLICIES(POLICY_NAME), text[64];

    wanted[sizeof(wanted) - 2] = '\n';
    ok(attribute_read("policies", text, sizeof(text)) > 0 && strcmp(text, wanted) == 0,
       "sysfs policies");
    fails(attribute_write("policy", "best"), EINVAL, "an unknown policy");
    fails(attribute_write("policy", "lru\n"), 0, "policy lru");
    ok(attribute_read("policy", text, sizeof(text)) > 0 && strcmp(text, "lru\n") == 0, "is lru");
    fails(attribute_write("hot_lease", "0"), EINVAL, "hot_lease 0");
    fails(attribute_write("hot_lease", "0x40"), 0, "hot_lease 64");
    is(attribute_number("hot_lease"), 64, "is 64");
    snprintf(text, sizeof(text), "%llu", (unsigned long long)info_of(fd).fast_slots + 1);
    fails(attribute_write("shared_cap", text), EINVAL, "shared_cap above the slots");
    fails(attribute_write("shared_cap", "12"), 0, "shared_cap 12");
    is(attribute_number("shared_cap"), 12, "is 12");
    fails(attribute_write("event_log_restart", "no"), EINVAL, "event_log_restart no");
    fails(attribute_write("event_log_restart", "1"), 0, "event_log_restart 1");
}

int main(void)
{
    int fd = open_device();
    size_t i;

    test_numbers();
    test_node();
    test_defaults(fd);
    test_steps(fd);
    for (i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        test_hint(fd, &hints[i]);
        test_step_after_hint(fd);
        test_hint_errors(fd, &hints[i]);
        test_arbitrary_addresses(fd, &hints[i]);
    }
    test_unknown(fd);
    test_weights(fd);
    test_attributes(fd);
    test_sysfs_telemetry(fd);
    test_effect(fd);
    test_score(fd);
    test_administration(fd);
    close(fd);
    return tap_end();
}
