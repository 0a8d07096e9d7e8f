// SPDX-License-Identifier: MIT
/*
 * The driver when the kernel has no memory for it and user pages cannot be reached. Every call is
 * made again and again; each time the next of the allocations and copies in it fails, until none
 * does. What a call answers is ENOMEM or EFAULT, or it goes on without what it did not get; what it
 * leaves behind shows afterwards, as a block that stays taken or, to the debug kernel, as a leak.
 * Runs as root, alone, on a kernel with fault injection. TAP.
 */
#include "vm_test.h"

#include <libgen.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#define DEBUGFS "/sys/kernel/debug/"
#define DRIVER "/sys/bus/pci/drivers/kvcpu/"
/* More than any call here allocates: one that reaches it never ends by itself. */
#define FAULTS_MAX 3000

static char pci_name[64];
static char pci_reset[PATH_MAX];
static uint32_t block_size;
static uint8_t *buffer;

/* -- Faults ---------------------------------------------------------------- */

static int fail_nth = -1;

static void set_up_injection(void)
{
    static const char *const kinds[] = {"failslab", "fail_page_alloc", "fail_usercopy"};
    char path[128];

    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        /* Its reports look like a kernel's in trouble. */
        snprintf(path, sizeof(path), DEBUGFS "%s/verbose", kinds[i]);
        if (attribute_write(path, "0")) {
            bail_out("no fault injection: %s", path);
        }
    }
    if (attribute_write(DEBUGFS "failslab/ignore-gfp-wait", "0") ||
        attribute_write(DEBUGFS "fail_page_alloc/ignore-gfp-wait", "0") ||
        attribute_write(DEBUGFS "fail_page_alloc/min-order", "0")) {
        bail_out("cannot set up fault injection");
    }
    fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
    if (fail_nth < 0) {
        bail_out("/proc/thread-self/fail-nth");
    }
    /* What the program itself touches must not be what fails. */
    if (mlockall(MCL_CURRENT | MCL_FUTURE)) {
        bail_out("mlockall");
    }
}

/* The nth allocation or copy that this thread causes from here on fails. */
static void arm(unsigned int nth)
{
    char text[16];
    int length = snprintf(text, sizeof(text), "%u", nth);

    if (pwrite(fail_nth, text, (size_t)length, 0) != length) {
        bail_out("fail-nth");
    }
}

/* No fault any more; whether there was one since arm(). */
static bool disarm(void)
{
    char left[16] = "";
    /* Reading and writing copy too: where that is what fails, nothing failed before. */
    bool failed = pread(fail_nth, left, sizeof(left) - 1, 0) > 0 && atoi(left) == 0;

    while (pwrite(fail_nth, "0", 1, 0) != 1) {
    }
    return failed;
}

/* -- One call, every fault ------------------------------------------------- */

struct scene {
    int fd;
    uint64_t first;
};

struct call {
    const char *name;
    void (*prepare)(struct scene *scene);
    /* 0 or an errno. */
    int (*act)(struct scene *scene);
    /* Checks what the call has to keep though it failed; may be NULL. */
    bool (*holds)(struct scene *scene, int error);
    void (*undo)(struct scene *scene);
    /* The kernel between us and the driver has errnos of its own. */
    bool any_error;
};

static void every_fault(const struct call *call)
{
    unsigned int nth, refused = 0, survived = 0;
    bool as_expected = true, held = true, injected = true;
    int error = 0;

    for (nth = 1; injected && nth < FAULTS_MAX; nth++) {
        struct scene scene = {.fd = -1};

        if (call->prepare) {
            call->prepare(&scene);
        }
        arm(nth);
        error = call->act(&scene);
        injected = disarm();
        if (call->holds && !call->holds(&scene, error)) {
            printf("# fault %u: %s, and something is lost\n", nth, strerror(error));
            held = false;
        }
        if (call->undo) {
            call->undo(&scene);
        }
        if (scene.fd >= 0) {
            close(scene.fd);
        }
        if (!injected) {
            break;
        }
        ++*(error ? &refused : &survived);
        if (error && error != ENOMEM && error != EFAULT && !call->any_error) {
            printf("# fault %u: %s\n", nth, strerror(error));
            as_expected = false;
        }
    }
    printf("# %s: %u faults were refused, %u survived\n", call->name, refused, survived);
    ok(!injected && error == 0, "%s works when nothing fails", call->name);
    ok(as_expected, "%s: the errors are those of what failed", call->name);
    if (call->holds) {
        ok(held, "%s: nothing is lost", call->name);
    }
}

/* -- Calls on a file ------------------------------------------------------- */

static void with_file(struct scene *scene)
{
    scene->fd = open_device();
}

static void with_block(struct scene *scene)
{
    with_file(scene);
    scene->first = allocate(scene->fd, 1);
}

static int try_open(struct scene *scene)
{
    scene->fd = open(DEVICE, O_RDWR | O_CLOEXEC);
    return code(scene->fd);
}

static int try_submit(int fd, struct kvcpu_command *commands, uint32_t count)
{
    uint32_t done;

    if (submit(fd, commands, count, 0, &done)) {
        return errno;
    }
    return done == count ? 0 : EPROTO;
}

static int try_alloc(struct scene *scene)
{
    struct kvcpu_command command = {.opcode = KVCPU_OP_ALLOC, .count = 3};

    return try_submit(scene->fd, &command, 1);
}

static int try_copies(struct scene *scene)
{
    struct kvcpu_command commands[2] = {{.opcode = KVCPU_OP_WRITE}, {.opcode = KVCPU_OP_READ}};

    for (int i = 0; i < 2; i++) {
        commands[i].first = scene->first;
        commands[i].count = 1;
        commands[i].buffer = (uintptr_t)(buffer + (uint32_t)i * block_size);
        commands[i].length = block_size;
    }
    memset(buffer, 0x5a, block_size);
    return try_submit(scene->fd, commands, 2);
}

static int try_pin(struct scene *scene)
{
    struct kvcpu_command command = {
        .opcode = KVCPU_OP_PIN, .first = scene->first, .count = 1, .arg = LONG_NS};

    return try_submit(scene->fd, &command, 1);
}

static void with_pin(struct scene *scene)
{
    with_block(scene);
    if (run_pin(scene->fd, scene->first, 1, LONG_NS, 7) != KVCPU_SC_PENDING) {
        bail_out("a PIN does not wait");
    }
}

static int try_wait(struct scene *scene)
{
    struct kvcpu_completion completion;
    struct kvcpu_wait request = {
        .completions = (uintptr_t)&completion, .capacity = 1, .min = 1, .until_ns = UINT64_MAX};

    return code(ioctl(scene->fd, KVCPU_IOC_WAIT, &request));
}

/* A completion that could not be delivered is there for the next one who asks. */
static bool completion_is_kept(struct scene *scene, int error)
{
    struct kvcpu_completion completion = {0};

    return !error || (wait_for(scene->fd, &completion, 1, 1, LONG_NS) == 1 &&
                      completion.user_data == 7);
}

static int try_close(struct scene *scene)
{
    int fd = scene->fd;

    scene->fd = -1;
    return code(close(fd));
}

static int try_inspect(struct scene *scene)
{
    uint64_t values[KVCPU_COUNTER_COUNT];
    struct kvcpu_counters counters = {.values = (uintptr_t)values, .capacity = KVCPU_COUNTER_COUNT};
    struct kvcpu_block block = {.block = scene->first};
    struct kvcpu_info info;

    memset(&info, 0, sizeof(info));
    return ioctl(scene->fd, KVCPU_IOC_INFO, &info) ||
                   ioctl(scene->fd, KVCPU_IOC_BLOCK, &block) ||
                   ioctl(scene->fd, KVCPU_IOC_COUNTERS, &counters)
               ? errno
               : 0;
}

static int try_reference(struct scene *scene)
{
    struct kv_cpu_block_info range = {.va = 0, .len = 4096, .target_step = 3};
    struct kv_cpu_telemetry telemetry;
    uint64_t step = 1;

    return ioctl(scene->fd, KV_CPU_STEP_ADVANCE, &step) ||
                   ioctl(scene->fd, KV_CPU_MARK_HOT, &range) ||
                   ioctl(scene->fd, KV_CPU_GET_TELEMETRY, &telemetry)
               ? errno
               : 0;
}

static int try_attributes(struct scene *scene)
{
    char text[1024];

    (void)scene;
    return attribute_read("telemetry", text, sizeof(text)) < 0 ||
                   attribute_write("policy", "lru") || attribute_write("w_d", "1")
               ? errno
               : 0;
}

/* -- Reset, binding, module ------------------------------------------------ */

static int try_reset(struct scene *scene)
{
    (void)scene;
    return code(attribute_write(pci_reset, "1"));
}

static int bind(void)
{
    return attribute_write(DRIVER "bind", pci_name);
}

static int unbind(void)
{
    return attribute_write(DRIVER "unbind", pci_name);
}

static bool is_bound(void)
{
    return access(DEVICE, F_OK) == 0;
}

static void when_unbound(struct scene *scene)
{
    (void)scene;
    if (unbind()) {
        bail_out("unbind");
    }
}

static int try_bind(struct scene *scene)
{
    (void)scene;
    return code(bind());
}

static int try_unbind(struct scene *scene)
{
    (void)scene;
    return code(unbind());
}

/* Whatever a fault left undone, without one it can be done. */
static void bind_again(struct scene *scene)
{
    (void)scene;
    if (!is_bound() && bind()) {
        bail_out("the device cannot be bound any more");
    }
}

/* -------------------------------------------------------------------------- */

static void find_function(void)
{
    char path[PATH_MAX];
    int fd = open_device();

    if (!realpath(SYSFS "device", path)) {
        bail_out("cannot resolve " SYSFS "device");
    }
    snprintf(pci_name, sizeof(pci_name), "%s", basename(path));
    snprintf(pci_reset, sizeof(pci_reset), "/sys/bus/pci/devices/%s/reset", pci_name);
    block_size = (uint32_t)info_of(fd).block_size;
    close(fd);
    buffer = calloc(2, block_size);
    if (!buffer) {
        bail_out("memory");
    }
}

static const struct call calls[] = {
    {.name = "open", .act = try_open},
    {.name = "a first SUBMIT", .prepare = with_file, .act = try_alloc},
    {.name = "WRITE and READ", .prepare = with_block, .act = try_copies},
    {.name = "PIN", .prepare = with_block, .act = try_pin},
    {.name = "WAIT", .prepare = with_pin, .act = try_wait, .holds = completion_is_kept},
    {.name = "close with a PIN waiting", .prepare = with_pin, .act = try_close},
    {.name = "INFO, BLOCK, COUNTERS", .prepare = with_block, .act = try_inspect},
    {.name = "the reference interface", .prepare = with_file, .act = try_reference},
    {.name = "attributes", .act = try_attributes},
    {.name = "reset", .act = try_reset, .any_error = true},
    {.name = "unbind", .act = try_unbind, .undo = bind_again, .any_error = true},
    {.name = "bind",
     .prepare = when_unbound,
     .act = try_bind,
     .undo = bind_again,
     .any_error = true},
};

int main(void)
{
    struct kvcpu_info info;
    int fd;

    setvbuf(stdout, NULL, _IOLBF, 0);
    find_function();
    set_up_injection();
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
        every_fault(&calls[i]);
    }
    fd = open_device();
    /* Blocks of the files just closed are scrubbed first. */
    wait_for(fd, NULL, 0, 0, SECOND_NS);
    info = info_of(fd);
    is(info.blocks_free, info.blocks, "no block stays taken");
    close(fd);
    return tap_end();
}
