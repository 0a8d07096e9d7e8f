// SPDX-License-Identifier: MIT
/*
 * The driver without memory from the kernel, and with user pages that cannot be accessed. Every
 * call is repeated; each time the next allocation or copy in it fails, until none fails. The result
 * of a call is ENOMEM or EFAULT, or the call continues without the resource. A leak shows
 * afterwards, as a block that stays allocated or in a report of the debug kernel.
 *
 * Usage: vm_faults [CALL...]: only the calls of these names. Runs as root, alone, on a kernel with
 * fault injection. TAP.
 */
#include "vm_pci.h"
#include "vm_ring.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define DEBUGFS "/sys/kernel/debug/"
/* More than the allocations of any call here: a call that reaches this number never ends. */
#define FAULTS_MAX 3000

static struct pci_function function;
static uint32_t block_size;
static uint8_t *buffer;

/* -- Faults ---------------------------------------------------------------- */

static int fail_nth = -1;

static void set_up_injection(void)
{
    static const char *const kinds[] = {"failslab", "fail_page_alloc", "fail_usercopy"};
    char path[128];

    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        /*
         * The reports of fault injection look like those of a kernel error, so they are disabled.
         */
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
    /* The memory of the program itself must not fail. */
    if (mlockall(MCL_CURRENT | MCL_FUTURE)) {
        bail_out("mlockall");
    }
}

/* Makes the nth allocation or copy of this thread from here on fail. */
static void arm(unsigned int nth)
{
    char text[16];
    int length = snprintf(text, sizeof(text), "%u", nth);

    if (pwrite(fail_nth, text, (size_t)length, 0) != length) {
        bail_out("fail-nth");
    }
}

/* Ends the fault; returns whether it happened since arm(). */
static bool disarm(void)
{
    char left[16] = "";
    /* read() and write() copy as well: if such a copy fails, no earlier one has failed. */
    bool failed = pread(fail_nth, left, sizeof(left) - 1, 0) > 0 && atoi(left) == 0;

    while (pwrite(fail_nth, "0", 1, 0) != 1) {
    }
    return failed;
}

/* -- One call, every fault ------------------------------------------------- */

struct scene {
    int fd;
    uint64_t first;
    struct kvcpu_setup setup;
    volatile uint64_t *view;
};

struct call {
    const char *name;
    void (*prepare)(struct scene *scene);
    /* 0 or an errno. */
    int (*act)(struct scene *scene);
    /* Checks the state that the call must keep after a failure; may be NULL. */
    bool (*holds)(struct scene *scene, int error);
    void (*undo)(struct scene *scene);
    /* Errnos that the kernel returns before the driver is called are accepted. */
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

/* A completion that could not be delivered is returned by the next WAIT. */
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

/* -- Rings, buffers, the view ---------------------------------------------- */

static int try_setup(struct scene *scene)
{
    scene->setup = (struct kvcpu_setup){
        .flags = KVCPU_SETUP_RESIDENCY, .sq_entries = 64, .cq_entries = 64};
    return code(ioctl(scene->fd, KVCPU_IOC_SETUP, &scene->setup));
}

static void with_rings(struct scene *scene)
{
    with_block(scene);
    if (try_setup(scene)) {
        bail_out("SETUP: %s", strerror(errno));
    }
}

/* After a refusal, the same call succeeds. */
static bool setup_is_possible(struct scene *scene, int error)
{
    return !error || !try_setup(scene);
}

static int try_maps(struct scene *scene)
{
    const struct kvcpu_region *regions[] = {&scene->setup.sq, &scene->setup.cq,
                                            &scene->setup.doorbell, &scene->setup.residency};

    for (size_t i = 0; i < sizeof(regions) / sizeof(*regions); i++) {
        int protection = i == 0 || i == 2 ? PROT_WRITE : PROT_READ;
        void *at = mmap(NULL, regions[i]->bytes, protection, MAP_SHARED, scene->fd,
                        (off_t)regions[i]->offset);

        if (at == MAP_FAILED) {
            return errno;
        }
        munmap(at, regions[i]->bytes);
    }
    return 0;
}

static int try_buffer(struct scene *scene)
{
    struct kvcpu_buffer request = {
        .address = (uintptr_t)buffer, .length = 2 * block_size, .id = KVCPU_BUFFER_ANY};

    if (ioctl(scene->fd, KVCPU_IOC_BUFFER_ADD, &request)) {
        return errno;
    }
    return code(buffer_remove(scene->fd, request.id));
}

static int try_events(struct scene *scene)
{
    struct kvcpu_eventfd event = {.fd = eventfd(0, EFD_CLOEXEC)};
    int error;

    if (event.fd < 0) {
        return errno;
    }
    error = code(coalesce(scene->fd, 1, 0) ||
                 ioctl(scene->fd, KVCPU_IOC_EVENTFD, &event) ? -1 : 0);
    close(event.fd);
    return error;
}

static int try_quota(struct scene *scene)
{
    struct kvcpu_quota quota = {.slots_min = 1, .slots_max = 2};

    return code(ioctl(scene->fd, KVCPU_IOC_QUOTA, &quota));
}

/* Stops the ring by a tail that is too far ahead. */
static void with_stopped_rings(struct scene *scene)
{
    volatile uint64_t *doorbell;

    with_rings(scene);
    doorbell = map_region(scene->fd, scene->setup.doorbell, PROT_WRITE);
    ring_store(doorbell, KVCPU_DB_SQ_TAIL, scene->setup.sq_entries + 1);
    munmap((void *)doorbell, scene->setup.doorbell.bytes);
}

static int try_restart(struct scene *scene)
{
    uint32_t stopped;

    return code(restart(scene->fd, &stopped));
}

static int try_history(struct scene *scene)
{
    struct kvcpu_record record;
    struct kvcpu_history history = {
        .block = scene->first, .before = UINT64_MAX, .records = (uintptr_t)&record, .capacity = 1};

    return code(ioctl(scene->fd, KVCPU_IOC_HISTORY, &history));
}

static void with_view(struct scene *scene)
{
    with_rings(scene);
    scene->view = mmap(NULL, block_size, PROT_READ | PROT_WRITE, MAP_SHARED, scene->fd,
                       (off_t)(scene->first * block_size));
    if (scene->view == MAP_FAILED) {
        bail_out("mmap of the view");
    }
}

/* The kernel repeats a page fault without memory, so the store succeeds. */
static int try_store(struct scene *scene)
{
    scene->view[1] = 0x5afe;
    return 0;
}

static bool store_is_read(struct scene *scene, int error)
{
    uint64_t words[2] = {0};

    return !error && run_copy(scene->fd, KVCPU_OP_READ, scene->first, words, 0, sizeof(words)) ==
                         KVCPU_SC_SUCCESS && words[1] == 0x5afe;
}

static void unmap_view(struct scene *scene)
{
    munmap((void *)scene->view, block_size);
}

/* -- Reset, binding, module ------------------------------------------------ */

static int try_reset(struct scene *scene)
{
    (void)scene;
    return code(pci_reset(&function));
}

static bool is_bound(void)
{
    return access(DEVICE, F_OK) == 0;
}

/*
 * A process that opens the device by a node of its own, whenever there is one: also during a probe
 * that fails, after it has made the character device.
 */
static pid_t opener;

static void start_opener(void)
{
    static const char node[] = "/tmp/kvcpu-opener";
    struct kvcpu_command command = {.opcode = KVCPU_OP_ALLOC, .count = 1};
    struct stat state;

    /* Opening a node without a driver must not start a program that looks for one. */
    attribute_write("/proc/sys/kernel/modprobe", "\n");
    if (stat(DEVICE, &state) || mknod(node, S_IFCHR | 0600, state.st_rdev)) {
        bail_out("mknod");
    }
    opener = fork();
    if (opener) {
        return;
    }
    for (;;) {
        int fd = open(node, O_RDWR | O_CLOEXEC);

        if (fd >= 0) {
            submit(fd, &command, 1, 0, NULL);
            usleep(20000);
            submit(fd, &command, 1, 0, NULL);
            close(fd);
        }
    }
}

static void stop_opener(void)
{
    if (!opener) {
        return;
    }
    kill(opener, SIGKILL);
    waitpid(opener, NULL, 0);
}

static void when_unbound(struct scene *scene)
{
    (void)scene;
    if (!opener) {
        start_opener();
    }
    if (pci_unbind(&function)) {
        bail_out("unbind");
    }
}

static int try_bind(struct scene *scene)
{
    (void)scene;
    return code(pci_bind(&function));
}

static int try_unbind(struct scene *scene)
{
    (void)scene;
    return code(pci_unbind(&function));
}

static bool is_quiet(struct scene *scene, int error)
{
    (void)scene;
    return !error || is_bound() || pci_is_quiet(&function);
}

/* Work that a fault prevented succeeds without the fault. */
static void bind_again(struct scene *scene)
{
    (void)scene;
    if (!is_bound() && pci_bind(&function)) {
        bail_out("the device cannot be bound any more");
    }
}

/* -------------------------------------------------------------------------- */

static void look_at_device(void)
{
    int fd = open_device();

    function = pci_function_of(0);
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
    {.name = "SETUP", .prepare = with_block, .act = try_setup, .holds = setup_is_possible},
    {.name = "mmap of rings", .prepare = with_rings, .act = try_maps},
    {.name = "BUFFER_ADD and BUFFER_REMOVE", .prepare = with_rings, .act = try_buffer},
    {.name = "COALESCE and EVENTFD", .prepare = with_rings, .act = try_events},
    {.name = "QUOTA", .prepare = with_rings, .act = try_quota},
    {.name = "RESTART", .prepare = with_stopped_rings, .act = try_restart},
    {.name = "HISTORY", .prepare = with_block, .act = try_history},
    {.name = "a store to the view",
     .prepare = with_view,
     .act = try_store,
     .holds = store_is_read,
     .undo = unmap_view},
    {.name = "INFO, BLOCK, COUNTERS", .prepare = with_block, .act = try_inspect},
    {.name = "the reference interface", .prepare = with_file, .act = try_reference},
    {.name = "attributes", .act = try_attributes},
    {.name = "reset", .act = try_reset, .any_error = true},
    {.name = "unbind", .act = try_unbind, .undo = bind_again, .any_error = true},
    {.name = "bind",
     .prepare = when_unbound,
     .act = try_bind,
     .holds = is_quiet,
     .undo = bind_again,
     .any_error = true},
};

static bool is_wanted(const struct call *call, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], call->name)) {
            return true;
        }
    }
    return argc == 1;
}

int main(int argc, char **argv)
{
    struct kvcpu_info info;
    int fd;

    setvbuf(stdout, NULL, _IOLBF, 0);
    look_at_device();
    set_up_injection();
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
        if (is_wanted(&calls[i], argc, argv)) {
            every_fault(&calls[i]);
        }
    }
    stop_opener();
    fd = open_device();
    /* Blocks of closed files are scrubbed first. */
    wait_for(fd, NULL, 0, 0, SECOND_NS);
    info = info_of(fd);
    is(info.blocks_free, info.blocks, "no block stays taken");
    close(fd);
    return tap_end();
}
