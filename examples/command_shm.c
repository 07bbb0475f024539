/*
 * A COMMAND that reads its frames in shared memory and inverts them:
 *
 *     cc -O2 -o invert examples/command_shm.c
 *     frameloom --frame-transport=shm -i IN OUT -- ./invert
 *
 * The memory holds FRAMELOOM_SHM_SLOTS frames of FRAMELOOM_FRAME_BYTES. The number of a slot comes on stdin;
 * the same number goes back when its frame is ready.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static long number(const char *name) {
    const char *value = getenv(name);
    return value ? atol(value) : -1;
}

int main(void) {
    size_t size = number("FRAMELOOM_FRAME_BYTES"), slots = number("FRAMELOOM_SHM_SLOTS");
    int memory = number("FRAMELOOM_SHM_FD"), answers = number("FRAMELOOM_SHM_ANSWER_FD");
    uint8_t *frames = mmap(NULL, size * slots, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (memory < 0 || frames == MAP_FAILED) {
        fprintf(stderr, "no frames in shared memory: use --frame-transport=shm\n");
        return 1;
    }
    uint32_t slot; /* with 0x80000000 added in the answer, the frame counts as untouched */
    while (read(STDIN_FILENO, &slot, sizeof slot) == sizeof slot) {
        uint8_t *frame = frames + slot * size;
        for (size_t n = 0; n < size; n++)
            frame[n] = 255 - frame[n];
        if (write(answers, &slot, sizeof slot) != sizeof slot)
            return 1;
    }
    return 0;
}
