/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KV-CPU: the event log's way to a file and a digest.
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qapi/error.h"
#include "kvcpu.h"

bool kvcpu_log_open(KvcpuLog *log, Error **errp)
{
    if (log->path) {
        log->file = fopen(log->path, "wb");
        if (!log->file) {
            error_setg_errno(errp, errno, "event-log: cannot open '%s'",
                             log->path);
            return false;
        }
    }
    log->digest = g_checksum_new(G_CHECKSUM_SHA256);
    return true;
}

/* A log that lacks records is worse than none: the first error ends it. */
static void kvcpu_log_give_up(KvcpuLog *log)
{
    error_report("kvcpu: event-log: cannot write '%s': %s; it ends here",
                 log->path, strerror(errno));
    fclose(log->file);
    log->file = NULL;
}

static void kvcpu_log_drain(KvcpuLog *log)
{
    size_t bytes = log->count * (size_t)KVCPU_EVENT_BYTES;

    g_checksum_update(log->digest, log->pending[0], bytes);
    if (log->file && fwrite(log->pending, 1, bytes, log->file) != bytes) {
        kvcpu_log_give_up(log);
    }
    log->count = 0;
}

void kvcpu_log_flush(KvcpuLog *log)
{
    kvcpu_log_drain(log);
    if (log->file && fflush(log->file)) {
        kvcpu_log_give_up(log);
    }
}

static void kvcpu_log_restart(KvcpuLog *log)
{
    log->count = 0;
    g_checksum_reset(log->digest);
    if (log->file) {
        rewind(log->file);
        if (ftruncate(fileno(log->file), 0)) {
            kvcpu_log_give_up(log);
        }
    }
}

void kvcpu_log_append(KvcpuLog *log, const struct kvcpu_event *event)
{
    if (event->kind == KVCPU_EV_LOG_RESTART) {
        kvcpu_log_restart(log);
    }
    kvcpu_event_encode(event, log->pending[log->count++]);
    if (log->count == ARRAY_SIZE(log->pending)) {
        kvcpu_log_drain(log);
    }
}

char *kvcpu_log_digest(KvcpuLog *log)
{
    g_autoptr(GChecksum) so_far = NULL;

    kvcpu_log_flush(log);
    so_far = g_checksum_copy(log->digest);
    return g_strdup(g_checksum_get_string(so_far));
}

void kvcpu_log_close(KvcpuLog *log)
{
    if (!log->digest) {
        return;
    }
    kvcpu_log_flush(log);
    if (log->file) {
        fclose(log->file);
        log->file = NULL;
    }
    g_clear_pointer(&log->digest, g_checksum_free);
}
