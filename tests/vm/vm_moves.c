// SPDX-License-Identifier: MIT
/*
 * The linear view under load: threads load and store at random and check every word, while the main
 * thread forces moves by PINs. Usage: vm_moves [ACCESSES [MOVES]]. TAP.
 */
#include "vm_ring.h"

#include <pthread.h>

#define THREADS 4
#define PLACES 16 /* words of each thread in a block */
#define BATCH_MAX 1024

static struct kvcpu_info device;
static volatile uint64_t *view;
static uint64_t first, blocks, batch; /* number of PINs at a time */
static volatile bool stop;
/* The accesses are ahead of the moves: on few processors the access threads yield to the moves. */
static volatile bool ahead;

struct worker {
    pthread_t thread;
    uint64_t number, random, accesses, mismatches;
    uint64_t *shadow; /* PLACES words per block: the last stores of this thread */
};

static uint64_t next_random(uint64_t *state) {
    /* xorshift64* */
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dULL;
}

/* The words of a thread are spread over the block, between those of other threads. */
static uint64_t word_of(const struct worker *worker, uint64_t block, uint64_t place) {
    uint64_t stride = device.block_size / 8 / PLACES;

    return (first + block) * device.block_size / 8 + place * stride + worker->number;
}

static void access_once(struct worker *worker) {
    uint64_t random = next_random(&worker->random);
    uint64_t block = random % blocks, place = random >> 32 & (PLACES - 1);
    volatile uint64_t *at = &view[word_of(worker, block, place)];
    uint64_t *expected = &worker->shadow[block * PLACES + place];

    if (random >> 40 & 1) {
        *at = *expected = random;
    } else {
        worker->mismatches += *at != *expected;
    }
    __atomic_fetch_add(&worker->accesses, 1, __ATOMIC_RELAXED);
}

static void *work(void *argument) {
    struct worker *worker = argument;

    while (!stop) {
        access_once(worker);
        if (ahead) {
            usleep(100);
        }
    }
    return NULL;
}

static uint64_t accesses_of(struct worker *workers) {
    uint64_t sum = 0;

    for (int i = 0; i < THREADS; ++i) {
        sum += __atomic_load_n(&workers[i].accesses, __ATOMIC_RELAXED);
    }
    return sum;
}

static uint64_t moves(int fd) {
    return counter(fd, KVCPU_CNT_FETCHES_DEMAND) + counter(fd, KVCPU_CNT_WRITE_BACKS);
}

/* Pins some blocks, mapped or not, and unpins them. */
static uint64_t claim_some(struct ring *ring, uint64_t *random) {
    uint64_t complete = (uint64_t)KVCPU_F_COMPLETE << KVCPU_CTL_FLAGS_SHIFT, good = 0;
    struct answer answers[BATCH_MAX];

    for (uint64_t i = 0; i < batch; ++i) {
        struct entry pin = {.first = first + next_random(random) % blocks,
                            .count = 1,
                            .arg = LONG_NS,
                            .control = KVCPU_OP_PIN | complete};

        pin.tag = pin.first;
        ring_put(ring, &pin);
    }
    ring_advance_tail(ring);
    for (uint64_t i = 0; i < batch; ++i) {
        answers[i] = ring_answer(ring);
        good += status_of(answers[i].result) == KVCPU_SC_SUCCESS;
    }
    for (uint64_t i = 0; i < batch; ++i) {
        struct entry unpin = {.first = answers[i].tag, .count = 1, .control = KVCPU_OP_UNPIN};

        if (status_of(answers[i].result) == KVCPU_SC_SUCCESS) {
            ring_put(ring, &unpin);
        }
    }
    ring_advance_tail(ring);
    return batch - good;
}

/* READ by the device returns the stores of the threads for every block. */
static uint64_t compare(struct ring *ring, struct worker *workers) {
    uint64_t *memory =
        mmap(NULL, device.block_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct kvcpu_buffer buffer = buffer_add(ring->fd, memory, device.block_size);
    uint64_t wrong = 0;

    for (uint64_t block = 0; block < blocks; ++block) {
        ring_copy(ring, KVCPU_OP_READ, first + block, buffer.id, 0, device.block_size);
        for (int i = 0; i < THREADS; ++i) {
            for (uint64_t place = 0; place < PLACES; ++place) {
                uint64_t word = word_of(&workers[i], block, place) % (device.block_size / 8);

                wrong += memory[word] != workers[i].shadow[block * PLACES + place];
            }
        }
    }
    return wrong;
}

static void start(struct worker *workers) {
    for (uint64_t i = 0; i < THREADS; ++i) {
        workers[i].number = i;
        workers[i].random = 88172645463325252ULL + i;
        workers[i].shadow = calloc(blocks * PLACES, sizeof(uint64_t));
        if (!workers[i].shadow || pthread_create(&workers[i].thread, NULL, work, &workers[i])) {
            bail_out("cannot start a thread");
        }
    }
}

int main(int argc, char **argv) {
    uint64_t accesses_wanted = argc > 1 ? strtoull(argv[1], NULL, 0) : 20000;
    uint64_t moves_wanted = argc > 2 ? strtoull(argv[2], NULL, 0) : 2000;
    struct worker workers[THREADS] = {{.number = 0}};
    uint64_t random = 1, failed = 0, mismatches = 0, revokes, before, moved;
    int fd = open_device();
    struct ring ring;

    device = info_of(fd);
    ring = ring_open(fd, BATCH_MAX, BATCH_MAX, 0);
    /*
     * Twice the size of the fast tier: half of all PINs need a move, and most moves a revocation.
     */
    blocks = device.fast_slots * 2;
    if (blocks > KVCPU_COMMAND_BLOCKS_MAX || blocks > device.blocks / 2) {
        bail_out("wants a device with fewer slots, such as fast-size=256K");
    }
    /* Some slots are left for mapped blocks that are being evicted. */
    batch = device.fast_slots * 3 / 8 < BATCH_MAX ? device.fast_slots * 3 / 8 : BATCH_MAX;
    first = ring_alloc(&ring, blocks);
    view = map_region(fd, ring.setup.view, PROT_READ | PROT_WRITE);
    before = moves(fd);
    revokes = counter(fd, KVCPU_CNT_REVOKES);
    start(workers);
    do {
        for (int i = 0; i < 16; ++i) {
            failed += claim_some(&ring, &random);
        }
        moved = moves(fd) - before;
        ahead = (double)accesses_of(workers) / (double)accesses_wanted >
                (double)moved / (double)moves_wanted;
    } while (accesses_of(workers) < accesses_wanted || moved < moves_wanted);
    stop = true;
    for (int i = 0; i < THREADS; ++i) {
        pthread_join(workers[i].thread, NULL);
        mismatches += workers[i].mismatches;
    }
    printf("# %llu accesses, %llu moves, %llu revokes, %llu holds, %llu of them waited\n",
           (unsigned long long)accesses_of(workers), (unsigned long long)(moves(fd) - before),
           (unsigned long long)(counter(fd, KVCPU_CNT_REVOKES) - revokes),
           (unsigned long long)counter(fd, KVCPU_CNT_HOLDS),
           (unsigned long long)counter(fd, KVCPU_CNT_HOLDS_WAITED));
    is(mismatches, 0, "every load shows what was stored last");
    is(failed, 0, "every claim is granted");
    is(compare(&ring, workers), 0, "and the device reads the same");
    ok(counter(fd, KVCPU_CNT_REVOKES) > revokes, "mapped blocks have been moved");
    close(fd);
    return tap_end();
}
