// SPDX-License-Identifier: GPL-2.0-or-later
#include "commands/teardown.h"

namespace kvcpu {

void Teardown::free_block(uint32_t block) noexcept {
    Block &b = d_.at(block);
    const uint16_t owner = b.owner;
    p_.holds.freed(block);
    --d_.contexts[owner].owned;
    d_.count(KVCPU_CNT_BLOCKS_FREED);
    p_.placement.forget(block);
    d_.count_slot_out(b);
    b = block_after_free(b);
    d_.count_slot_in(b);
    p_.mover.abort_and_scrub(block);
    d_.residency.hide(owner, block);
}

/* -- Rings ----------------------------------------------------------------- */

/* Ends the ring's pending commands. They get no completion, as the ring is stopped. */
void Teardown::end_waits_of_ring(uint16_t context) noexcept {
    p_.hints.stop(context);
    p_.holds.cancel_via(context);
    const auto contexts = static_cast<uint16_t>(d_.contexts.size());
    for (uint16_t of = 0; of < contexts; ++of) {
        if (context == 0 || of == context) {
            p_.fences.cancel(of, context);
            p_.pins.cancel_via(of, context);
        }
        if (d_.contexts[of].closing && d_.contexts[of].close_completion.via == context) {
            d_.contexts[of].close_completion.via = via_nowhere;
        }
    }
}

void Teardown::stop_ring(uint16_t context) noexcept {
    end_waits_of_ring(context);
    p_.pairs.stop(context);
    d_.count(KVCPU_CNT_RINGS_STOPPED);
    d_.record({.kind = KVCPU_EV_RING_STOPPED,
               .context = context,
               .status = static_cast<uint16_t>(p_.pairs[context].state),
               .first = p_.pairs[context].head});
    p_.events.stopped(context, p_.pairs[context].state, p_.pairs[context].head);
}

void Teardown::close_admin_ring() noexcept {
    p_.pairs.fail(0, KVCPU_RS_NO_RING);
    end_waits_of_ring(0);
    p_.pairs.close(0);
    p_.events.forget_stop(0);
}

/* -- CLOSE ----------------------------------------------------------------- */

Result Teardown::close(const Command &command) noexcept {
    if (!p_.completions.reserve(command.completion)) {
        return {KVCPU_SC_BUSY, 0, 0};
    }
    Context &context = d_.contexts[command.context];
    d_.clock.run(); /* the process that stopped the clock may have died */
    context.closing = true;
    context.close_completion = command.completion;
    context.close_next = 0;
    p_.pairs.fail(command.context, KVCPU_RS_NO_RING); /* no completion is written to it any more */
    p_.hints.stop(command.context);
    p_.hints.drop(command.context);
    p_.fences.cancel_all(command.context);
    p_.pins.cancel_all(command.context);
    p_.holds.cancel_all(command.context);
    p_.pairs.close(command.context);
    p_.events.forget_stop(command.context);
    p_.buffers.forget(command.context);
    d_.residency.remove_all(command.context);
    if (closing_++ == 0) {
        due_ns_ = d_.now + batch_interval_ns;
    }
    uint32_t budget = KVCPU_HINT_BUDGET;
    close_batch(command.context, budget);
    return {KVCPU_SC_PENDING, 0, 0};
}

void Teardown::close_batch(uint16_t context, uint32_t &budget) noexcept {
    Context &c = d_.contexts[context];
    for (; c.owned + c.held > 0 && budget > 0; --budget, ++c.close_next) {
        Block &b = d_.at(c.close_next);
        if (b.held && d_.holds[c.close_next].context == context) {
            p_.holds.drop(c.close_next);
        }
        if (b.allocated && b.owner == context) {
            b.claims = 0;
            free_block(c.close_next);
        }
    }
    p_.reclaim.acknowledge_all(context, budget);
    if (c.owned + c.held == 0 && c.unacknowledged == 0) {
        finish_close(context);
    }
}

void Teardown::finish_close(uint16_t context) noexcept {
    const CompletionTarget completion = d_.contexts[context].close_completion;
    p_.placement.quotas.set(context, 0, no_maximum);
    d_.contexts[context] = {.scored = p_.placement.generation};
    --closing_;
    d_.record({.kind = KVCPU_EV_CLOSED, .context = context});
    p_.completions.complete(completion, {});
}

void Teardown::resume() noexcept {
    if (closing_ == 0 || due_ns_ > d_.now) {
        return;
    }
    uint32_t budget = KVCPU_HINT_BUDGET;
    for (size_t context = 1; context < d_.contexts.size() && budget > 0; ++context) {
        if (d_.contexts[context].closing) {
            close_batch(static_cast<uint16_t>(context), budget);
        }
    }
    due_ns_ = d_.now + batch_interval_ns;
}

}  // namespace kvcpu
