/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KV-CPU: the event log's file and digest.
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
    log->file_bytes = 0;
    log->is_full = false;
    if (log->path || log->wants_digest) {
        log->digest = g_checksum_new(G_CHECKSUM_SHA256);
    }
    return true;
}

/* An incomplete log would be misleading, so the first error ends the log. */
static void kvcpu_log_give_up(KvcpuLog *log)
{
    error_report("kvcpu: event-log: cannot write '%s': %s; it ends here",
                 log->path, strerror(errno));
    fclose(log->file);
    log->file = NULL;
}

/* The bytes of whole records that the file still has space for. */
static size_t kvcpu_log_space(KvcpuLog *log, size_t bytes)
{
    uint64_t left;

    if (!log->max_bytes) {
        return bytes;
    }
    left = log->max_bytes - log->file_bytes;
    left -= left % KVCPU_EVENT_BYTES;
    if (left < bytes && !log->is_full) {
        log->is_full = true;
        warn_report("kvcpu: event-log: '%s' ends at event-log-max, %" PRIu64
                    " bytes", log->path, log->max_bytes);
    }
    return MIN(left, bytes);
}

static void kvcpu_log_drain(KvcpuLog *log)
{
    size_t bytes = log->count * (size_t)KVCPU_EVENT_BYTES;

    g_checksum_update(log->digest, log->pending[0], bytes);
    if (log->file) {
        bytes = kvcpu_log_space(log, bytes);
        if (fwrite(log->pending, 1, bytes, log->file) != bytes) {
            kvcpu_log_give_up(log);
        }
        log->file_bytes += bytes;
    }
    log->count = 0;
}

void kvcpu_log_flush(KvcpuLog *log)
{
    if (!log->digest) {
        return;
    }
    kvcpu_log_drain(log);
    if (log->file && fflush(log->file)) {
        kvcpu_log_give_up(log);
    }
}

static void kvcpu_log_restart(KvcpuLog *log)
{
    log->count = 0;
    log->file_bytes = 0;
    log->is_full = false;
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
    if (!log->digest) {
        return;
    }
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

    if (!log->digest) {
        return g_strdup("");
    }
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
