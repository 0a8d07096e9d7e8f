// SPDX-License-Identifier: MIT
/*
 * A hostile process sends random and crafted entries, indices, doorbells and calls to the device,
 * and searches all accessible memory for the bytes of other contexts. Meanwhile other processes
 * verify their bytes: a process of this program and, repeatedly, a COMMAND such as kvcpu-replay
 * with a trace. Usage: vm_hostile [ENTRIES [SEED [COMMAND...]]]. TAP.
 */
#define _GNU_SOURCE
#include "vm_ring.h"

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>

/* The upper half of every word that the victim writes. */
#define SECRET 0x5ec2e7a1ULL
#define VICTIM_BLOCKS 48
#define ENTRIES 64 /* of the hostile rings */
#define BUFFER_BLOCKS 4
/* A process that owns more blocks starts again: a full device is the subject of another test. */
#define OWNED_MAX 48

struct shared {
    volatile uint64_t stop, verified, wrong, first, runs, failed_runs;
};

static struct kvcpu_info device;
static struct shared *shared;
static sigjmp_buf fault_return;

static uint64_t next_random(uint64_t *state) {
    /* xorshift64* */
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dULL;
}

static uint64_t *memory_of(uint64_t bytes) {
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED) {
        bail_out("no memory");
    }
    return at;
}

static void on_bus(int number) {
    siglongjmp(fault_return, number);
}

static void catch_faults(void) {
    struct sigaction action = {.sa_handler = on_bus};

    sigaction(SIGBUS, &action, NULL);
}

/* -- The victim ------------------------------------------------------------------ */

struct victim {
    struct ring ring;
    uint64_t *memory;
    volatile uint64_t *view;
    uint32_t buffer;
    uint64_t blocks[VICTIM_BLOCKS]; /* UINT64_MAX: none at present */
    uint64_t version[VICTIM_BLOCKS];
    uint64_t random;
};

static uint64_t secret(uint64_t slot, uint64_t version, uint64_t word) {
    return SECRET << 32 | (slot << 24 & 0xff000000) | (version * 2654435761U + word) % 0x1000000;
}

static void victim_write(struct victim *victim, uint64_t slot) {
    ++victim->version[slot];
    for (uint64_t i = 0; i < device.block_size / 8; ++i) {
        victim->memory[i] = secret(slot, victim->version[slot], i);
    }
    if (ring_copy(&victim->ring, KVCPU_OP_WRITE, victim->blocks[slot], victim->buffer, 0,
                  device.block_size) != KVCPU_SC_SUCCESS) {
        ++shared->wrong;
    }
}

static void victim_verify(struct victim *victim, uint64_t slot) {
    uint64_t words = device.block_size / 8, i, at = next_random(&victim->random) % words;
    volatile uint64_t *mapped = &victim->view[victim->blocks[slot] * words];

    memset(victim->memory, 0, device.block_size);
    if (ring_copy(&victim->ring, KVCPU_OP_READ, victim->blocks[slot], victim->buffer, 0,
                  device.block_size) != KVCPU_SC_SUCCESS) {
        ++shared->wrong;
    }
    for (i = 0; i < words && victim->memory[i] == secret(slot, victim->version[slot], i); ++i) {
    }
    shared->wrong += i < words || mapped[at] != secret(slot, victim->version[slot], at);
    ++shared->verified;
}

static void victim_take(struct victim *victim, uint64_t slot) {
    struct answer answer =
        ring_run(&victim->ring, (struct entry){.count = 1, .control = KVCPU_OP_ALLOC});

    /* The hostile process may have all blocks, which is not tested here. */
    victim->blocks[slot] = UINT64_MAX;
    if (status_of(answer.result) == KVCPU_SC_SUCCESS) {
        victim->blocks[slot] = answer.result >> KVCPU_RES_VALUE_SHIFT;
        victim_write(victim, slot);
    }
}

static void victim_step(struct victim *victim) {
    uint64_t random = next_random(&victim->random), slot = random % VICTIM_BLOCKS;
    uint64_t block = victim->blocks[slot];

    if (block == UINT64_MAX) {
        victim_take(victim, slot);
        return;
    }
    shared->first = block;
    switch (random >> 32 & 15) {
        case 0:
            ring_range(&victim->ring, KVCPU_OP_FREE, block, 1, 0);
            victim->blocks[slot] = UINT64_MAX;
            break;
        case 1:
            victim_write(victim, slot);
            break;
        case 2:
            if (ring_range(&victim->ring, KVCPU_OP_PIN, block, 1, 1000000) == KVCPU_SC_SUCCESS) {
                ring_range(&victim->ring, KVCPU_OP_UNPIN, block, 1, 0);
            }
            break;
        default:
            victim_verify(victim, slot);
            break;
    }
}

static int victim_process(char **argument) {
    int fd = open_device();
    struct victim victim = {.random = 1};

    (void)argument;
    victim.ring = ring_open(fd, 16, 16, 0);
    victim.memory = memory_of(device.block_size);
    victim.buffer = buffer_add(fd, victim.memory, device.block_size).id;
    victim.view = map_region(fd, victim.ring.setup.view, PROT_READ | PROT_WRITE);
    for (uint64_t slot = 0; slot < VICTIM_BLOCKS; ++slot) {
        victim_take(&victim, slot);
    }
    while (!shared->stop) {
        victim_step(&victim);
    }
    return 0;
}

/* -- Another victim: a program ------------------------------------------------------ */

static int run_command(char **command) {
    int status = -1, null;
    pid_t child = fork();

    if (child == 0) {
        null = open("/dev/null", O_WRONLY);
        dup2(null, STDOUT_FILENO);
        execvp(command[0], command);
        _exit(127);
    }
    waitpid(child, &status, 0);
    return status;
}

/* Runs at least once to its end. */
static int command_process(char **command) {
    do {
        shared->failed_runs += run_command(command) != 0;
        ++shared->runs;
    } while (!shared->stop);
    return 0;
}

/* -- The hostile one ---------------------------------------------------------------- */

struct hostile {
    struct ring ring;
    uint64_t *memory;
    volatile uint64_t *view;
    volatile uint64_t *cq; /* to write to */
    uint64_t random, entries, stops, found, lives;
};

/*
 * Words in the arithmetic progression that kvcpu-replay writes. The crafted numbers of this test
 * have strides near 0 or 2^63 (-1, 2^63, 1); kvcpu-replay has no such stride.
 */
static bool is_progression(uint64_t a, uint64_t b, uint64_t c) {
    uint64_t stride = b - a, twice = stride << 1;

    return c - b == stride && stride & 1 && twice >> 34 != 0 && -twice >> 34 != 0;
}

/* Words that have the form of a victim's words. */
static uint64_t look_at(const volatile uint64_t *words, uint64_t count) {
    uint64_t found = 0, before = 0, before_that = 0;

    for (uint64_t i = 0; i < count; ++i) {
        uint64_t word = words[i];

        found += word >> 32 == SECRET || is_progression(before_that, before, word);
        before_that = before;
        before = word;
    }
    return found;
}

static uint64_t some_block(struct hostile *hostile) {
    uint64_t random = next_random(&hostile->random);

    switch (random & 7) {
        case 0:
            return random;
        case 1:
            return device.blocks - (random >> 8 & 3);
        case 2:
        case 3:
            return shared->first;
        default:
            return (random >> 8) % device.blocks;
    }
}

static uint64_t some_number(struct hostile *hostile) {
    uint64_t random = next_random(&hostile->random);

    switch (random & 7) {
        case 0:
            return random;
        case 1:
            return UINT64_MAX - (random >> 60);
        case 2:
            return 1ULL << (random >> 58);
        default:
            return random >> 60;
    }
}

/* Mostly well-formed, so that later checks are reached. */
static struct entry some_entry(struct hostile *hostile) {
    uint64_t random = next_random(&hostile->random), size = device.block_size;
    struct entry entry = {.first = some_block(hostile),
                          .count = some_number(hostile),
                          .arg = some_number(hostile),
                          .addr = some_number(hostile) % (BUFFER_BLOCKS * size),
                          .extent = size << KVCPU_EXT_LENGTH_SHIFT,
                          .meta = some_number(hostile),
                          .tag = random >> 1,
                          .control = random % 0x50};

    if ((random >> 8 & 3) == 0) {
        entry.control = KVCPU_OP_READ + (random >> 10 & 1);
    }
    if ((random >> 12 & 7) == 0) {
        entry.addr = next_random(&hostile->random);
        entry.extent = next_random(&hostile->random);
    }
    if ((random >> 16 & 15) == 0) {
        entry.control |= next_random(&hostile->random) << 16;
    }
    if ((random >> 20 & 1) == 0) {
        entry.control |= (uint64_t)KVCPU_F_COMPLETE << KVCPU_CTL_FLAGS_SHIFT;
    }
    if ((random >> 24 & 31) == 0) {
        for (int i = 0; i < KVCPU_ENTRY_WORDS; ++i) {
            ((uint64_t *)&entry)[i] = next_random(&hostile->random);
        }
    }
    return entry;
}

static void scribble(struct hostile *hostile) {
    uint64_t random = next_random(&hostile->random);

    hostile->ring.sq[random % (hostile->ring.setup.sq.bytes / 8)] = random;
    hostile->cq[random % (hostile->ring.setup.cq.bytes / 8)] = random;
}

static void wild_doorbell(struct hostile *hostile) {
    uint64_t random = next_random(&hostile->random);
    volatile uint64_t *doorbell = hostile->ring.doorbell;

    switch (random & 3) {
        case 0:
            doorbell[random >> 8 & 511] = some_number(hostile);
            break;
        case 1:
            ((volatile uint32_t *)doorbell)[random >> 8 & 1023] = (uint32_t)random;
            break;
        case 2:
            ((volatile uint8_t *)doorbell)[random >> 8 & 4095] = (uint8_t)random;
            break;
        default:
            ring_store(doorbell, random >> 8 & 1 ? KVCPU_DB_CQ_HEAD : KVCPU_DB_SQ_TAIL,
                       some_number(hostile));
            break;
    }
}

/* Sends hostile calls. */
static void wild_call(struct hostile *hostile) {
    int fd = hostile->ring.fd;
    uint64_t random = next_random(&hostile->random);
    struct kvcpu_command command = {.opcode = (uint16_t)(random >> 8 & 0x7f),
                                    .flags = (uint16_t)(random >> 16 & 7),
                                    .first = some_block(hostile),
                                    .count = some_number(hostile),
                                    .arg = some_number(hostile) & 0xffff,
                                    .buffer = (uintptr_t)hostile->memory,
                                    .length = 64};
    struct kv_cpu_block_info info = {.va = some_block(hostile) * device.block_size, .len = 4096};
    struct kvcpu_block block = {.block = shared->first};

    switch (random & 7) {
        case 0:
            coalesce(fd, (uint32_t)some_number(hostile), (uint32_t)some_number(hostile));
            break;
        case 1:
            ioctl(fd, KVCPU_IOC_BLOCK, &block);
            break;
        case 2:
            ioctl(fd, KV_CPU_EVICT, &info);
            break;
        case 3:
            posix_fadvise(fd, (off_t)info.va, (off_t)some_number(hostile), (int)(random >> 8 & 7));
            break;
        default:
            submit(fd, &command, 1, 0, NULL);
            break;
    }
}

/* Searches all memory that the process can read. */
static void look_around(struct hostile *hostile) {
    uint64_t words = device.block_size / 8;
    volatile uint64_t block;

    hostile->found += look_at(hostile->memory, BUFFER_BLOCKS * words);
    hostile->found += look_at(hostile->ring.sq, hostile->ring.setup.sq.bytes / 8);
    hostile->found += look_at(hostile->cq, hostile->ring.setup.cq.bytes / 8);
    hostile->found += look_at(hostile->ring.residency, hostile->ring.setup.residency.bytes / 8);
    for (int i = 0; i < 16; ++i) {
        block = i < 4 ? shared->first : next_random(&hostile->random) % device.blocks;
        if (block < device.blocks && sigsetjmp(fault_return, 1) == 0) {
            hostile->found += look_at(&hostile->view[block * words], words);
        }
    }
}

static void go_on(struct hostile *hostile) {
    uint32_t stopped;

    if (restart(hostile->ring.fd, &stopped) == 0) {
        ++hostile->stops;
        ring_from_empty(&hostile->ring);
    } else if (errno != EBUSY) {
        bail_out("RESTART");
    }
}

static void hostile_open(struct hostile *hostile) {
    int fd = open_device();

    hostile->ring = ring_open(fd, ENTRIES, ENTRIES, 1);
    buffer_add(fd, hostile->memory, BUFFER_BLOCKS * device.block_size);
    hostile->view = map_region(fd, hostile->ring.setup.view, PROT_READ | PROT_WRITE);
    hostile->cq = map_region(fd, hostile->ring.setup.cq, PROT_READ | PROT_WRITE);
}

static void hostile_close(struct hostile *hostile) {
    close(hostile->ring.fd);
    ring_unmap(&hostile->ring);
    munmap((void *)hostile->view, hostile->ring.setup.view.bytes);
    munmap((void *)hostile->cq, hostile->ring.setup.cq.bytes);
}

static void hostile_round(struct hostile *hostile) {
    struct kvcpu_info info;
    uint64_t random = next_random(&hostile->random), batch = 1 + random % ENTRIES;
    struct answer answer;

    for (uint64_t i = 0; i < batch; ++i) {
        struct entry entry = some_entry(hostile);
        volatile uint64_t *at =
            hostile->ring.sq + hostile->ring.tail++ % ENTRIES * (KVCPU_ENTRY_BYTES / 8);

        for (int word = 0; word < KVCPU_ENTRY_WORDS; ++word) {
            at[word] = ((uint64_t *)&entry)[word];
        }
    }
    hostile->entries += batch;
    /* SQ_HEAD in the header is valid only while the process does not write random bytes to it. */
    ring_advance_tail(&hostile->ring);
    if ((random >> 16 & 7) == 0) {
        scribble(hostile);
    }
    if ((random >> 20 & 7) == 0) {
        wild_doorbell(hostile);
    }
    if ((random >> 24 & 7) == 0) {
        wild_call(hostile);
    }
    while (ring_take(&hostile->ring, &answer)) {
    }
    info = info_of(hostile->ring.fd);
    if (info.ring_state != KVCPU_RS_RUNNING) {
        go_on(hostile);
    }
    if ((random >> 28 & 31) == 0) {
        look_around(hostile);
    }
    if (info.blocks_owned > OWNED_MAX) {
        hostile_close(hostile);
        hostile_open(hostile);
        ++hostile->lives;
    }
}

static void attack(struct hostile *hostile, uint64_t wanted) {
    while (shared->verified == 0) {
        sched_yield();
    }
    hostile->memory = memory_of(BUFFER_BLOCKS * device.block_size);
    hostile_open(hostile);
    while (hostile->entries < wanted) {
        hostile_round(hostile);
    }
    shared->stop = 1;
}

static void report(int fd, const struct hostile *hostile) {
    printf(
        "# %llu entries, %llu stops, %llu lives, %llu bad doorbells, %llu verifications, %llu runs "
        "of the command\n",
        (unsigned long long)hostile->entries, (unsigned long long)hostile->stops,
        (unsigned long long)hostile->lives, (unsigned long long)counter(fd, KVCPU_CNT_BAD_DOORBELL),
        (unsigned long long)shared->verified, (unsigned long long)shared->runs);
}

static pid_t start(int (*process)(char **), char **argument) {
    pid_t child = fork();

    if (child == 0) {
        _exit(process(argument));
    }
    return child;
}

int main(int argc, char **argv) {
    uint64_t wanted = argc > 1 ? strtoull(argv[1], NULL, 0) : 20000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    struct hostile hostile = {.random = seed};
    int fd = open_device(), status = -1;
    pid_t victim, command = -1;

    device = info_of(fd);
    catch_faults();
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    victim = start(victim_process, NULL);
    if (argc > 3) {
        command = start(command_process, argv + 3);
    }
    attack(&hostile, wanted);
    waitpid(victim, &status, 0);
    if (command > 0) {
        waitpid(command, NULL, 0);
    }
    report(fd, &hostile);
    is(hostile.found, 0, "no word of a victim's is to be found");
    is((uint64_t)status, 0, "the victim lives");
    ok(shared->verified > 0, "and has verified its blocks");
    is(shared->wrong, 0, "all of them were right");
    is(shared->failed_runs, 0, "the command always succeeded");
    is(shared->runs > 0, argc > 3, "and was run, if there is one");
    hostile_close(&hostile);
    wait_until_free(fd, device.blocks);
    is(info_of(fd).blocks_free, device.blocks, "every block is free in the end");
    return tap_end();
}
